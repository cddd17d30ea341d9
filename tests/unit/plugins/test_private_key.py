"""Private keys in every form that OpenSSH and OpenSSL write, and what else people store in their place."""

from __future__ import annotations

import asyncssh
import pytest

from pinterest.private_key import PrivateKeyError, read_private_key

FORMS = {
    "ssh-ed25519": ("openssh", "pkcs8-pem"),
    "ssh-rsa": ("openssh", "pkcs1-pem", "pkcs8-pem"),
    "ecdsa-sha2-nistp256": ("openssh", "pkcs1-pem", "pkcs8-pem"),
    "ecdsa-sha2-nistp521": ("openssh", "pkcs1-pem"),
}
KEYS = {kind: asyncssh.generate_private_key(kind) for kind in FORMS}
ED25519 = KEYS["ssh-ed25519"].export_private_key("pkcs8-pem").decode()
EC_PARAMETERS = "-----BEGIN EC PARAMETERS-----\nBggqhkjOPQMBBw==\n-----END EC PARAMETERS-----\n"
WITH_PASSPHRASE = """\
-----BEGIN OPENSSH PRIVATE KEY-----
b3BlbnNzaC1rZXktdjEAAAAACmFlczI1Ni1jdHIAAAAGYmNyeXB0AAAAGAAAABDnMmbU/L
V2owoUqfuVZ4yPAAAAEAAAAAEAAAAzAAAAC3NzaC1lZDI1NTE5AAAAIBstjqA5CP9iFiyx
eCKpLppLxh7ZzAan1nWAVvhO1VRTAAAAkA0+OUJguDSShgKaIgOobMwdC+IaQsIGndbBIN
VtJIUhI+1i8NiHWrSOIt7Xa85ckeig6f+OfN5KzsFWF7+DlZJ2d+L7sPHSdv7zqyBu98dH
IfQGIorpC0LaDo2BZsvjNgfoQ3h2Btfb96sildGDrbSL3b2WaE5Zk2SO3yCBDCE/3S7no4
h/b0WEpgDvoLoPEQ==
-----END OPENSSH PRIVATE KEY-----
"""
SECP256K1 = """\
-----BEGIN EC PRIVATE KEY-----
MHQCAQEEIFuGHadDLUOlbK6ALCU5j5AKllEcKFlLlIhCZxqUUyGooAcGBSuBBAAK
oUQDQgAEEkhWbKdDHJHuopwgaAgipWRWmwT76xTC3c9UhJjNLLrVf6LU+wEkbnnW
J24dOTIqhpIy9FJrzfcfGdAxn6aBiQ==
-----END EC PRIVATE KEY-----
"""


def exported(kind: str, form: str, passphrase: str | None = None) -> str:
    return KEYS[kind].export_private_key(form, passphrase).decode()


@pytest.mark.parametrize(("kind", "form"), [(kind, form) for kind, forms in FORMS.items() for form in forms])
def test_every_kind_and_form(kind, form):
    assert read_private_key(exported(kind, form)).fingerprint == KEYS[kind].get_fingerprint()


@pytest.mark.parametrize(
    "changed",
    [
        pytest.param(lambda text: text.replace("\n", "\r\n"), id="CRLF"),
        pytest.param(lambda text: text.rstrip("\n"), id="no last line end"),
        pytest.param(lambda text: "\ufeff" + text, id="byte order mark"),
        pytest.param(lambda text: text.replace("\n", "\\n"), id="line ends spelled out"),
        pytest.param(lambda text: text.replace("\n", "\\r\\n"), id="Windows line ends spelled out"),
        pytest.param(lambda text: text.replace("\n", " "), id="one line with blanks"),
        pytest.param(lambda text: text.replace("\n", ""), id="one line"),
        pytest.param(lambda text: f'"{text}"', id="quotes"),
        pytest.param(lambda text: text.replace("\n", "\n  "), id="indented"),
        pytest.param(lambda text: f"Bag Attributes\n  friendlyName: key\n{text}\ntail", id="text around it"),
        pytest.param(lambda text: EC_PARAMETERS + text, id="curve parameters before it"),
    ],
)
@pytest.mark.parametrize(("kind", "form"), [("ssh-ed25519", "openssh"), ("ecdsa-sha2-nistp256", "pkcs1-pem")])
def test_line_ends_and_text_around_a_key_do_not_matter(kind, form, changed):
    assert read_private_key(changed(exported(kind, form))).fingerprint == KEYS[kind].get_fingerprint()


@pytest.mark.parametrize(
    ("kind", "form"), [("ssh-rsa", "pkcs1-pem"), ("ssh-rsa", "pkcs8-pem"), ("ecdsa-sha2-nistp256", "pkcs1-pem")]
)
def test_a_key_with_a_passphrase_is_named(kind, form):
    with pytest.raises(PrivateKeyError, match="holds a private key with a passphrase: store it without one"):
        read_private_key(exported(kind, form, "secret"))


@pytest.mark.parametrize("changed", [str, lambda text: text.replace("\n", "\\n")], ids=["lines", "one line"])
def test_a_key_of_openssh_with_a_passphrase_is_named(changed):
    with pytest.raises(PrivateKeyError, match="with a passphrase"):
        read_private_key(changed(WITH_PASSPHRASE))


@pytest.mark.parametrize(
    ("text", "said"),
    [
        pytest.param("", "holds no private key: no line -----BEGIN", id="nothing"),
        pytest.param("ENCRYPTED:bm8ga2V5", "holds no private key", id="something else"),
        pytest.param(KEYS["ssh-rsa"].export_public_key().decode(), "holds a public key, not the private", id="public"),
        pytest.param(KEYS["ssh-rsa"].export_public_key("pkcs8-pem").decode(), "holds a public key", id="public PEM"),
        pytest.param(EC_PARAMETERS, "holds no private key, but: EC PARAMETERS", id="only parameters"),
        pytest.param("PuTTY-User-Key-File-3: ssh-rsa\nEncryption: none", "PuTTY's format: convert it", id="PuTTY"),
        pytest.param(ED25519[:-10], "that is cut off", id="no end"),
        pytest.param(EC_PARAMETERS + ED25519[:60], "that is cut off", id="half"),
        pytest.param(ED25519.replace("MC4C", "AAAA"), r"a damaged private key \(PRIVATE KEY\)", id="damaged"),
        pytest.param(SECP256K1, "expected an Ed25519, RSA or ECDSA", id="a curve that SSH does not use"),
        pytest.param(
            asyncssh.generate_private_key("ssh-ed448").export_private_key("pkcs8-pem").decode(),
            "Ed448PrivateKey; expected an Ed25519, RSA or ECDSA",
            id="a kind that SSH does not use",
        ),
    ],
)
def test_anything_else_is_named_and_not_shown(text, said):
    with pytest.raises(PrivateKeyError, match=said) as error:
        read_private_key(text)

    assert [line for line in text.splitlines() if len(line) > 40 and line in str(error.value)] == []

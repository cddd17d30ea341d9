"""A private key for SSH, read from text in any form that OpenSSH and OpenSSL write."""

from __future__ import annotations

import io
import re

import paramiko  # type: ignore[import-untyped]
from cryptography.exceptions import UnsupportedAlgorithm
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import ec, ed25519, rsa

BLOCK = re.compile(r"-----BEGIN ([A-Z0-9 ]+)-----(.*?)-----END \1-----", re.DOTALL)
PRIVATE = "PRIVATE KEY"
OPENSSH = "OPENSSH PRIVATE KEY"
LINE_LENGTH = 64
KINDS = {
    ed25519.Ed25519PrivateKey: paramiko.Ed25519Key,
    rsa.RSAPrivateKey: paramiko.RSAKey,
    ec.EllipticCurvePrivateKey: paramiko.ECDSAKey,
}
SUPPORTED = "expected an Ed25519, RSA or ECDSA (P-256, P-384, P-521) key without a passphrase"


class PrivateKeyError(ValueError):
    """The text holds no key that can be used. The message continues "… holds"; it shows nothing of the text."""


def read_private_key(text: str) -> paramiko.PKey:
    """Read an Ed25519, RSA or ECDSA key: OpenSSH's format, PKCS #1, PKCS #8 or SEC 1, without a passphrase.

    Line ends do not matter: CRLF, ``\\n`` spelled out, blanks in their place (a key that was pasted into one line),
    or none at the end. Text around the key, such as a byte order mark, quotes or curve parameters, is skipped. Raises
    PrivateKeyError, which names what it found instead.
    """
    label, pem = _private_block(text)
    if "ENCRYPTED" in label or "ENCRYPTED" in pem:
        raise _with_passphrase()
    load = serialization.load_ssh_private_key if label == OPENSSH else serialization.load_pem_private_key
    try:
        key = load(pem.encode(), password=None)
    except TypeError:
        raise _with_passphrase() from None
    except UnsupportedAlgorithm as error:
        raise PrivateKeyError(f"holds a private key of a kind that SSH does not use ({error}); {SUPPORTED}") from None
    except ValueError:
        raise PrivateKeyError(f"holds a damaged private key ({label})") from None
    kind = next((kind for found, kind in KINDS.items() if isinstance(key, found)), None)
    if kind is None:
        raise PrivateKeyError(f"holds a key of the kind {type(key).__name__.strip('_')}; {SUPPORTED}")
    try:
        openssh = key.private_bytes(
            serialization.Encoding.PEM, serialization.PrivateFormat.OpenSSH, serialization.NoEncryption()
        )
        return kind.from_private_key(io.StringIO(openssh.decode()))
    except (paramiko.SSHException, UnsupportedAlgorithm, ValueError) as error:
        raise PrivateKeyError(f"holds a key that SSH does not use ({error}); {SUPPORTED}") from None


def _private_block(text: str) -> tuple[str, str]:
    """The first private key's label, and its PEM with lines as they should be."""
    lines = text.replace("\\r", "").replace("\\n", "\n")
    blocks = BLOCK.findall(lines)
    for label, body in blocks:
        if label.endswith(PRIVATE):
            return label, f"-----BEGIN {label}-----\n{_wrapped(body)}\n-----END {label}-----\n"
    raise PrivateKeyError(_what_it_is(lines, [label for label, _ in blocks]))


def _wrapped(body: str) -> str:
    headers, _, rest = body.rpartition("\n\n")
    if ":" in headers:  # those of an encrypted key of the old kind
        return f"{headers.strip()}\n\n{rest.strip()}"
    base64 = "".join(body.split())
    return "\n".join(base64[start : start + LINE_LENGTH] for start in range(0, len(base64), LINE_LENGTH))


def _with_passphrase() -> PrivateKeyError:
    return PrivateKeyError("holds a private key with a passphrase: store it without one (ssh-keygen -p -N '' -f FILE)")


def _what_it_is(text: str, labels: list[str]) -> str:
    if "PuTTY-User-Key-File" in text:
        return "holds a key in PuTTY's format: convert it (puttygen KEY.ppk -O private-openssh -o KEY.pem)"
    if re.search(r"\b(ssh-(rsa|ed25519|dss)|ecdsa-sha2-\S+) AAAA", text) or any("PUBLIC" in label for label in labels):
        return "holds a public key, not the private one"
    if f"{PRIVATE}-----" in text:
        return "holds a private key that is cut off: its BEGIN or END line is missing"
    if labels:
        return f"holds no private key, but: {labels[0]}"
    return "holds no private key: no line -----BEGIN … PRIVATE KEY-----"

"""What the extra of the source's connection says about TLS."""

from __future__ import annotations

import json
import ssl
from pathlib import Path

import pytest

from include.faults import LastingError
from include.posting.source_tls import TlsSettingsError, tls_of
from tests.certificates import Authority


@pytest.fixture(scope="module")
def pem(tmp_path_factory):
    authority = Authority.new(tmp_path_factory.mktemp("tls"))
    certificate, key = authority.issue("client")
    return {"ca": authority.certificate, "cert": certificate, "key": key}


def meaning(extra):
    """(is TLS used, must it be, is the certificate verified, must it be the host's)"""
    tls = tls_of(extra)
    if tls.context is None:
        return (False, tls.required, False, False)
    return (True, tls.required, tls.context.verify_mode == ssl.CERT_REQUIRED, tls.context.check_hostname)


OFFERED_AND_VERIFIED = (True, False, True, True)
VERIFIED = (True, True, True, True)
CHAIN_VERIFIED = (True, True, True, False)
ENCRYPTED = (True, True, False, False)
OFF = (False, False, False, False)


@pytest.mark.parametrize(
    ("extra", "expected"),
    [
        ({}, OFFERED_AND_VERIFIED),
        ({"charset": "utf8mb4", "cursor": "sscursor"}, OFFERED_AND_VERIFIED),
        ({"ssl": {}}, OFFERED_AND_VERIFIED),
        ({"ssl": "", "ssl_mode": ""}, OFFERED_AND_VERIFIED),
        ({"ssl": {"ca": ""}}, OFFERED_AND_VERIFIED),
        ({"ssl_mode": "DISABLED"}, OFF),
        ({"ssl_mode": "disabled", "ssl": {"ca": "CA"}}, OFF),
        ({"ssl": False}, OFF),
        ({"ssl": "false"}, OFF),
        ({"ssl_disabled": "true"}, OFF),
        ({"ssl_mode": "PREFERRED"}, (True, False, False, False)),
        ({"ssl_mode": "REQUIRED"}, ENCRYPTED),
        ({"ssl_mode": "REQUIRED", "ssl": {"ca": "CA"}}, CHAIN_VERIFIED),
        ({"ssl_mode": "REQUIRED", "ssl": {"ca": "CA", "verify_mode": "none"}}, ENCRYPTED),
        ({"ssl_mode": "VERIFY_CA"}, CHAIN_VERIFIED),
        ({"ssl_mode": "verify_identity", "ssl": {"ca": "CA"}}, VERIFIED),
        ({"ssl": True}, VERIFIED),
        ({"ssl": {"ca": "CA"}}, VERIFIED),
        ({"ssl": '{"ca": "CA", "cert": "CERT", "key": "KEY"}'}, VERIFIED),
        ({"ssl": {"ca": "CA", "check_hostname": False}}, CHAIN_VERIFIED),
        ({"ssl": {"ca": "CA", "check_hostname": "false"}}, CHAIN_VERIFIED),
        ({"ssl": {"ca": "CA", "verify_mode": False}}, ENCRYPTED),
        ({"ssl": {"ca": "CA", "verify_mode": "required"}}, VERIFIED),
        ({"ssl": {"ca": "PEM"}}, VERIFIED),
        ({"ssl": {"cipher": "ECDHE+AESGCM"}}, VERIFIED),
        ({"ssl_ca": "CA", "ssl_cert": "CERT", "ssl_key": "KEY"}, VERIFIED),
        ({"ssl_ca": "CA", "ssl_verify_identity": "false"}, CHAIN_VERIFIED),
        ({"ssl_ca": "CA", "ssl_verify_cert": False}, ENCRYPTED),
    ],
)
def test_meaning(extra, expected, pem):
    text = json.dumps(extra)
    for word, name in (("CA", "ca"), ("CERT", "cert"), ("KEY", "key")):
        text = text.replace(f'"{word}"', f'"{pem[name]}"').replace(f'\\"{word}\\"', f'\\"{pem[name]}\\"')
    text = text.replace('"PEM"', json.dumps(Path(pem["ca"]).read_text()))

    assert meaning(json.loads(text)) == expected


def test_a_given_authority_is_the_only_one(pem):
    assert len(tls_of({"ssl": {"ca": pem["ca"]}}).context.get_ca_certs()) == 1


@pytest.mark.parametrize(
    ("extra", "said"),
    [
        ({"ssl_mode": "on"}, "ssl_mode is 'on'; it must be one of DISABLED, PREFERRED, REQUIRED, VERIFY_CA"),
        ({"ssl": "/etc/ca.pem"}, "ssl is '/etc/ca.pem', which is neither an object nor the JSON text of one"),
        ({"ssl": ["ca"]}, "ssl is ['ca']; it must be an object of ca, capath, cert"),
        ({"ssl": {"cafile": "x"}}, "ssl.cafile is not known; known are ca, capath, cert"),
        ({"ssl_cafile": "x"}, "ssl_cafile is not known"),
        ({"ssl": {"ca": "/no/such.pem"}}, "No such file or directory (ca '/no/such.pem')"),
        ({"ssl": {"check_hostname": "perhaps"}}, "check_hostname is 'perhaps'; it must be true or false"),
        ({"ssl_disabled": "perhaps"}, "ssl_disabled is 'perhaps'"),
        ({"ssl": {"cipher": "no-such-cipher"}}, "no-such-cipher"),
    ],
)
def test_what_makes_no_sense_is_named(extra, said):
    with pytest.raises(TlsSettingsError) as error:
        tls_of(extra)

    assert said in str(error.value)
    assert isinstance(error.value, LastingError)


def test_the_password_of_a_key_is_not_said(pem):
    with pytest.raises(TlsSettingsError) as error:
        tls_of({"ssl": {"cert": pem["cert"], "key": "/no/such.pem", "password": "s3cret"}})

    assert "s3cret" not in str(error.value)

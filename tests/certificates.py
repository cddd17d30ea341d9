"""Certificates of an authority of the tests' own, as PEM files."""

from __future__ import annotations

import datetime
import ipaddress
from dataclasses import dataclass
from pathlib import Path

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

DAY = datetime.timedelta(days=1)


@dataclass(frozen=True)
class Authority:
    """Signs certificates; ``certificate`` is the path of its own."""

    folder: Path
    name: str = "ca"

    @property
    def certificate(self) -> str:
        return str(self.folder / f"{self.name}.pem")

    @classmethod
    def new(cls, folder: Path, name: str = "ca") -> Authority:
        key = ec.generate_private_key(ec.SECP256R1())
        subject = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, name)])
        signed = _builder(subject, subject, key).add_extension(x509.BasicConstraints(True, None), critical=True)
        _write(folder, name, key, signed.sign(key, hashes.SHA256()))
        return cls(folder, name)

    def issue(self, name: str, host: str | None = None) -> tuple[str, str]:
        """The paths of a certificate and its key, for a host's name or address, or for a client."""
        key = ec.generate_private_key(ec.SECP256R1())
        own = serialization.load_pem_private_key((self.folder / f"{self.name}-key.pem").read_bytes(), password=None)
        issuer = x509.load_pem_x509_certificate(Path(self.certificate).read_bytes()).subject
        builder = _builder(x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, name)]), issuer, key)
        if host is not None:
            builder = builder.add_extension(x509.SubjectAlternativeName([_general_name(host)]), critical=False)
        _write(self.folder, name, key, builder.sign(own, hashes.SHA256()))
        return str(self.folder / f"{name}.pem"), str(self.folder / f"{name}-key.pem")


def _builder(subject, issuer, key) -> x509.CertificateBuilder:
    now = datetime.datetime.now(datetime.UTC)
    return (
        x509.CertificateBuilder()
        .subject_name(subject)
        .issuer_name(issuer)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - DAY)
        .not_valid_after(now + DAY)
    )


def _general_name(host: str) -> x509.GeneralName:
    try:
        return x509.IPAddress(ipaddress.ip_address(host))
    except ValueError:
        return x509.DNSName(host)


def _write(folder: Path, name: str, key, certificate: x509.Certificate) -> None:
    (folder / f"{name}.pem").write_bytes(certificate.public_bytes(serialization.Encoding.PEM))
    (folder / f"{name}-key.pem").write_bytes(
        key.private_bytes(serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption())
    )

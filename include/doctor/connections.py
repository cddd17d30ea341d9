"""Whether an Airflow connection has what the pipeline needs of it. No message holds a secret, and none is passed in."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from ipaddress import ip_address
from typing import Any
from urllib.parse import urlsplit

from include.doctor.remark import Finding
from include.posting.source_tls import TlsSettingsError, tls_of

AWS = "aws_default"
SOURCE = "pinterest_source"
DATABRICKS = "databricks_default"

LOGINS_OF_DATABRICKS = (
    *("token", "service_principal_oauth", "federated_aws", "federated_k8s"),
    *("azure_tenant_id", "use_azure_managed_identity", "azure_default_credential"),
)
"""Keys of the extra that say how to log in without the connection's password."""


@dataclass(frozen=True)
class Connection:
    """A connection without its password. ``extra`` is None if it is no JSON object."""

    conn_type: str
    host: str = ""
    login: str = ""
    schema: str = ""
    has_password: bool = False
    extra: Mapping[str, Any] | None = None

    @classmethod
    def of(cls, *, password: str | None, extra: str | None, **said: str | None) -> Connection:
        """A connection as Airflow keeps it: any part may be None, and ``extra`` is JSON text."""
        parts = {name: value or "" for name, value in said.items()}
        return cls(has_password=bool(password), extra=_as_object(extra), **parts)


def of_aws(found: Connection | None) -> Iterator[Finding]:
    """``aws_default``. Without one, the credentials of the machine or of the environment's role count."""
    if found is None:
        return
    yield from _type_and_extra(AWS, found, ("aws",))
    if bool(found.login) != found.has_password:
        yield Finding(
            f"connection {AWS}: it has " + ("a login and no password" if found.login else "a password and no login"),
            "give it both (access key id and secret access key), or neither: then the role of the machine counts",
        )


def of_source(found: Connection | None) -> Iterator[Finding]:
    """``pinterest_source``, the database with the three tables."""
    if found is None:
        yield _missing(SOURCE, "mysql", "host, login, password and schema of the database: docs/settings.md")
        return
    yield from _type_and_extra(SOURCE, found, ("mysql",))
    yield from _lacking(SOURCE, found, ("host", "login", "schema"))
    try:
        tls_of(found.extra or {})
    except TlsSettingsError as error:
        yield Finding(f"connection {SOURCE}, extra: {error}", "correct it as docs/settings.md says")


def of_databricks(found: Connection | None) -> Iterator[Finding]:
    """``databricks_default``, the workspace."""
    if found is None:
        yield _missing(DATABRICKS, "databricks", "the workspace's address as host, and a token as password")
        return
    yield from _type_and_extra(DATABRICKS, found, ("databricks",))
    yield from _lacking(DATABRICKS, found, ("host",))
    if not found.has_password and not any((found.extra or {}).get(name) for name in LOGINS_OF_DATABRICKS):
        yield Finding(
            f"connection {DATABRICKS}: it has no token",
            "set a token as password, or a service principal's id and secret as login and password with "
            '"service_principal_oauth": true in the extra',
        )
    host = urlsplit(found.host if "//" in found.host else f"//{found.host}").hostname or ""
    if "http" in (found.schema, urlsplit(found.host).scheme) and not is_this_machine(host):
        yield Finding(f"connection {DATABRICKS}: the token goes to {host} in plain text", "set its schema to https")


def is_this_machine(host: str) -> bool:
    """Whether what is sent to a host does not leave the machine."""
    try:
        return host == "localhost" or ip_address(host).is_loopback
    except ValueError:
        return False


def _type_and_extra(name: str, found: Connection, types: tuple[str, ...]) -> Iterator[Finding]:
    if found.conn_type not in types:
        yield Finding(f"connection {name}: its type is {found.conn_type!r}", f"set it to {types[0]!r}")
    if found.extra is None:
        yield Finding(f"connection {name}: its extra is no JSON object", 'correct it, such as {"key": "value"}')


def _lacking(name: str, found: Connection, parts: tuple[str, ...]) -> Iterator[Finding]:
    lacking = [part for part in parts if not getattr(found, part)]
    if lacking:
        yield Finding(f"connection {name}: it has no {', '.join(lacking)}", "set it")


def _missing(name: str, conn_type: str, what: str) -> Finding:
    return Finding(f"connection {name} is missing", f"make it (type {conn_type}) with {what}")


def _as_object(extra: str | None) -> Mapping[str, Any] | None:
    try:
        found = json.loads(extra or "{}")
    except ValueError:
        return None
    return found if isinstance(found, dict) else None

"""How the source database is reached, and what its refusals mean."""

from __future__ import annotations

import ssl
from collections.abc import Mapping
from typing import Any

from pymysql.connections import Connection
from pymysql.constants import CLIENT
from pymysql.converters import encoders
from pymysql.err import OperationalError
from sqlalchemy import Engine, create_engine, event
from sqlalchemy.engine import URL
from sqlalchemy.exc import DBAPIError, SQLAlchemyError

from include.faults import LastingError
from include.posting.source_tls import tls_of

NO_TLS_OFFERED = 2026  # what MySQL's own client says then
TLS_WANTED = 'see "ssl" and "ssl_mode" in docs/settings.md'
CAME_BACK = "check that the database is up, then run the task again; it continues where it stopped"

LASTING_ADVICE = {
    1044: "grant this user SELECT on the database, or correct the connection's schema",
    1045: "correct the login and password of the connection. If they are right, the user may have to use TLS, or a "
    f"client certificate: {TLS_WANTED}",
    1049: "correct the connection's schema",
    1054: "correct the connection's schema, or give the table the columns of docs/data.md",
    1142: "grant this user SELECT on the three source tables",
    1143: "grant this user SELECT on all columns of the three source tables",
    1146: "correct the connection's schema, or load the source tables",
    3159: f"the server takes no connection without TLS, and the connection's extra turns it off: {TLS_WANTED}",
    NO_TLS_OFFERED: f"switch TLS on in the server, or do not require it: {TLS_WANTED}",
}
PASSING_ADVICE = {
    2003: "check the connection's host and port, and that the database is up and reachable",
    2006: CAME_BACK,
    2013: CAME_BACK,
}
CUT_OFF = frozenset({1053, 1317, 1927})
"""The server shut down, or somebody killed the query or the connection. SQLAlchemy knows other ways to be cut off."""

UNVERIFIED = (
    "the server's TLS certificate is not trusted: give the authority that signed it, as the path of a PEM file or as "
    'its text, in the connection\'s extra: {"ssl": {"ca": "…"}} (for RDS, AWS\' bundle). To connect without, '
    f"{TLS_WANTED}"
)
UNIDENTIFIED = (
    "the server's TLS certificate is for another host: set the connection's host to a name in it, or its extra to "
    f'{{"ssl_mode": "VERIFY_CA"}}: {TLS_WANTED}'
)


class SourceError(RuntimeError):
    """The source cannot be read. The message names the connection and says what to do; it contains no password."""


class LastingSourceError(LastingError, SourceError):
    """The source cannot be read until somebody changes it, or the connection."""


class EncryptedConnection(Connection):  # type: ignore[misc]  # PyMySQL has no types
    """Does not log in to a server that offers no TLS, where PyMySQL would do so in plain text."""

    def _request_authentication(self) -> None:
        if not self.server_capabilities & CLIENT.SSL:
            raise OperationalError(NO_TLS_OFFERED, "TLS is required, and the server does not offer it")
        super()._request_authentication()


def source_engine(
    *, host: str, port: int, login: str, password: str, schema: str, extra: Mapping[str, Any] | None = None
) -> Engine:
    """Create an engine for a MySQL or MariaDB server, without connecting. Neither SQL nor parameters reach a log.

    Sessions are in UTC, so TIMESTAMP is; values come as the text that the server prints, or as bytes.

    :param extra: of the Airflow connection; says how to use TLS, see :func:`~include.posting.source_tls.tls_of`, which
        raises TlsSettingsError
    """
    url = URL.create(
        "mysql+pymysql",
        username=login,
        password=password,
        host=host,
        port=port,
        database=schema,
        query={"charset": "utf8mb4"},
    )
    tls = tls_of(extra or {})
    engine = create_engine(
        url,
        isolation_level="AUTOCOMMIT",
        hide_parameters=True,
        pool_size=1,
        connect_args={
            "connect_timeout": 10,
            "read_timeout": 60,
            "conv": encoders,
            "init_command": "SET time_zone = '+00:00'",
            "ssl": tls.context,
            "ssl_disabled": tls.context is None,
        },
    )
    if tls.required:
        event.listen(engine, "do_connect", lambda _dialect, _record, args, named: EncryptedConnection(*args, **named))
    return engine


def address(engine: Engine) -> str:
    """The server, user and schema for a message, without the password."""
    url = engine.url
    return f"{url.username}@{url.host}:{url.port}/{url.database}" if url.host else str(url.database)


def is_cut_off(error: SQLAlchemyError) -> bool:
    """Whether the connection was lost, so that the same query may succeed over a new one."""
    return isinstance(error, DBAPIError) and (error.connection_invalidated or _code(_cause(error)) in CUT_OFF)


def source_error(error: SQLAlchemyError | UnicodeDecodeError, said_first: str) -> SourceError:
    """The error as one of ours, with its cause and what to do, behind ``said_first``."""
    cause = _cause(error)
    lasting, advice = _judged(cause)
    kind = LastingSourceError if lasting else SourceError
    return kind(f"{said_first}: {cause}. What to do: {advice}.")


def _judged(cause: BaseException) -> tuple[bool, str]:
    """Whether it lasts, and what to do."""
    code, beneath = _code(cause), getattr(cause, "original_exception", None)
    if isinstance(beneath, ssl.SSLCertVerificationError):
        return True, UNVERIFIED if "match" not in beneath.verify_message else UNIDENTIFIED
    if isinstance(beneath, ssl.SSLError) and not isinstance(beneath, (ssl.SSLEOFError, ssl.SSLZeroReturnError)):
        return True, f"let server and connection agree on TLS: {TLS_WANTED}"
    if isinstance(cause, UnicodeDecodeError):
        return True, "correct the text in the table: its bytes are not text in the column's character set"
    if code in LASTING_ADVICE:
        return True, LASTING_ADVICE[code]
    return False, PASSING_ADVICE.get(code, "correct the connection, or the database")


def _cause(error: BaseException) -> BaseException:
    return error.orig if isinstance(error, DBAPIError) and error.orig is not None else error


def _code(cause: BaseException) -> int:
    return cause.args[0] if cause.args and isinstance(cause.args[0], int) else 0

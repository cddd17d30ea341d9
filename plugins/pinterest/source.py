"""The source database, by its Airflow connection."""

from __future__ import annotations

from airflow.providers.common.compat.sdk import BaseHook

from include.posting.source_connection import LastingSourceError, source_engine
from include.posting.source_tables import SourceTables
from include.posting.source_tls import TlsSettingsError


def source_tables(connection_id: str) -> SourceTables:
    """The three tables. Nothing is connected before the first query.

    Raises LastingSourceError for a connection that lacks something, or whose extra says nothing about TLS that can be.
    """
    connection = BaseHook.get_connection(connection_id)
    missing = [name for name in ("host", "login", "schema") if not getattr(connection, name)]
    if missing:
        raise LastingSourceError(f"Connection {connection_id!r} has no {', '.join(missing)}: set it")
    try:
        engine = source_engine(
            host=str(connection.host),
            port=connection.port or 3306,
            login=str(connection.login),
            password=connection.password or "",
            schema=str(connection.schema),
            extra=connection.extra_dejson,
        )
    except TlsSettingsError as error:
        raise LastingSourceError(f"Connection {connection_id!r}, extra: {error}") from error
    return SourceTables(engine, connection_id=connection_id)

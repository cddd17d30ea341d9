"""The three source tables: reads the rows of drawn keys in batches, as the JSON to post."""

from __future__ import annotations

import json
from collections.abc import Sequence
from typing import Any, NamedTuple, NoReturn, Self

from pymysql.constants import FIELD_TYPE
from pymysql.converters import conversions
from sqlalchemy import ColumnClause, Connection, Engine, Select, bindparam, column, create_engine, select, table
from sqlalchemy.engine import URL
from sqlalchemy.exc import DBAPIError, SQLAlchemyError

from include.settings import Entity

AS_PRINTED = {
    kind: decode for kind, decode in conversions.items() if kind not in (FIELD_TYPE.DATETIME, FIELD_TYPE.TIMESTAMP)
}


class SourceTable(NamedTuple):
    """A table, its key (the post's ``ind``, first column) and its other columns in posting order."""

    name: str
    key: str
    columns: tuple[str, ...]

    def rows_of_keys(self) -> Select[Any]:
        columns: list[ColumnClause[Any]] = [column(name) for name in (self.key, *self.columns)]
        return select(*columns).select_from(table(self.name)).where(columns[0].in_(bindparam("keys", expanding=True)))


SOURCE_TABLES: dict[Entity, SourceTable] = {
    "pin": SourceTable(
        "pinterest_data",
        "index",
        (
            "unique_id",
            "title",
            "description",
            "poster_name",
            "follower_count",
            "tag_list",
            "is_image_or_video",
            "image_src",
            "downloaded",
            "save_location",
            "category",
        ),
    ),
    "geo": SourceTable("geolocation_data", "ind", ("timestamp", "latitude", "longitude", "country")),
    "user": SourceTable("user_data", "ind", ("first_name", "last_name", "age", "date_joined")),
}

ADVICE = {
    1044: "grant this user SELECT on the database, or correct the connection's schema",
    1045: "correct the login and password of the connection",
    1049: "correct the connection's schema",
    1142: "grant this user SELECT on the three source tables",
    1146: "correct the connection's schema, or load the source tables",
    2003: "check the connection's host and port, and that the database is up and reachable",
    2006: "check that the database is up, then run the task again; it continues where it stopped",
    2013: "check that the database is up, then run the task again; it continues where it stopped",
}


class SourceError(RuntimeError):
    """The source cannot be read. The message names the connection and says what to do; it contains no password."""


class SourceTables:
    """Reads over one connection, opened at the first read and reopened once if the server has dropped it.

    Rows are cached: a key that is drawn again costs no query and is posted unchanged. The sequence's 11,001 keys have
    33,003 rows, about 20 MB.

    :param engine: the database that holds the tables, see :func:`source_engine`
    :param connection_id: the name to use in error messages
    """

    def __init__(self, engine: Engine, *, connection_id: str) -> None:
        self._engine = engine
        self._connection_id = connection_id
        self._connection: Connection | None = None
        self._rows: dict[Entity, dict[int, bytes]] = {entity: {} for entity in SOURCE_TABLES}
        self._encode = json.JSONEncoder(separators=(",", ":")).encode
        self._selects = {entity: source.rows_of_keys() for entity, source in SOURCE_TABLES.items()}

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        if self._connection is not None:
            self._connection.close()
            self._connection = None
        self._engine.dispose()

    def read(self, entity: Entity, keys: Sequence[int]) -> dict[int, bytes]:
        """Return the rows by key, each a JSON object of its columns. Keys that the table does not hold are absent.

        Runs at most one query. Datetimes are text as the source prints them, ``2022-01-01 02:26:50``.
        """
        rows = self._rows[entity]
        unread = [key for key in dict.fromkeys(keys) if key not in rows]
        if unread:
            names = (SOURCE_TABLES[entity].key, *SOURCE_TABLES[entity].columns)
            for row in self._query(entity, unread):
                rows[row[0]] = self._encode(dict(zip(names, row, strict=True))).encode()
        return {key: rows[key] for key in keys if key in rows}

    def _query(self, entity: Entity, keys: list[int]) -> Sequence[tuple[Any, ...]]:
        for may_reconnect in (self._connection is not None, False):
            try:
                if self._connection is None:
                    self._connection = self._engine.connect()
                return self._connection.execute(self._selects[entity], {"keys": keys}).tuples().all()
            except SQLAlchemyError as error:
                dropped = isinstance(error, DBAPIError) and error.connection_invalidated
                self._forget_connection()
                if not (dropped and may_reconnect):
                    self._fail(entity, error)
        raise AssertionError("unreachable: the last try returns or raises")

    def _forget_connection(self) -> None:
        if self._connection is not None:
            self._connection.invalidate()
            self._connection.close()
            self._connection = None

    def _fail(self, entity: Entity, error: SQLAlchemyError) -> NoReturn:
        cause = error.orig if isinstance(error, DBAPIError) and error.orig is not None else error
        code = cause.args[0] if cause.args else None
        advice = ADVICE.get(code, "correct the connection, or the database") if isinstance(code, int) else "correct it"
        raise SourceError(
            f"Connection {self._connection_id!r} ({_address(self._engine.url)}): table "
            f"{SOURCE_TABLES[entity].name} cannot be read: {cause}. What to do: {advice}."
        ) from error


def source_engine(*, host: str, port: int, login: str, password: str, schema: str) -> Engine:
    """Create an engine for a MySQL or MariaDB server, without connecting. Neither SQL nor parameters reach a log."""
    url = URL.create(
        "mysql+pymysql",
        username=login,
        password=password,
        host=host,
        port=port,
        database=schema,
        query={"charset": "utf8mb4"},
    )
    return create_engine(
        url,
        isolation_level="AUTOCOMMIT",
        hide_parameters=True,
        pool_size=1,
        connect_args={"connect_timeout": 10, "read_timeout": 60, "conv": AS_PRINTED},
    )


def _address(url: URL) -> str:
    return f"{url.username}@{url.host}:{url.port}/{url.database}" if url.host else str(url.database)

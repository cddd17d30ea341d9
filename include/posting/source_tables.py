"""The three source tables: reads the rows of drawn keys in batches, as the JSON to post."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any, NamedTuple, Self

from sqlalchemy import (
    ColumnElement,
    Connection,
    Engine,
    Select,
    bindparam,
    column,
    func,
    literal,
    literal_column,
    select,
    table,
)
from sqlalchemy.exc import SQLAlchemyError

from include.posting.source_connection import LastingSourceError, SourceError, address, is_cut_off, source_error
from include.posting.source_types import NULL, Column, Encode, FieldKind, encoder, problem, whole_key
from include.settings import Entity

COLUMNS = table(
    "columns",
    *map(column, ("table_schema", "table_name", "column_name", "data_type", "column_type", "is_nullable")),
    column("ordinal_position"),
    schema="information_schema",
)


class SourceTable(NamedTuple):
    """A table, its key (the post's ``ind``, first column) and its other columns in posting order, with their kinds."""

    name: str
    key: str
    kinds: Mapping[str, FieldKind]

    @property
    def columns(self) -> tuple[str, ...]:
        return tuple(self.kinds)


SOURCE_TABLES: dict[Entity, SourceTable] = {
    "pin": SourceTable(
        "pinterest_data",
        "index",
        {
            "unique_id": "text",
            "title": "text",
            "description": "text",
            "poster_name": "text",
            "follower_count": "text",
            "tag_list": "text",
            "is_image_or_video": "text",
            "image_src": "text",
            "downloaded": "integer",
            "save_location": "text",
            "category": "text",
        },
    ),
    "geo": SourceTable(
        "geolocation_data",
        "ind",
        {"timestamp": "datetime", "latitude": "double", "longitude": "double", "country": "text"},
    ),
    "user": SourceTable(
        "user_data",
        "ind",
        {"first_name": "text", "last_name": "text", "age": "integer", "date_joined": "datetime"},
    ),
}


class Reading(NamedTuple):
    """How the rows of one table are read: the query, and what makes each of its columns a field of the JSON."""

    select: Select[Any]
    fields: tuple[tuple[str, Encode], ...]

    def json_of(self, row: Sequence[Any]) -> str:
        values = [
            f'"{name}":{NULL if value is None else encode(value)}'
            for (name, encode), value in zip(self.fields, row, strict=True)
        ]
        return f"{{{','.join(values)}}}"


class SourceTables:
    """Reads over one connection, opened at the first read and reopened once if it was cut off, also in mid-result.

    Rows are cached: a key that is drawn again costs no query and is posted unchanged, whatever became of its row since.
    The sequence's 11,001 keys have 33,003 rows, about 20 MB.

    :param engine: the database that holds the tables, see :func:`~include.posting.source_connection.source_engine`
    :param connection_id: the name to use in error messages
    """

    def __init__(self, engine: Engine, *, connection_id: str) -> None:
        self._engine = engine
        self._connection_id = connection_id
        self._connection: Connection | None = None
        self._rows: dict[Entity, dict[int, bytes]] = {entity: {} for entity in SOURCE_TABLES}
        self._readings: dict[Entity, Reading] = {}
        self.ambiguous: dict[Entity, set[int]] = {entity: set() for entity in SOURCE_TABLES}
        """Keys read so far for which the table holds rows that differ."""

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        if self._connection is not None:
            self._connection.close()
            self._connection = None
        self._engine.dispose()

    def check(self) -> list[str]:
        """Check that all three tables can be posted; return what is odd about them and no fault.

        Raises one LastingSourceError for everything that cannot be posted: missing columns, columns of types that have
        no JSON or not the one that the lake reads, empty tables. SourceError if the source does not answer.
        """
        problems: list[str] = []
        notes: list[str] = []
        for entity in SOURCE_TABLES:
            found = self._columns(entity)
            wrong = _problems(entity, found)
            if not wrong and not self._holds_a_row(entity):
                wrong = [f"{SOURCE_TABLES[entity].name} is empty. What to do: load its rows."]
            problems += wrong
            if not wrong:
                notes += self._rows_without_a_key(entity, found)
        if problems:
            raise LastingSourceError(f"{self._named}: the source tables cannot be posted. {' '.join(problems)}")
        return notes

    def read(self, entity: Entity, keys: Sequence[int]) -> dict[int, bytes]:
        """Return the rows by key, each a JSON object of its columns. Keys that the table does not hold are absent.

        Runs at most one query, and at the first read of a connection one more. Of rows that share a key, the one whose
        JSON sorts last counts.
        """
        rows = self._rows[entity]
        unread = [key for key in dict.fromkeys(keys) if key not in rows]
        if unread:
            rows.update(self._over_one_connection(entity, lambda connection: self._query(connection, entity, unread)))
        return {key: rows[key] for key in keys if key in rows}

    def _query(self, connection: Connection, entity: Entity, keys: list[int]) -> dict[int, bytes]:
        if entity not in self._readings:
            found = _columns(connection, entity)
            problems = _problems(entity, found)
            if problems:
                raise LastingSourceError(f"{self._named}: {' '.join(problems)}")
            self._readings[entity] = _reading(entity, found)
        reading = self._readings[entity]
        rows: dict[int, bytes] = {}
        for row in connection.execute(reading.select, {"keys": keys}).tuples():
            try:
                key, value = int(whole_key(row[0])), reading.json_of(row).encode()
            except (ValueError, ArithmeticError, TypeError) as error:
                raise SourceError(
                    f"{self._named}: table {SOURCE_TABLES[entity].name}, row {row[0]}: {error}. The table was changed "
                    "while it was read. What to do: run the task again; it continues where it stopped."
                ) from error
            if rows.setdefault(key, value) != value:
                self.ambiguous[entity].add(key)
                rows[key] = max(rows[key], value)
        return rows

    def _columns(self, entity: Entity) -> dict[str, Column]:
        return self._over_one_connection(entity, lambda connection: _columns(connection, entity))

    def _holds_a_row(self, entity: Entity) -> bool:
        query = select(literal(1)).select_from(table(SOURCE_TABLES[entity].name)).limit(1)
        return self._over_one_connection(entity, lambda connection: connection.scalar(query)) is not None

    def _rows_without_a_key(self, entity: Entity, found: Mapping[str, Column]) -> list[str]:
        name, key, _ = SOURCE_TABLES[entity]
        if not found[key].nullable:
            return []
        query = select(func.count()).select_from(table(name)).where(column(key).is_(None))
        count = int(self._over_one_connection(entity, lambda connection: connection.scalar(query)) or 0)
        return [f"{name} holds {count} rows whose {key} is NULL: they can never be drawn"] if count else []

    def _over_one_connection[T](self, entity: Entity, ask: Callable[[Connection], T]) -> T:
        for may_ask_again in (True, False):
            try:
                if self._connection is None:
                    self._connection = self._engine.connect()
                return ask(self._connection)
            except (SQLAlchemyError, UnicodeDecodeError) as error:
                was_connected = self._connection is not None
                self._forget_connection()
                is_lost = isinstance(error, SQLAlchemyError) and is_cut_off(error)
                if not (is_lost and was_connected and may_ask_again):
                    said_first = f"{self._named}: table {SOURCE_TABLES[entity].name} cannot be read"
                    raise source_error(error, said_first) from error
        raise AssertionError("unreachable: the last try returns or raises")

    def _forget_connection(self) -> None:
        """Also what it said about the tables: behind the next connection may be another server."""
        self._readings.clear()
        if self._connection is not None:
            self._connection.invalidate()
            self._connection.close()
            self._connection = None

    @property
    def _named(self) -> str:
        return f"Connection {self._connection_id!r} ({address(self._engine)})"


def _columns(connection: Connection, entity: Entity) -> dict[str, Column]:
    """The columns that the table has and the user may read, by their names in small letters: MySQL ignores the case."""
    of_table = (
        select(COLUMNS.c.column_name, COLUMNS.c.data_type, COLUMNS.c.column_type, COLUMNS.c.is_nullable)
        .where(COLUMNS.c.table_schema == func.database(), COLUMNS.c.table_name == SOURCE_TABLES[entity].name)
        .order_by(COLUMNS.c.ordinal_position)
    )
    return {
        name.lower(): Column(name, type_.lower(), full_type, nullable == "YES")
        for name, type_, full_type, nullable in connection.execute(of_table).tuples()
    }


def _problems(entity: Entity, found: Mapping[str, Column]) -> list[str]:
    source = SOURCE_TABLES[entity]
    if not found:
        return [
            f"There is no table {source.name}, or this user may not read it. What to do: correct the connection's "
            "schema, load the source tables, or grant this user SELECT on them."
        ]
    problems = []
    for name, kind in _kinds(source).items():
        if name not in found:
            has = ", ".join(one.name for one in found.values())
            problems.append(
                f"{source.name} has no column {name} that this user may read; it has {has}. What to do: add the "
                "column, or grant this user SELECT on it."
            )
        elif said := problem(source.name, found[name], kind):
            problems.append(said)
    return problems


def _reading(entity: Entity, found: Mapping[str, Column]) -> Reading:
    source = SOURCE_TABLES[entity]
    kinds = _kinds(source)
    expressions = [_expression(name, found[name]) for name in kinds]
    query = select(*expressions).select_from(table(source.name))
    return Reading(
        query.where(column(source.key).in_(bindparam("keys", expanding=True))),
        tuple((name, encoder(found[name], kind)) for name, kind in kinds.items()),
    )


def _kinds(source: SourceTable) -> dict[str, FieldKind]:
    return {source.key: "key", **source.kinds}


def _expression(name: str, of: Column) -> ColumnElement[Any]:
    """A FLOAT as a DOUBLE: the server prints only six of its digits."""
    if of.type == "float":
        return column(name).op("+")(literal_column("0e0")).label(name)
    return column(name)

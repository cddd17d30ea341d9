"""The source tables in SQLite, described as MySQL's ``information_schema`` describes its own."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

from sqlalchemy import Engine, create_engine, event

from include.posting.source_tables import SOURCE_TABLES

SCHEMA = "pinterest_data"
TYPES = {"text": "text", "integer": "int(11)", "datetime": "datetime", "double": "float"}
COLUMNS: dict[str, dict[str, str]] = {
    table.name: {table.key: "int(11)", **{name: TYPES[kind] for name, kind in table.kinds.items()}}
    for table in SOURCE_TABLES.values()
}
DESCRIPTION = "table_schema, table_name, column_name, data_type, column_type, is_nullable, ordinal_position"


def source_database(folder: Path, columns: Mapping[str, Mapping[str, str]] = COLUMNS) -> Engine:
    """An engine for the database in this folder, with tables of these columns. Types are only described: a column
    stores whatever is put into it."""
    engine = create_engine(f"sqlite:///{folder}/source.db")

    @event.listens_for(engine, "connect")
    def connect(connection: Any, _record: object) -> None:
        connection.create_function("database", 0, lambda: SCHEMA)
        connection.execute(f"ATTACH '{folder}/information_schema.db' AS information_schema")

    with engine.begin() as connection:
        connection.exec_driver_sql(f"CREATE TABLE IF NOT EXISTS information_schema.columns ({DESCRIPTION})")
        connection.exec_driver_sql("DELETE FROM information_schema.columns")
        for table, types in columns.items():
            names = ", ".join(f"`{name}`" for name in types)
            connection.exec_driver_sql(f"CREATE TABLE IF NOT EXISTS `{table}` ({names})")
            for position, (name, full_type) in enumerate(types.items(), 1):
                described = (SCHEMA, table, name, full_type.partition("(")[0], full_type, "YES", position)
                connection.exec_driver_sql(
                    "INSERT INTO information_schema.columns VALUES (?, ?, ?, ?, ?, ?, ?)", described
                )
    return engine


def insert(engine: Engine, table: str, rows: Iterable[Sequence[Any]]) -> None:
    rows = [tuple(row) for row in rows]
    with engine.begin() as connection:
        connection.exec_driver_sql(f"INSERT INTO `{table}` VALUES ({', '.join('?' * len(rows[0]))})", rows)

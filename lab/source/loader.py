"""Loads the source rows into the database once; a second call finds them and does nothing."""

from __future__ import annotations

import hashlib
from pathlib import Path

import pymysql

from lab.progress import Work
from lab.source.generator import source_rows
from lab.source.tables import TABLES

MARK = "lab_source_version"


def version() -> str:
    """A digest of this package's files, so that it changes whenever the rows could."""
    digest = hashlib.sha256()
    for path in sorted(Path(__file__).parent.rglob("*")):
        if path.suffix in (".py", ".jsonl"):
            digest.update(path.read_bytes())
    return digest.hexdigest()[:16]


def load(connection: pymysql.Connection, work: Work) -> None:
    """Replace the rows of all tables in one transaction, unless this version is already loaded.

    The version is kept in a schema of its own: the pipeline's schema holds the three tables and nothing else.
    """
    with connection.cursor() as cursor:
        cursor.execute(f"CREATE DATABASE IF NOT EXISTS {MARK}")
        cursor.execute(f"CREATE TABLE IF NOT EXISTS {MARK}.loaded (version CHAR(16) PRIMARY KEY)")
        cursor.execute(f"SELECT version FROM {MARK}.loaded")
        if cursor.fetchall() == ((version(),),):
            return
        for table in TABLES:
            cursor.execute(table.create)
        rows = source_rows()
        for table in TABLES:
            cursor.execute(f"DELETE FROM `{table.name}`")
            cursor.executemany(
                table.insert, [tuple(row[column] for column in table.columns) for row in rows[table.name]]
            )
            work.write(f"{table.name}: {len(rows[table.name])} rows")
        cursor.execute(f"DELETE FROM {MARK}.loaded")
        cursor.execute(f"INSERT INTO {MARK}.loaded VALUES (%s)", [version()])
    connection.commit()

"""What a posting task reads and writes: the source tables, in SQLite, and the bucket, in memory."""

from __future__ import annotations

from airflow.models.connection import Connection

from pinterest import source
from tests.source_database import COLUMNS, insert, source_database

PASSWORD = "s3cret-of-the-reader"
SEED_100 = [7528, 2863, 5730, 8304, 8731, 1313, 4315, 10794, 5494, 5069, 2923, 3089, 6063, 3454, 7554, 6145]
ROWS = 11_154
VALUES = {"int(11)": 1, "float": 1.5, "datetime": "2018-03-01 09:30:00", "text": "x"}


def serve_source(folder, monkeypatch):
    engine = source_database(folder)
    for table, (_, *types) in ((table, columns.values()) for table, columns in COLUMNS.items()):
        row = [VALUES[of] for of in types]
        insert(engine, table, ([key, *row] for key in range(ROWS)))
    connection = Connection(
        conn_id="pinterest_source",
        conn_type="mysql",
        host="db",
        login="reader",
        password=PASSWORD,
        schema="pinterest_data",
    )
    monkeypatch.setattr(source.BaseHook, "get_connection", lambda _: connection)
    monkeypatch.setattr(source, "source_engine", lambda **_: engine)

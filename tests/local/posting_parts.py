"""What a posting task reads and writes: the source tables, in SQLite, and the bucket, in memory."""

from __future__ import annotations

from airflow.models.connection import Connection
from sqlalchemy import create_engine

from pinterest.operators import posting

PASSWORD = "s3cret-of-the-reader"
SEED_100 = [7528, 2863, 5730, 8304, 8731, 1313, 4315, 10794, 5494, 5069, 2923, 3089, 6063, 3454, 7554, 6145]
ROWS = 11_154
TABLES = {
    "pinterest_data": "`index`, unique_id, title, description, poster_name, follower_count, tag_list, "
    "is_image_or_video, image_src, downloaded, save_location, category",
    "geolocation_data": "ind, timestamp, latitude, longitude, country",
    "user_data": "ind, first_name, last_name, age, date_joined",
}


def serve_source(folder, monkeypatch):
    engine_url = f"sqlite:///{folder}/source.db"
    with create_engine(engine_url).begin() as database:
        for name, columns in TABLES.items():
            database.exec_driver_sql(f"CREATE TABLE {name} ({columns})")
            width = columns.count(",")
            rows = [(key, *["x"] * width) for key in range(ROWS)]
            database.exec_driver_sql(f"INSERT INTO {name} VALUES ({', '.join('?' * (width + 1))})", rows)
    connection = Connection(
        conn_id="pinterest_source",
        conn_type="mysql",
        host="db",
        login="reader",
        password=PASSWORD,
        schema="pinterest_data",
    )
    monkeypatch.setattr(posting.BaseHook, "get_connection", lambda _: connection)
    monkeypatch.setattr(posting, "source_engine", lambda **_: create_engine(engine_url))

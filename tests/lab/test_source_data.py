"""The source database as the pipeline meets it."""

from __future__ import annotations

import threading

import pymysql
import pytest

from lab.progress import Work
from lab.source import database, loader
from lab.source.generator import source_rows


@pytest.fixture
def reader(lab):
    """A connection with the rights that the pipeline has."""
    with pymysql.connect(
        host="127.0.0.1",
        port=lab.port("mariadb"),
        user=database.READER,
        password=lab.secret(database.READER_SECRET),
        database="pinterest_data",
        cursorclass=pymysql.cursors.DictCursor,
    ) as connection:
        yield connection


def ask(connection, sql):
    with connection.cursor() as cursor:
        cursor.execute(sql)
        return list(cursor.fetchall())


@pytest.mark.parametrize("table", ["pinterest_data", "geolocation_data", "user_data"])
def test_the_database_gives_back_every_row_as_it_was_made(reader, table):
    assert ask(reader, f"SELECT * FROM {table}") == source_rows()[table]


def test_a_key_is_the_offset_of_its_row(reader):
    """What the seeds rely on: they read with LIMIT n, 1."""
    assert ask(reader, "SELECT `index` FROM pinterest_data LIMIT 7528, 1") == [{"index": 7528}]
    assert ask(reader, "SELECT ind FROM user_data LIMIT 11000, 1") == [{"ind": 11_000}]


@pytest.mark.parametrize(
    "statement",
    [
        "DELETE FROM user_data WHERE ind = 1",
        "UPDATE pinterest_data SET title = '' WHERE `index` = 1",
        "INSERT INTO user_data (ind) VALUES (99999)",
        "CREATE TABLE pinterest_data.mine (x INT)",
        "DROP TABLE geolocation_data",
        "SELECT * FROM mysql.global_priv",
    ],
)
def test_the_reader_may_only_read(reader, statement):
    with pytest.raises(pymysql.err.OperationalError, match="denied"):
        ask(reader, statement)


def test_the_reader_sees_three_tables_and_nothing_else(reader):
    tables = ask(reader, "SELECT table_name AS name FROM information_schema.tables WHERE table_schema = database()")

    assert {row["name"] for row in tables} == {"pinterest_data", "geolocation_data", "user_data"}
    assert {row["Database"] for row in ask(reader, "SHOW DATABASES")} == {"information_schema", "pinterest_data"}


def test_a_wrong_password_is_refused(lab):
    with pytest.raises(pymysql.err.OperationalError, match="Access denied"):
        pymysql.connect(host="127.0.0.1", port=lab.port("mariadb"), user=database.READER, password="wrong")


def test_nobody_gets_in_without_a_password(lab):
    for user in ("root", "", database.ADMIN):
        with pytest.raises(pymysql.err.OperationalError, match="Access denied"):
            pymysql.connect(host="127.0.0.1", port=lab.port("mariadb"), user=user)


def test_damaged_rows_are_loaded_again(lab, reader, tmp_path):
    work = Work("source", tmp_path / "log", threading.Event())
    with database.connect(lab) as connection:
        with connection.cursor() as cursor:
            cursor.execute(f"DELETE FROM {loader.MARK}.loaded")
            cursor.execute("DELETE FROM geolocation_data WHERE ind < 5000")
        connection.commit()
        loader.load(connection, work)

    assert ask(reader, "SELECT count(*) AS n FROM geolocation_data") == [{"n": 11_154}]

"""Reading the source: a SQLite file stands in for the tables, real PyMySQL errors for the server's refusals."""

from __future__ import annotations

import json

import pymysql
import pytest
from pymysql.constants import FIELD_TYPE
from sqlalchemy import create_engine, event
from sqlalchemy.exc import OperationalError

from include.posting.source_tables import AS_PRINTED, SOURCE_TABLES, SourceError, SourceTables


@pytest.fixture
def engine(tmp_path):
    engine = create_engine(f"sqlite:///{tmp_path}/source.db")
    with engine.begin() as connection:
        connection.exec_driver_sql(
            "CREATE TABLE geolocation_data (ind INT, timestamp TEXT, latitude, longitude, country)"
        )
        connection.exec_driver_sql(
            "INSERT INTO geolocation_data VALUES (7528, '2020-08-28 03:52:47', -89.9787, -173.293, 'Albania'), "
            "(3, '2022-01-01 02:26:50', 4.2, -154.567, NULL)"
        )
        connection.exec_driver_sql("CREATE TABLE pinterest_data (`index` INT, title TEXT)")
    yield engine
    engine.dispose()


@pytest.fixture
def statements(engine):
    seen = []
    event.listen(engine, "before_cursor_execute", lambda c, cursor, sql, params, *_: seen.append((sql, params)))
    return seen


def test_rows_come_by_key_with_their_columns_in_order(engine):
    with SourceTables(engine, connection_id="pinterest_source") as source:
        found = source.read("geo", [7528, 3])

    assert list(json.loads(found[7528]).items()) == [
        ("ind", 7528),
        ("timestamp", "2020-08-28 03:52:47"),
        ("latitude", -89.9787),
        ("longitude", -173.293),
        ("country", "Albania"),
    ]
    assert json.loads(found[3])["country"] is None


def test_a_key_that_is_not_there_is_not_in_the_answer(engine):
    with SourceTables(engine, connection_id="pinterest_source") as source:
        assert source.read("geo", [3, 99999]).keys() == {3}


def test_one_query_a_batch_with_bound_parameters_however_often_a_key_is_drawn(engine, statements):
    with SourceTables(engine, connection_id="pinterest_source") as source:
        source.read("geo", [3, 7528, 3, 3])

    assert len(statements) == 1
    sql, parameters = statements[0]
    assert "7528" not in sql
    assert sorted(parameters) == [3, 7528]


def test_a_key_that_is_drawn_again_later_costs_no_query(engine, statements):
    with SourceTables(engine, connection_id="pinterest_source") as source:
        first = source.read("geo", [3])
        again = source.read("geo", [3, 7528])

        assert again[3] == first[3]
        assert [sorted(parameters) for _, parameters in statements] == [[3], [7528]]
        assert source.read("geo", [7528, 3]).keys() == {7528, 3}
    assert len(statements) == 2


def test_no_keys_need_no_query(engine, statements):
    with SourceTables(engine, connection_id="pinterest_source") as source:
        assert source.read("geo", []) == {}
    assert statements == []


def test_the_columns_are_those_the_seeds_post():
    pin = SOURCE_TABLES["pin"]

    assert (pin.name, pin.key, len(pin.columns)) == ("pinterest_data", "index", 11)
    assert SOURCE_TABLES["geo"].columns == ("timestamp", "latitude", "longitude", "country")
    assert SOURCE_TABLES["user"].columns == ("first_name", "last_name", "age", "date_joined")


def test_datetimes_stay_the_text_that_the_server_prints():
    assert AS_PRINTED.keys().isdisjoint({FIELD_TYPE.DATETIME, FIELD_TYPE.TIMESTAMP})
    assert {FIELD_TYPE.LONG, FIELD_TYPE.FLOAT} < AS_PRINTED.keys()


class Gone:
    """Drops the connection at the queries it is told to, as PyMySQL reports it."""

    def __init__(self, engine, at):
        self.queries = 0
        self.at = at
        event.listen(engine, "before_cursor_execute", self)

    def __call__(self, *_):
        self.queries += 1
        if self.queries in self.at:
            cause = pymysql.err.OperationalError(2013, "Lost connection to MySQL server during query")
            raise OperationalError(None, None, cause, connection_invalidated=True)


def test_a_dropped_connection_is_opened_once_more(engine):
    Gone(engine, at={2})
    with SourceTables(engine, connection_id="pinterest_source") as source:
        source.read("geo", [3])

        assert source.read("geo", [7528]).keys() == {7528}


def test_a_database_gone_in_mid_run_is_a_clear_error(engine):
    Gone(engine, at={2, 3})
    with SourceTables(engine, connection_id="pinterest_source") as source:
        source.read("geo", [3])
        with pytest.raises(SourceError, match=r"pinterest_source.*Lost connection.*continues where it stopped"):
            source.read("geo", [7528])


def test_a_missing_table_is_a_clear_error(engine):
    with (
        SourceTables(engine, connection_id="pinterest_source") as source,
        pytest.raises(SourceError, match="user_data"),
    ):
        source.read("user", [3])

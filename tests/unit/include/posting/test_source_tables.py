"""Reading the source: a SQLite file stands in for the tables, real PyMySQL errors for the server's refusals."""

from __future__ import annotations

import json

import pymysql
import pytest
from sqlalchemy import event
from sqlalchemy.exc import OperationalError

from include.faults import LastingError
from include.posting.source_connection import LastingSourceError, SourceError
from include.posting.source_tables import SOURCE_TABLES, SourceTables
from tests.source_database import COLUMNS, insert, source_database

GEO = "geolocation_data"


def columns(**changed):
    """The tables' columns, with other types for those of geolocation_data; None leaves one out."""
    of_geo = {name: full_type for name, full_type in {**COLUMNS[GEO], **changed}.items() if full_type is not None}
    return {**COLUMNS, GEO: of_geo}


@pytest.fixture
def engine(tmp_path):
    engine = source_database(tmp_path)
    insert(
        engine,
        GEO,
        [
            (7528, "2020-08-28 03:52:47", -89.9787, -173.293, "Albania"),
            (3, "2022-01-01 02:26:50", 4.2, -154.567, None),
        ],
    )
    insert(engine, "pinterest_data", [(3, *["x"] * 8, 1, "x", "x")])
    insert(engine, "user_data", [(3, "Thomas", "Turner", 34, "2016-12-22 00:02:02")])
    yield engine
    engine.dispose()


@pytest.fixture
def statements(engine):
    """Those that read rows."""
    seen = []

    def hear(_connection, _cursor, sql, parameters, *_):
        if "information_schema" not in sql:
            seen.append((sql, parameters))

    event.listen(engine, "before_cursor_execute", hear)
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


class Gone:
    """Drops the connection at the queries it is told to, as PyMySQL reports it."""

    def __init__(self, engine, at):
        self.queries = 0  # of rows: what describes the tables does not count
        self.at = at
        event.listen(engine, "before_cursor_execute", self)

    def __call__(self, _connection, _cursor, sql, *_):
        if "information_schema" in sql:
            return
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


def test_a_connection_dropped_at_its_first_query_is_opened_once_more(engine):
    Gone(engine, at={1})
    with SourceTables(engine, connection_id="pinterest_source") as source:
        assert source.read("geo", [7528, 3]).keys() == {7528, 3}


@pytest.mark.parametrize("code", [1053, 1317, 1927])
def test_a_killed_query_is_asked_again(engine, code):
    def kill(_connection, _cursor, sql, *_):
        if "information_schema" not in sql:
            event.remove(engine, "before_cursor_execute", kill)
            raise OperationalError(None, None, pymysql.err.OperationalError(code, "killed"))

    event.listen(engine, "before_cursor_execute", kill)
    with SourceTables(engine, connection_id="pinterest_source") as source:
        assert source.read("geo", [7528, 3]).keys() == {7528, 3}


# what cannot be posted


def refused_check(engine):
    source = SourceTables(engine, connection_id="pinterest_source")
    with source, pytest.raises(LastingSourceError) as checked:
        source.check()
    return str(checked.value)


def refusal(engine, of=("geo",)):
    """What the check says. Reading fails too, but for the tables that are as they should be."""
    with SourceTables(engine, connection_id="pinterest_source") as source:
        for entity in SOURCE_TABLES:
            if entity in of:
                with pytest.raises(LastingSourceError):
                    source.read(entity, [3])
            else:
                assert source.read(entity, [3]).keys() == {3}
    return refused_check(engine)


def test_tables_as_they_should_be_are_checked_without_a_word(engine):
    with SourceTables(engine, connection_id="pinterest_source") as source:
        assert source.check() == []


def test_columns_are_named_all_at_once(engine, tmp_path):
    source_database(tmp_path, columns(ind="varchar(20)", latitude="point", timestamp="bigint(20)", country=None))

    said = refusal(engine)

    assert said.startswith("Connection 'pinterest_source' (")
    for words in (
        "geolocation_data.ind is VARCHAR(20), and must be a whole number, as it is the key.",
        "geolocation_data.latitude is POINT: it holds a geometry, which JSON has no value for.",
        "geolocation_data.timestamp is BIGINT(20), and must be a date and time.",
        "geolocation_data has no column country that this user may read; it has ind, timestamp, latitude, longitude.",
    ):
        assert words in said
    assert said.count("What to do: ") == 4


def test_a_missing_table_is_named(engine, tmp_path):
    source_database(tmp_path, {name: types for name, types in COLUMNS.items() if name != "user_data"})

    assert "There is no table user_data, or this user may not read it. What to do: " in refusal(engine, ["user"])


def test_an_empty_table_is_named(engine):
    with engine.begin() as connection:
        connection.exec_driver_sql("DELETE FROM geolocation_data")

    assert "geolocation_data is empty. What to do: load its rows." in refused_check(engine)


# what is odd


def test_columns_that_no_field_needs_are_not_read_whatever_their_type(engine, tmp_path, statements):
    source_database(tmp_path, columns(photo="blob"))

    with SourceTables(engine, connection_id="pinterest_source") as source:
        assert source.check() == []
        assert "photo" not in json.loads(source.read("geo", [3])[3])
    assert not any("photo" in sql for sql, _ in statements)


def test_the_case_of_a_columns_name_does_not_matter(engine, tmp_path):
    changed = {("COUNTRY" if name == "country" else name): of for name, of in COLUMNS[GEO].items()}
    source_database(tmp_path, {**COLUMNS, GEO: changed})

    with SourceTables(engine, connection_id="pinterest_source") as source:
        assert source.check() == []
        assert json.loads(source.read("geo", [7528])[7528])["country"] == "Albania"


def test_rows_without_a_key_are_said_to_be_there_and_never_read(engine):
    insert(engine, GEO, [(None, "2020-08-28 03:52:47", 1.0, 2.0, "Chad")] * 2)

    with SourceTables(engine, connection_id="pinterest_source") as source:
        assert source.check() == ["geolocation_data holds 2 rows whose ind is NULL: they can never be drawn"]
        assert source.read("geo", [3, 7528]).keys() == {3, 7528}
        assert source.ambiguous["geo"] == set()


@pytest.mark.parametrize("order", [("Chad", "Niger"), ("Niger", "Chad")])
def test_of_two_rows_with_one_key_the_same_one_is_read_in_whatever_order_they_come(engine, order):
    insert(engine, GEO, [(5, "2020-08-28 03:52:47", 1.0, 2.0, country) for country in order])
    insert(engine, GEO, [(6, "2020-08-28 03:52:47", 1.0, 2.0, "Chad")] * 2)

    with SourceTables(engine, connection_id="pinterest_source") as source:
        found = source.read("geo", [5, 6])
        assert source.ambiguous["geo"] == {5}
    assert json.loads(found[5])["country"] == "Niger"


def test_a_row_that_changed_after_it_was_read_is_posted_as_it_was(engine):
    with SourceTables(engine, connection_id="pinterest_source") as source:
        before = source.read("geo", [3])
        with engine.begin() as connection:
            connection.exec_driver_sql("DELETE FROM geolocation_data WHERE ind = 3")
        assert source.read("geo", [3]) == before


def test_a_table_whose_types_changed_while_it_was_read_is_named_and_may_be_read_again(engine, tmp_path):
    with SourceTables(engine, connection_id="pinterest_source") as source:
        source.read("user", [3])
        insert(engine, "user_data", [(5, "Mary", "Ann", "forty", "2016-12-22 00:02:02")])
        with pytest.raises(SourceError, match=r"user_data, row 5: .*'forty'.* changed while it was read") as error:
            source.read("user", [5])
    assert not isinstance(error.value, LastingError)

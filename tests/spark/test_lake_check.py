"""Tables of our names that are not ours, or were changed since, are named before a row is written."""

from __future__ import annotations

import itertools

import pytest

from pinterest_lake import stream_tables
from pinterest_lake.contract import ENTITIES
from pinterest_lake.lake_check import (
    TableError,
    check_tables,
    earlier_tables,
    identity,
    tables_made_of_silver,
    tables_of_batch,
    tables_of_stream,
)
from pinterest_lake.schemas import STREAM_LINEAGE, VALUES
from pinterest_lake.tables import Lake

USER = "0e36c8cd403d"
PIN_TABLE = f"{USER}_pin_table"
EARLIER_BRONZE = """
    topic STRING, partition INT, offset BIGINT, kafka_time TIMESTAMP, ind BIGINT, object STRING, raw STRING,
    ingested_at TIMESTAMP, run_id STRING
"""
HAND_MADE = "ind BIGINT, title STRING, category STRING"
SCHEMAS = (f"checked_{number}" for number in itertools.count())


@pytest.fixture
def own(spark):
    """An empty lake for a test that makes its tables by hand."""
    lake = Lake(spark.newSession(), "spark_catalog", next(SCHEMAS))
    lake.create_schema()
    yield lake
    lake.spark.sql(f"DROP SCHEMA {lake.schema} CASCADE")


def make(lake, table, columns, using="delta"):
    lake.spark.sql(f"CREATE TABLE {lake.name(f'`{table}`')} ({columns}) USING {using}")


def all_tables():
    return {**tables_of_batch(), **tables_of_stream(USER)}


def problems(lake, tables) -> str:
    with pytest.raises(TableError) as caught:
        check_tables(lake, tables)
    return str(caught.value)


def test_tables_of_our_own_making_pass_and_have_an_identity(own):
    assert identity(own, all_tables()) == {"tables": {}}
    check_tables(own, all_tables())
    own.create()
    stream_tables.create(own, USER, ENTITIES)

    check_tables(own, all_tables())
    ids = identity(own, all_tables())["tables"]
    assert set(ids) == set(all_tables())
    assert identity(own, all_tables())["tables"] == ids

    own.spark.sql(f"DROP TABLE {own.name(f'`{PIN_TABLE}`')}")
    stream_tables.create(own, USER, ENTITIES)
    after = identity(own, all_tables())["tables"]
    assert {name for name in ids if after[name] != ids[name]} == {PIN_TABLE}


def test_a_table_made_by_hand_is_named_with_its_columns(own):
    make(own, PIN_TABLE, HAND_MADE)

    said = problems(own, tables_of_stream(USER))

    assert said.startswith(f"table spark_catalog.{own.schema}.`{PIN_TABLE}`: column ind is bigint, expected int; ")
    assert "column unique_id (string) is missing" in said
    assert "column _sequence_number (string) is missing" in said
    assert said.endswith("rename the table (ALTER TABLE … RENAME TO …), or have databricks.schema name another schema")
    check_tables(own, tables_of_batch())


@pytest.mark.parametrize("table", ["bronze_geo", "user", "posts", "quarantine", "stream_batches"])
def test_every_table_is_looked_at(own, table):
    make(own, table, HAND_MADE)

    assert f"`{table}`: column" in problems(own, {**all_tables(), **tables_made_of_silver()})


def test_all_tables_are_named_at_once(own):
    make(own, "pin", HAND_MADE)
    make(own, "geo", "ind INT, coordinates ARRAY<FLOAT>")

    said = problems(own, tables_of_batch())
    assert "`pin`: column ind is bigint" in said
    assert (
        "`geo`: column country (string) is missing; column coordinates is array<float>, expected array<double>" in said
    )


def test_what_is_not_a_delta_table_is_named(own):
    make(own, "pin", HAND_MADE, using="parquet")
    own.spark.sql(f"CREATE VIEW {own.name('geo')} AS SELECT 1 AS ind")

    said = problems(own, tables_of_batch())
    assert "`pin`: it is not a Delta table" in said
    assert "`geo`: it is not a Delta table" in said


def test_a_lake_of_an_earlier_version_is_told_apart_and_what_to_do_is_named(own):
    own.create()
    own.spark.sql(f"DROP TABLE {own.name('bronze_geo')}")
    make(own, "bronze_geo", EARLIER_BRONZE)

    said = problems(own, all_tables())

    assert earlier_tables(own) == ["bronze_geo"]
    assert said.startswith(f"an earlier version of the pipeline made spark_catalog.{own.schema}.bronze_geo")
    assert "run pinterest_pipeline with on_new_identity=load_all" in said
    check_tables(own, tables_of_stream(USER))


def test_other_case_and_more_columns_are_left_alone(own):
    make(own, PIN_TABLE, f"{VALUES['pin'].upper()}, {STREAM_LINEAGE}, note STRING")

    check_tables(own, tables_of_stream(USER))


def test_columns_that_must_have_a_value_are_named(own):
    values = VALUES["pin"].replace("title STRING", "title STRING NOT NULL").replace("ind INT", "ind INT NOT NULL")
    make(own, PIN_TABLE, f"{values}, {STREAM_LINEAGE}, note STRING NOT NULL")

    said = problems(own, tables_of_stream(USER))
    assert "column title is NOT NULL, and some records have no value there" in said
    assert "column note is NOT NULL, and the pipeline has no value for it" in said
    assert "column ind" not in said


def test_a_column_that_somebody_added_keeps_its_values(own):
    make(own, "user", "ind INT, user_name STRING, note STRING")
    own.spark.sql(f"INSERT INTO {own.name('user')} VALUES (1, 'Ann Lee', 'mine')")
    rows = own.rows([{"ind": 1, "user_name": "Ann Li"}, {"ind": 2, "user_name": "Bo Yu"}], "ind INT, user_name STRING")

    assert own.insert_missing("user", rows, "stored.ind = row.ind") == 1
    assert own.update("user", rows, "stored.ind = row.ind", when="stored.user_name != row.user_name") == 1
    assert own.upsert("user", rows, "stored.ind = row.ind", when="true") == (0, 2)
    assert [tuple(row) for row in own.table("user").orderBy("ind").collect()] == [
        (1, "Ann Li", "mine"),
        (2, "Bo Yu", None),
    ]

"""A lake that is looked after: few files, no dead ones, and every reader goes on."""

from __future__ import annotations

import os
import re
import time
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from pathlib import Path
from threading import Barrier
from types import SimpleNamespace

import pytest
from delta.exceptions import ConcurrentAppendException

from pinterest_lake import conflicts, maintenance, stream_tables
from pinterest_lake.contract import ANALYSES, ENTITIES, TABLES
from pinterest_lake.lake_check import all_tables, identity
from pinterest_lake.maintenance import FEW_FILES, LARGE_FILE, has_small_files, is_optimized_by_databricks, maintain
from pinterest_lake.schemas import STREAM_BATCHES
from tests.spark.batch import files, version

USER = "0e36c8cd403d"
COLUMNS = "ind INT, text STRING"
FILES = FEW_FILES + 4
DAY = 86_400


def folder(lake, table):
    return Path(lake.spark.sql(f"DESCRIBE DETAIL {lake.name(table)}").first().location.removeprefix("file:"))


def data_files(lake, table):
    return {path.name for path in folder(lake, table).glob("*.parquet")}


def append(lake, table, ind):
    rows = lake.rows([{"ind": ind, "text": f"row {ind}"}], COLUMNS)
    rows.write.format("delta").mode("append").saveAsTable(lake.name(table))


def scattered(lake, table):
    """A table with a file for each of its rows."""
    lake.create_table(table, COLUMNS, found_by="ind")
    rows = lake.spark.range(0, FILES, 1, FILES).selectExpr("int(id) AS ind", "concat('row ', id) AS text")
    rows.write.format("delta").mode("append").saveAsTable(lake.name(table))


def inds(lake, table):
    return sorted(row.ind for row in lake.table(table).collect())


def age(lake, table, days):
    """Have all that was deleted and written so far happen that many days earlier."""
    path = folder(lake, table)
    for commit in (path / "_delta_log").glob("*.json"):
        earlier = re.sub(
            r'"(deletionTimestamp)":(\d+)',
            lambda found: f'"{found[1]}":{int(found[2]) - days * DAY * 1000}',
            commit.read_text(),
        )
        commit.write_text(earlier)
    for derived in ("_delta_log/*.crc", "_delta_log/.*.crc", "_delta_log/*.checkpoint*", "_delta_log/_last_checkpoint"):
        for found in path.glob(derived):
            found.unlink()
    for data in path.glob("*.parquet"):
        os.utime(data, (time.time() - days * DAY,) * 2)
    lake.spark._jvm.org.apache.spark.sql.delta.DeltaLog.clearCache()


def test_many_small_files_become_one_and_every_reader_goes_on(bare_lake, tmp_path):
    lake = bare_lake
    scattered(lake, "small")
    earlier, before = version(lake, "small"), identity(lake, ["small"])
    small = data_files(lake, "small")

    def read_new():
        """What a stream of the table has not yet read."""
        read = []
        lake.spark.readStream.table(lake.name("small")).writeStream.foreachBatch(
            lambda rows, _: read.extend(row.ind for row in rows.collect())
        ).option("checkpointLocation", str(tmp_path / "stream")).trigger(availableNow=True).start().awaitTermination()
        return sorted(read)

    assert read_new() == list(range(FILES))
    append(lake, "small", 100)
    report = maintain(lake, ["small"])["tables"]["small"]

    assert report == {"files": FILES + 1, "compacted": FILES + 1, "into": 1, "vacuumed": True}
    assert len(files(lake, "small")) == 1
    assert inds(lake, "small") == [*range(FILES), 100]
    assert identity(lake, ["small"]) == before
    assert data_files(lake, "small") > small, "files of the versions of the last days stay"
    old = lake.spark.read.option("versionAsOf", earlier).table(lake.name("small"))
    assert sorted(row.ind for row in old.collect()) == list(range(FILES))
    assert read_new() == [100], "a stream that was behind when the files were put together reads each row once"
    found = [ind for add in statistics(lake, "small") for ind in (add["minValues"]["ind"], add["maxValues"]["ind"])]
    assert found == [0, 100]

    assert maintain(lake, ["small"])["tables"]["small"] == {"files": 1, "vacuumed": True}

    age(lake, "small", 8)
    maintain(lake, ["small"])
    assert {Path(name).name for name in files(lake, "small")} == data_files(lake, "small")
    assert inds(lake, "small") == [*range(FILES), 100]
    append(lake, "small", 101)
    assert read_new() == [101], "a stream that has kept up does not notice"


def statistics(lake, table):
    """Of the table's files, from its log."""
    log = lake.spark.read.json(str(folder(lake, table) / "_delta_log" / "*.json"))
    current = {Path(name).name for name in files(lake, table)}
    added = log.where("add IS NOT NULL").selectExpr(
        "add.path", "from_json(add.stats, 'minValues STRUCT<ind: INT>, maxValues STRUCT<ind: INT>') AS of"
    )
    return [row.of.asDict(recursive=True) for row in added.collect() if row.path in current]


def test_files_of_old_versions_stay_as_long_as_is_set(bare_lake):
    lake = bare_lake
    scattered(lake, "kept")
    maintain(lake, ["kept"], version_days=30)
    everything = data_files(lake, "kept")

    age(lake, "kept", 8)
    maintain(lake, ["kept"], version_days=30)
    assert data_files(lake, "kept") == everything
    maintain(lake, ["kept"])
    assert data_files(lake, "kept") == everything, "None leaves it to the table"

    lake.spark.sql(f"ALTER TABLE {lake.name('kept')} SET TBLPROPERTIES ('{maintenance.RETENTION}' = 'interval 1 hour')")
    age(lake, "kept", -3)
    maintain(lake, ["kept"])
    assert data_files(lake, "kept") == everything, "a week is kept in any case"
    maintain(lake, ["kept"], version_days=1)
    assert data_files(lake, "kept") == everything

    age(lake, "kept", 8)
    maintain(lake, ["kept"], version_days=7)
    assert len(data_files(lake, "kept")) == 1


def test_a_merge_beside_compaction_loses_nothing(bare_lake):
    lake = bare_lake
    scattered(lake, "raced")
    start = Barrier(2)

    def merge():
        own = replace(lake, spark=lake.spark.newSession())
        start.wait(60)
        for number in range(3):
            rows = own.spark.range(FILES).selectExpr("int(id) AS ind", f"'merge {number}' AS text")
            own.upsert("raced", rows, on="stored.ind = row.ind", when="true")

    def compact():
        own = replace(lake, spark=lake.spark.newSession())
        start.wait(60)
        return [maintenance._compact(own, own.name("raced")) for _ in range(3)]

    with ThreadPoolExecutor(2) as pool:
        merging, compacting = pool.submit(merge), pool.submit(compact)
        merging.result()
        compacting.result()

    stored = sorted((row.ind, row.text) for row in lake.table("raced").collect())
    assert stored == [(ind, "merge 2") for ind in range(FILES)]


def test_a_table_that_others_always_write_is_left_to_a_later_run(bare_lake, monkeypatch):
    scattered(bare_lake, "busy")
    monkeypatch.setattr(conflicts.time, "sleep", lambda _: None)
    plain = bare_lake.spark.sql

    def overtaken(statement):
        if statement.startswith("OPTIMIZE"):
            raise ConcurrentAppendException("another writer", "", None)
        return plain(statement)

    monkeypatch.setattr(type(bare_lake.spark), "sql", lambda _, statement: overtaken(statement))

    report = maintain(bare_lake, ["busy"])["tables"]["busy"]
    assert report == {"files": FILES, "overtaken": True, "vacuumed": True}


def test_what_databricks_looks_after_is_left_to_it(bare_lake, monkeypatch):
    scattered(bare_lake, "managed")
    before = version(bare_lake, "managed")

    assert maintain(bare_lake, ["managed"], by="databricks")["tables"]["managed"] == {
        "files": FILES,
        "left_to": "databricks",
    }
    monkeypatch.setattr(maintenance, "is_optimized_by_databricks", lambda *_: True)
    assert maintain(bare_lake, ["managed"])["tables"]["managed"]["left_to"] == "databricks"
    assert version(bare_lake, "managed") == before
    assert maintain(bare_lake, ["managed"], by="pipeline")["tables"]["managed"]["into"] == 1


@pytest.mark.parametrize(
    ("described", "expected"),
    [
        ([("Type", "MANAGED"), ("Predictive Optimization", "ENABLE (inherited from CATALOG main)")], True),
        ([("Predictive Optimization", "DISABLE")], False),
        ([("Type", "MANAGED"), ("ENABLE", "")], False),
    ],
)
def test_predictive_optimization_is_found(described, expected):
    spark = SimpleNamespace(sql=lambda _: SimpleNamespace(collect=lambda: described))

    assert is_optimized_by_databricks(SimpleNamespace(spark=spark), "t") is expected


@pytest.mark.parametrize(
    ("number", "size", "expected"),
    [
        (0, 0, False),
        (FEW_FILES, 1000, False),
        (FEW_FILES + 1, 1000, True),
        (1000, 1000 * LARGE_FILE, False),
        (1000 + FEW_FILES + 2, 1000 * LARGE_FILE + 1000, True),
    ],
)
def test_few_or_large_files_are_left_alone(number, size, expected):
    assert has_small_files(SimpleNamespace(numFiles=number, sizeInBytes=size)) is expected


def test_stream_batches_forgets_what_no_run_asks_for(bare_lake):
    lake = bare_lake
    stream_tables.create(lake, USER, ENTITIES)
    rows = [{"stream": "pin", "batch_id": number, "records": 1} for number in range(4)]
    ages = "current_timestamp() - make_dt_interval(int(batch_id) * 40)"
    batches = lake.rows(rows, STREAM_BATCHES).selectExpr("* EXCEPT (committed_at)", f"{ages} AS committed_at")
    batches.write.format("delta").mode("append").saveAsTable(lake.name("stream_batches"))

    assert maintain(lake, [], run_days=90)["forgotten_batches"] == 1
    before = version(lake, "stream_batches")
    assert maintain(lake, [], run_days=90)["forgotten_batches"] == 0
    assert maintain(lake, [])["forgotten_batches"] == 0
    assert version(lake, "stream_batches") == before
    kept = lake.table("stream_batches").select("batch_id").collect()
    assert sorted(row.batch_id for row in kept) == [0, 1, 2]


def test_every_table_of_the_contract_is_looked_after():
    named = {name.format(entity=entity, user_id=USER) for name in TABLES.values() for entity in ENTITIES}

    assert set(all_tables(USER)) == named | set(ANALYSES)

"""Clean: one row for each ind, the latest wins, a replay writes nothing, nothing is lost.

Every fault has an ``ind`` of its own, so that a few runs do for all of them.
"""

from __future__ import annotations

import json
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from dataclasses import replace
from threading import Barrier
from types import SimpleNamespace

import pytest
from pyspark.sql import functions as F

from pinterest_lake import silver
from pinterest_lake.contract import RULES
from pinterest_lake.records import with_record
from pinterest_lake.tables import Lake
from tests.spark.batch import clean, files, load, version
from tests.spark.bucket import KAFKA_TIME
from tests.spark.source_rows import GEO, PIN, USER

# No key of the real rows.
TWICE, ONLY, BY_OFFSET, BY_TIME, STAYS, REPLACED, SENT_AGAIN, FORGOTTEN, AHEAD, ADDED, BACK, REFUSED = range(
    20001, 20013
)
REAL = 2  # a partition of real rows
DAMAGED, KILLED, RACED, CHANGED = 3, 10, 20, 21  # partitions of the other topics


class Killed(BaseException):
    pass


def pin(ind, title):
    return {**PIN, "index": ind, "title": title}


def counts(records_in, inserted=0, updated=0, duplicates=0, quarantined=0, rows=None):
    return {
        "records_in": records_in,
        "inserted": inserted,
        "updated": updated,
        "duplicates": duplicates,
        "quarantined": quarantined,
        "rows": inserted if rows is None else rows,
        "of_earlier_rules": 0,
    }


def land(bucket, run_id, entity, partitions):
    """The manifest of rows that are given by partition as (first offset, rows) or (first offset, rows, times)."""
    for partition, (first, rows, *times) in partitions.items():
        bucket.put(entity, rows, partition=partition, first=first, times=times[0] if times else None)
    return bucket.manifest(run_id=run_id)


def run(lake, bucket, run_id, entity, partitions):
    uri = land(bucket, run_id, entity, partitions)
    load(lake, uri, entity, run_id)
    return clean(lake, uri, entity, run_id)


@pytest.fixture(scope="module")
def first_run(lake, new_bucket, real_rows):
    rows = [
        pin(TWICE, "old"),
        pin(ONLY, "only"),
        pin(TWICE, "new"),
        pin(BY_OFFSET, "old"),
        pin(BY_OFFSET, "new"),
        pin(BY_TIME, "later"),
        pin(STAYS, "one"),
        pin(REPLACED, "two"),
        pin(SENT_AGAIN, "three"),
        pin(FORGOTTEN, "known"),
    ]
    times = [KAFKA_TIME + offset for offset in range(len(rows))]
    times[3], times[4], times[5] = KAFKA_TIME + 9000, KAFKA_TIME, KAFKA_TIME + 9000
    partitions = {
        0: (0, rows, times),
        1: (10, [pin(AHEAD, "x"), pin(BY_TIME, "earlier")], [KAFKA_TIME, KAFKA_TIME]),
        REAL: (0, real_rows["pin"]),
    }
    return run(lake, new_bucket(), "1", "pin", partitions)


@pytest.fixture(scope="module")
def rows_of_first_run(lake, first_run):
    return pins(lake)


@pytest.fixture(scope="module")
def second_run(lake, new_bucket, rows_of_first_run):
    rows = [
        pin(float(REPLACED), "TWO"),  # 20006.0
        pin(SENT_AGAIN, "three"),
        pin(ADDED, "four"),
        pin(ADDED, "FOUR"),
        pin(FORGOTTEN, "No Title Data Available"),
        pin(BACK, "a"),
        pin(REFUSED, "a"),
    ]
    return run(lake, new_bucket(), "2", "pin", {0: (10, rows)})


@pytest.fixture(scope="module")
def rows_of_second_run(lake, second_run):
    return pins(lake)


@pytest.fixture(scope="module")
def late_run(lake, new_bucket, rows_of_second_run):
    """Runs 3 and 4 are loaded in their order, but cleaned the other way round."""
    third = [pin(BACK, "b"), pin(REFUSED, "b")]
    fourth = [pin(BACK, "a"), {**pin(REFUSED, "c"), "downloaded": "poison"}]
    uris = [
        land(new_bucket(), "3", "pin", {0: (17, third)}),
        land(new_bucket(), "4", "pin", {0: (19, fourth)}),
    ]
    for uri in uris:
        load(lake, uri)
    in_time = clean(lake, uris[1])
    return SimpleNamespace(in_time=in_time, late=clean(lake, uris[0]), rows=pins(lake))


def pins(lake):
    return {row.ind: row for row in lake.table("pin").where(f"ind BETWEEN {TWICE} AND {REFUSED}").collect()}


def test_every_line_of_a_run_is_counted(first_run, real_rows):
    size = len(real_rows["pin"])

    assert first_run == counts(12 + size, inserted=9 + size, duplicates=3)


def test_of_one_ind_the_latest_line_counts(rows_of_first_run):
    assert rows_of_first_run[TWICE].title == "new"
    assert rows_of_first_run[ONLY].title == "only"


def test_offsets_decide_inside_a_partition_even_against_the_clock(rows_of_first_run):
    assert rows_of_first_run[BY_OFFSET].title == "new"


def test_time_decides_between_partitions_even_against_the_offsets(rows_of_first_run):
    assert rows_of_first_run[BY_TIME].title == "later"


def test_the_next_run_adds_replaces_and_leaves_alone(first_run, second_run, rows_of_second_run):
    assert second_run == counts(7, inserted=3, updated=2, duplicates=2, rows=first_run["rows"] + 3)
    titles = {ind: row.title for ind, row in rows_of_second_run.items()}
    assert titles == {
        TWICE: "new",
        ONLY: "only",
        BY_OFFSET: "new",
        BY_TIME: "later",
        AHEAD: "x",
        STAYS: "one",
        REPLACED: "TWO",
        SENT_AGAIN: "three",
        ADDED: "FOUR",
        FORGOTTEN: None,
        BACK: "a",
        REFUSED: "a",
    }
    lineage = {ind: (row._offset, row._run_id) for ind, row in rows_of_second_run.items()}
    assert lineage[STAYS] == (6, "1")
    assert lineage[REPLACED] == (10, "2")
    assert lineage[SENT_AGAIN] == (8, "1")
    assert lineage[ADDED] == (13, "2")


def test_a_value_that_becomes_unknown_replaces_the_known_one(rows_of_first_run, rows_of_second_run):
    assert rows_of_first_run[FORGOTTEN].title == "known"
    assert rows_of_second_run[FORGOTTEN].title is None


def test_a_run_cleaned_late_undoes_nothing(second_run, late_run):
    """a, then b, then a again, which looks unchanged; the run of b, cleaned last, must not bring b back."""
    assert late_run.in_time == counts(2, duplicates=1, quarantined=1, rows=second_run["rows"])
    assert late_run.late == counts(2, updated=1, duplicates=1, rows=second_run["rows"])
    assert late_run.rows[BACK].title == "a"


def test_a_refused_line_that_follows_does_not_hold_a_run_back(late_run):
    assert late_run.rows[REFUSED].title == "b"


def test_a_replay_writes_nothing(lake, new_bucket, late_run, real_rows):
    """The seeds' script started anew sends the same rows at new offsets."""
    size = len(real_rows["pin"])
    before = sorted(lake.table("pin").collect()), files(lake, "pin"), version(lake, "pin")

    again = run(lake, new_bucket(), "5", "pin", {REAL: (size, real_rows["pin"])})

    assert again == counts(size, duplicates=size, rows=late_run.late["rows"])
    assert (sorted(lake.table("pin").collect()), files(lake, "pin"), version(lake, "pin")) == before


@pytest.fixture(scope="module")
def poisoned(lake, new_bucket):
    """A run in which most rows are poison, done twice: its counts and what the lake holds, both times."""
    rows = [
        {**USER, "ind": 1},
        {"value": USER},
        PIN,
        {**USER, "ind": None},
        {**USER, "ind": "seven"},
        {**USER, "ind": -7},
        {**USER, "age": "old"},
        {**USER, "ind": 2, "colour": "red"},
    ]
    times = []
    for _ in range(2):
        counted = run(lake, new_bucket(), "poisoned", "user", {0: (0, rows)})
        refused = lake.table("quarantine").where("stream = 'user'").orderBy("offset").collect()
        held = sorted(lake.table("user").collect()), version(lake, "user"), refused
        times.append(SimpleNamespace(counts=counted, held=held, refused=refused))
    return times


def test_poison_is_kept_with_its_position_and_the_rows_around_it_pass(lake, poisoned):
    kept = poisoned[0].refused

    assert poisoned[0].counts == counts(8, inserted=2, quarantined=6)
    assert [(row.stream, row.partition, row.offset, row.reason, row.replays) for row in kept] == [
        ("user", 0, 1, "nested_value", 0),
        ("user", 0, 2, "wrong_stream", 0),
        ("user", 0, 3, "no_ind", 0),
        ("user", 0, 4, "ind_not_an_integer", 0),
        ("user", 0, 5, "ind_out_of_range", 0),
        ("user", 0, 6, "field_not_of_type", 0),
    ]
    assert json.loads(kept[1].raw)["index"] == PIN["index"]
    assert {row.ind for row in lake.table("user").collect()} == {1, 2}


def test_a_rerun_writes_nothing(poisoned):
    first, again = poisoned

    assert again.counts == counts(8, duplicates=2, quarantined=6, rows=2)
    assert again.held == first.held


def test_a_run_of_nothing_but_poison_and_a_run_of_nothing(lake, new_bucket):
    poison = run(lake, new_bucket(), "poison", "geo", {0: (0, [{**GEO, "ind": None}])})
    nothing = run(lake, new_bucket(), "nothing", "geo", {0: (1, [])})

    assert poison == counts(1, quarantined=1)
    assert nothing == counts(0)


def test_bronze_records_that_can_no_longer_be_read_are_refused_and_the_others_pass(lake, new_bucket):
    uri = land(new_bucket(), "damaged", "geo", {DAMAGED: (0, [{**GEO, "ind": ind} for ind in range(40, 45)])})
    load(lake, uri, "geo")
    lake.spark.sql(f"""
        UPDATE {lake.name("bronze_geo")}
        SET record = CASE offset WHEN 2 THEN parse_json('[]') END, raw = CASE offset WHEN 1 THEN '{{"ind":' END
        WHERE partition = {DAMAGED} AND offset BETWEEN 1 AND 3
    """)

    counted = clean(lake, uri, "geo")

    assert (counted["inserted"], counted["quarantined"]) == (2, 3)
    refused = lake.table("quarantine").where(f"stream = 'geo' AND partition = {DAMAGED}").orderBy("offset").collect()
    assert [(row.reason, row.raw) for row in refused] == [
        ("truncated_json", '{"ind":'),
        ("array_of_rows", "[]"),
        ("not_json_object", None),
    ]


@pytest.mark.parametrize("killed_after", [1, 3])
def test_a_run_that_is_killed_between_its_commits_is_completed(lake, new_bucket, monkeypatch, killed_after):
    """Its commits: bronze, a line without a position, silver, a refused record."""
    partition, first = KILLED + killed_after, 100 * killed_after
    rows = [{**USER, "ind": first}, {**USER, "ind": first + 1}, {**USER, "ind": -first}]
    uri = land(new_bucket(), f"killed {first}", "user", {partition: (0, [*rows, f"no line {first}"])})
    before, done = lake.table("user").count(), []
    insert_missing = Lake.insert_missing

    def until_killed(*arguments, **named):
        if len(done) == killed_after:
            raise Killed
        done.append(insert_missing(*arguments, **named))
        return done[-1]

    with monkeypatch.context() as patched, suppress(Killed):
        patched.setattr(Lake, "insert_missing", until_killed)
        load(lake, uri, "user")
        clean(lake, uri, "user")
    assert len(done) == killed_after

    loaded, cleaned = load(lake, uri, "user"), clean(lake, uri, "user")
    assert (loaded["records_in"], loaded["quarantined"]) == (3, 1)
    assert cleaned["inserted"] + cleaned["duplicates"] == 2
    assert (cleaned["quarantined"], cleaned["rows"]) == (1, before + 2)
    assert lake.table("bronze_user").where(f"partition = {partition}").count() == 3
    kept = lake.table("quarantine").where(f"partition = {partition} OR raw = 'no line {first}'").collect()
    assert sorted(row.reason for row in kept) == ["ind_out_of_range", "not_json_object"]


def test_two_cleanings_of_one_run_at_the_same_time_write_each_row_once(lake, new_bucket):
    uri = land(new_bucket(), "raced", "user", {RACED: (0, [{**USER, "ind": ind} for ind in range(700, 740)])})
    load(lake, uri, "user")
    start = Barrier(2)

    def clean_apart(_):
        own = replace(lake, spark=lake.spark.newSession())
        start.wait(60)
        return clean(own, uri, "user")

    with ThreadPoolExecutor(2) as pool:
        counted = [*pool.map(clean_apart, range(2))]

    assert sum(count["inserted"] for count in counted) == 40
    assert sum(count["duplicates"] for count in counted) == 40
    assert lake.table("user").where("ind BETWEEN 700 AND 739").count() == 40


def test_silver_keeps_where_a_row_comes_from(lake, new_bucket):
    run(lake, new_bucket(), "daily", "geo", {2: (12, [{**GEO, "ind": 3}])})

    row = lake.table("geo").where("ind = 3").first()
    assert row.asDict().keys() == {
        "ind", "country", "coordinates", "timestamp",
        "_topic", "_partition", "_offset", "_kafka_time", "_run_id", "_rules",
    }  # fmt: skip
    assert (row._partition, row._offset, row._run_id) == (2, 12, "daily")


def test_rules_that_change_in_mid_run_hold_for_what_is_cleaned_after(lake, new_bucket, monkeypatch):
    """The run is loaded and killed when one row is in silver, and its refused record not yet in quarantine. By the new
    rules, that record passes."""
    rows = [{**USER, "ind": 800}, {**USER, "ind": 801, "age": "old"}]
    uri = land(new_bucket(), "changed", "user", {CHANGED: (0, rows)})
    load(lake, uri, "user", "changed")
    with monkeypatch.context() as patched, suppress(Killed):
        patched.setattr(silver, "quarantine", kill)
        clean(lake, uri, "user", "changed")
    read = silver.read

    def lenient(records, entity):
        text = F.coalesce("raw", F.to_json("record"))
        return read(with_record(records.withColumn("raw", F.replace(text, F.lit('"old"'), F.lit("80")))), entity)

    monkeypatch.setattr(silver, "read", lenient)
    monkeypatch.setattr(silver, "RULES", RULES + 1)
    done = clean(lake, uri, "user", "changed")

    assert {name: done[name] for name in ("records_in", "inserted", "duplicates", "quarantined")} == {
        "records_in": 2, "inserted": 1, "duplicates": 1, "quarantined": 0,
    }  # fmt: skip
    stored = lake.table("user").where("ind BETWEEN 800 AND 801").orderBy("ind").collect()
    assert [(row.ind, row.age, row._rules) for row in stored] == [(800, USER["age"], RULES), (801, 80, RULES + 1)]
    assert done["of_earlier_rules"] == done["rows"] - 1
    assert lake.table("quarantine").where(f"partition = {CHANGED}").isEmpty()


def kill(*_):
    raise Killed

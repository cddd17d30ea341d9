"""Refused records that pass after all: once, whatever came since, however often it is asked for."""

from __future__ import annotations

import json

import pytest
from pyspark.sql import functions as F

from pinterest_lake import replay_quarantine, silver, stream_tables
from pinterest_lake.quarantine import quarantine
from pinterest_lake.records import read, with_record
from pinterest_lake.replay_choice import Choice, ReplayError
from pinterest_lake.replay_quarantine import Order
from pinterest_lake.tables import Lake
from tests.spark.batch import clean, load, version
from tests.spark.bucket import TOPICS, USER_ID
from tests.spark.source_rows import GEO, PIN

RELAXED, NEEDS_CORRECTION, OVERTAKEN, BEHIND, HELD, SAME = range(30001, 30007)


def pin(ind, title, **also):
    return {**PIN, "index": ind, "title": title, **also}


def at(partition, offset):
    return f"{TOPICS['pin']}:{partition}:{offset}"


def replay(lake, run_id, *, dry_run=False, letters_only=False, entities=("pin",), **choice):
    order = Order(run_id=run_id, dry_run=dry_run)
    chosen = Choice(entities=entities, **choice)
    return replay_quarantine.replay(lake, USER_ID, order, chosen, letters_only=letters_only)


def title(lake, ind):
    return [row.title for row in lake.table("pin").where(f"ind = {ind}").collect()]


def entry(lake, partition, offset):
    (row,) = lake.table("quarantine").where(f"partition = {partition} AND offset = {offset}").collect()
    return row


@pytest.fixture(scope="module")
def refused(lake, new_bucket) -> Lake:
    """Partition 0 holds records that are refused for their ``downloaded``, and others of their keys around them;
    partition 3 two keys that pass, and a refused record of each."""
    bucket = new_bucket()
    bad = {"downloaded": "poison"}
    rows = [
        pin(RELAXED, "bad", **bad),
        {"index": "x"},
        pin(OVERTAKEN, "bad", **bad),
        pin(OVERTAKEN, "later"),
        pin(BEHIND, "earlier"),
        pin(BEHIND, "bad", **bad),
    ]
    bucket.put("pin", rows)
    bucket.put("pin", [pin(HELD, "A"), pin(SAME, "A"), *({"index": str(ind)} for ind in (HELD, SAME))], partition=3)
    bucket.dead_letter("pin", json.dumps(pin(40001, "letter")).encode(), offset=6)
    uri = bucket.manifest({"pin": {0: (0, 7), 3: (0, 4)}}, run_id="first")
    load(lake, uri, "pin", "first")
    clean(lake, uri, "pin", "first")
    return lake


def state(lake):
    return {table: version(lake, table) for table in ("pin", "quarantine", "bronze_pin")}


def test_what_is_still_refused_stays(refused):
    before = state(refused)

    done = replay(refused, "r1", reasons=("ind_not_an_integer", "field_not_of_type"))["pin"]

    assert (done["records"], done["passing"]) == (6, 0)
    assert done["staying"] == {"field_not_of_type": 3, "ind_not_an_integer": 3}
    assert state(refused) == before
    assert entry(refused, 0, 0).replays == 0


def test_a_dry_run_writes_nothing_and_says_what_a_run_does(refused):
    before = state(refused)
    choice = {"positions": (at(0, 1),), "corrections": {at(0, 1): json.dumps(pin(NEEDS_CORRECTION, "right"))}}

    planned = replay(refused, "r2", dry_run=True, **choice)
    assert state(refused) == before
    assert planned["pin"]["listed"] == [
        {
            "position": at(0, 1),
            "object": entry(refused, 0, 1).object,
            "was": "ind_not_an_integer",
            "replays": 0,
            "corrected": True,
            "stays": None,
            "because": None,
        }
    ]

    assert replay(refused, "r2", **choice) == planned
    assert (planned["pin"]["inserted"], planned["pin"]["updated"], planned["pin"]["duplicates"]) == (1, 0, 0)
    assert title(refused, NEEDS_CORRECTION) == ["right"]
    kept = entry(refused, 0, 1)
    assert json.loads(kept.raw) == {"index": "x"}
    assert json.loads(kept.correction)["title"] == "right"
    assert (kept.reason, kept.replays, kept.released_by) == ("ind_not_an_integer", 1, "r2")

    after = state(refused)
    assert replay(refused, "r3", **choice)["pin"]["records"] == 0
    again = replay(refused, "r2", **choice)["pin"]
    assert (again["passing"], again["inserted"], again["duplicates"]) == (1, 0, 1)
    assert state(refused) == after


def test_a_correction_may_be_corrected_as_often_as_is_allowed(refused):
    """It was replayed once, by the test before."""

    def correct(run_id, said):
        choice = {"positions": (at(0, 1),), "max_replays": 2}
        return replay(refused, run_id, corrections={at(0, 1): json.dumps(pin(NEEDS_CORRECTION, said))}, **choice)["pin"]

    done = correct("again 2", "two")
    assert (done["passing"], done["inserted"], done["updated"]) == (1, 0, 1)
    assert title(refused, NEEDS_CORRECTION) == ["two"]
    assert entry(refused, 0, 1).replays == 2

    done = correct("again 3", "three")
    assert (done["passing"], done["staying"]) == (0, {"replayed_often": 1})
    assert title(refused, NEEDS_CORRECTION) == ["two"]


def test_a_dead_letter_passes(refused):
    done = replay(refused, "r4", letters_only=True)["pin"]

    assert (done["records"], done["passing"], done["inserted"]) == (1, 1, 1)
    assert title(refused, 40001) == ["letter"]
    assert entry(refused, 0, 6).released_by == "r4"


@pytest.fixture
def relaxed(monkeypatch):
    """Under these rules, ``downloaded`` may be a text."""

    def lenient(records, entity):
        text = F.coalesce("raw", F.to_json("record"))
        return read(with_record(records.withColumn("raw", F.replace(text, F.lit('"poison"'), F.lit("1")))), entity)

    for module in (silver, replay_quarantine):
        monkeypatch.setattr(module, "read", lenient)


def test_what_a_changed_rule_allows_counts_by_its_own_position(refused, relaxed):
    planned = replay(refused, "r5", dry_run=True, reasons=("field_not_of_type",))["pin"]
    done = replay(refused, "r5", reasons=("field_not_of_type",))["pin"]

    assert done == planned
    assert (done["records"], done["inserted"], done["updated"], done["duplicates"]) == (3, 1, 1, 1)
    assert title(refused, RELAXED) == ["bad"]
    assert title(refused, OVERTAKEN) == ["later"]
    assert title(refused, BEHIND) == ["bad"]
    assert entry(refused, 0, 2).released_by == "r5"


def test_a_correction_without_its_record_is_named(refused):
    with pytest.raises(ReplayError, match=r"corrections: nowhere:0:1: quarantine has no such record"):
        replay(refused, "r7", corrections={"nowhere:0:1": "{}"})


class Killed(BaseException):
    pass


def kill(*_, **__):
    raise Killed


def test_a_run_that_is_killed_before_it_marks_what_it_released_is_finished_by_the_next(refused, monkeypatch):
    choice = {"corrections": {at(3, 2): json.dumps(pin(HELD, "C"))}, "positions": (at(3, 2),)}
    with monkeypatch.context() as patched:
        patched.setattr(Lake, "change", kill)
        with pytest.raises(Killed):
            replay(refused, "killed", **choice)
    assert title(refused, HELD) == ["C"]
    assert entry(refused, 3, 2).released_at is None

    done = replay(refused, "next", **choice)["pin"]

    assert (done["passing"], done["inserted"], done["updated"], done["duplicates"]) == (1, 0, 0, 1)
    assert title(refused, HELD) == ["C"]
    assert (entry(refused, 3, 2).released_by, entry(refused, 3, 2).replays) == ("next", 1)


def test_a_daily_run_beside_it_is_not_undone(refused, monkeypatch, new_bucket):
    """It loads a later record that says what silver says already, so that it writes nothing itself."""
    bucket, remake, tries = new_bucket(), Lake.remake, []
    bucket.put("pin", [pin(SAME, "A")], partition=3, first=10)
    uri = bucket.manifest(run_id="daily")

    def overtaken(lake, *arguments, **named):
        if not tries:
            load(lake, uri, "pin", "daily")
            clean(lake, uri, "pin", "daily")
        tries.append(arguments[0])
        return remake(lake, *arguments, **named)

    monkeypatch.setattr(Lake, "remake", overtaken)
    choice = {"corrections": {at(3, 3): json.dumps(pin(SAME, "C"))}, "positions": (at(3, 3),)}

    done = replay(refused, "beside", **choice)["pin"]

    assert (done["passing"], done["inserted"], done["updated"], done["duplicates"]) == (1, 0, 0, 1)
    assert tries == ["pin", "pin"]
    assert title(refused, SAME) == ["A"]


STREAM = f"streaming-{USER_ID}-geo"
NEW, LATER, EARLIER = 30021, 30022, 30023


@pytest.fixture(scope="module")
def streamed(lake):
    """The stream's table holds two keys, with the sequence number 50; quarantine three records of a data stream."""
    stream_tables.create(lake, USER_ID, ["geo"])
    stored = [{"ind": ind, "country": "stored", "_sequence_number": "50"} for ind in (LATER, EARLIER)]
    lake.insert_missing(
        stream_tables.stream_table(USER_ID, "geo"),
        lake.rows(stored, "ind INT, country STRING, _sequence_number STRING"),
        "stored.ind = row.ind",
    )
    refused = [
        {"topic": STREAM, "object": f"shardId-000000000000@{number}", "raw": "{}", "reason": "no_ind", "message": ""}
        for number in (9, 100, 200)
    ]
    columns = "topic STRING, partition INT, offset BIGINT, object STRING, raw STRING, reason STRING, message STRING"
    quarantine(lake, lake.rows(refused, columns), "geo", "stream")
    return lake


def test_records_of_a_data_stream_go_into_its_table(streamed):
    records = {9: EARLIER, 100: NEW, 200: LATER}
    corrections = {
        f"{STREAM}:shardId-000000000000@{number}": json.dumps({**GEO, "ind": ind, "country": "corrected"})
        for number, ind in records.items()
    }
    choice = {"entities": ("geo",), "corrections": corrections}
    table = stream_tables.stream_table(USER_ID, "geo")

    planned = replay(streamed, "s1", dry_run=True, **choice)
    assert replay(streamed, "s1", **choice) == planned

    assert {name: planned["geo"][name] for name in ("passing", "inserted", "updated", "duplicates")} == {
        "passing": 3, "inserted": 1, "updated": 1, "duplicates": 1,
    }  # fmt: skip
    found = {row.ind: (row.country, row._sequence_number) for row in streamed.table(table).collect()}
    assert found == {NEW: ("corrected", "100"), LATER: ("corrected", "200"), EARLIER: ("stored", "50")}
    assert streamed.table("quarantine").where("stream = 'geo' AND released_by = 's1'").count() == 3
    assert replay(streamed, "s2", **choice)["geo"]["records"] == 0

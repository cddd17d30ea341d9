"""Clean: one row for each ind, the latest wins, a replay writes nothing, nothing is lost."""

from __future__ import annotations

import json

from batch import clean, files, load, version
from bucket import KAFKA_TIME
from test_cleaning import GEO, PIN, USER


def pin(ind, title):
    return {**PIN, "index": ind, "title": title}


def run(lake, bucket, intervals=None, run_id="run", stream="pin"):
    uri = bucket.manifest(intervals, run_id=run_id)
    load(lake, uri, stream, run_id)
    return clean(lake, uri, stream, run_id)


def titles(lake):
    return {row.ind: row.title for row in lake.table("pin").collect()}


def counts(records_in, inserted=0, updated=0, duplicates=0, quarantined=0, rows=None):
    return {
        "records_in": records_in,
        "inserted": inserted,
        "updated": updated,
        "duplicates": duplicates,
        "quarantined": quarantined,
        "rows": inserted if rows is None else rows,
    }


def test_of_one_ind_the_latest_line_counts(lake, bucket):
    bucket.put("pin", [pin(1, "old"), pin(2, "only"), pin(1, "new")])

    assert run(lake, bucket) == counts(3, inserted=2, duplicates=1)
    assert titles(lake) == {1: "new", 2: "only"}


def test_offsets_decide_inside_a_partition_even_against_the_clock(lake, bucket):
    bucket.put("pin", [pin(1, "old"), pin(1, "new")], times=[KAFKA_TIME + 9000, KAFKA_TIME])

    run(lake, bucket)

    assert titles(lake) == {1: "new"}


def test_time_decides_between_partitions(lake, bucket):
    bucket.put("pin", [pin(1, "later")], partition=0, times=[KAFKA_TIME + 9000])
    bucket.put("pin", [pin(9, "x"), pin(1, "earlier")], partition=1, times=[KAFKA_TIME, KAFKA_TIME])

    run(lake, bucket)

    assert titles(lake)[1] == "later"


def test_a_replay_writes_nothing(lake, bucket, real_rows):
    """The seeds' script started anew sends the same rows at new offsets."""
    bucket.put("pin", real_rows["pin"])
    size = len(real_rows["pin"])
    assert run(lake, bucket, run_id="1") == counts(size, inserted=size)
    before = sorted(lake.table("pin").collect()), files(lake, "pin"), version(lake, "pin")

    bucket.put("pin", real_rows["pin"], first=size)
    again = run(lake, bucket, {"pin": {0: (size, 2 * size)}}, run_id="2")

    assert again == counts(size, duplicates=size, rows=size)
    assert (sorted(lake.table("pin").collect()), files(lake, "pin"), version(lake, "pin")) == before


def test_a_rerun_writes_nothing(lake, bucket):
    bucket.put("pin", [pin(1, "one"), pin(2, "two"), {**PIN, "index": "poison"}])
    first = run(lake, bucket)
    before = sorted(lake.table("pin").collect()), version(lake, "pin"), lake.table("quarantine").collect()

    again = run(lake, bucket)

    assert first == counts(3, inserted=2, quarantined=1)
    assert again == counts(3, duplicates=2, quarantined=1, rows=2)
    assert (sorted(lake.table("pin").collect()), version(lake, "pin"), lake.table("quarantine").collect()) == before


def test_the_next_run_adds_replaces_and_leaves_alone(lake, bucket):
    bucket.put("pin", [pin(1, "one"), pin(2, "two"), pin(3, "three")])
    run(lake, bucket, run_id="1")
    bucket.put("pin", [pin(2, "TWO"), pin(3, "three"), pin(4, "four"), pin(4, "FOUR")], first=3)

    second = run(lake, bucket, {"pin": {0: (3, 7)}}, run_id="2")

    assert second == counts(4, inserted=1, updated=1, duplicates=2, rows=4)
    assert titles(lake) == {1: "one", 2: "TWO", 3: "three", 4: "FOUR"}
    lineage = {row.ind: (row._offset, row._run_id) for row in lake.table("pin").collect()}
    assert lineage == {1: (0, "1"), 2: (3, "2"), 3: (2, "1"), 4: (6, "2")}


def test_a_value_that_becomes_unknown_replaces_the_known_one(lake, bucket):
    bucket.put("pin", [pin(1, "one")])
    run(lake, bucket, run_id="1")
    bucket.put("pin", [pin(1, "No Title Data Available")], first=1)

    assert run(lake, bucket, {"pin": {0: (1, 2)}}, run_id="2")["updated"] == 1
    assert titles(lake) == {1: None}


def test_a_run_cleaned_late_undoes_nothing(lake, bucket):
    """a, then b, then a again, which looks unchanged; the run of b, cleaned anew, must not bring b back."""
    uris = []
    for offset, title in enumerate("aba"):
        bucket.put("pin", [pin(1, title)], first=offset)
        uris.append(bucket.manifest({"pin": {0: (offset, offset + 1)}}, run_id=str(offset)))
        load(lake, uris[offset])
    clean(lake, uris[0])
    clean(lake, uris[2])

    assert clean(lake, uris[1]) == counts(1, duplicates=1, rows=1)
    assert titles(lake) == {1: "a"}


def test_a_refused_line_that_follows_does_not_hold_a_run_back(lake, bucket):
    bucket.put("pin", [pin(1, "a"), pin(1, "b"), {**pin(1, "c"), "downloaded": "poison"}])
    uris = [bucket.manifest({"pin": {0: (n, n + 1)}}, run_id=str(n)) for n in range(3)]
    for uri in uris:
        load(lake, uri)
    clean(lake, uris[0])

    assert clean(lake, uris[2])["quarantined"] == 1
    assert clean(lake, uris[1])["updated"] == 1
    assert titles(lake) == {1: "b"}


def test_poison_is_kept_with_its_position_and_the_rows_around_it_pass(lake, bucket):
    bucket.put(
        "user",
        [
            {**USER, "ind": 1},
            {"value": USER},
            PIN,
            {**USER, "ind": None},
            {**USER, "ind": "seven"},
            {**USER, "ind": -7},
            {**USER, "age": "old"},
            {**USER, "ind": 2, "colour": "red"},
        ],
    )

    assert run(lake, bucket, stream="user") == counts(8, inserted=2, quarantined=6)
    kept = lake.table("quarantine").orderBy("offset").collect()
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


def test_a_run_of_nothing_but_poison_and_a_run_of_nothing(lake, bucket):
    bucket.put("geo", [{**GEO, "ind": None}])
    poison = run(lake, bucket, stream="geo")
    nothing = run(lake, bucket, {"geo": {0: (1, 1)}}, stream="geo")

    assert poison == counts(1, quarantined=1)
    assert nothing == counts(0)


def test_silver_keeps_where_a_row_comes_from(lake, bucket):
    bucket.put("geo", [{**GEO, "ind": 3}], partition=2, first=12)

    run(lake, bucket, {"geo": {2: (12, 13)}}, run_id="daily", stream="geo")

    row = lake.table("geo").first()
    assert row.asDict().keys() == {
        "ind", "country", "coordinates", "timestamp", "_topic", "_partition", "_offset", "_kafka_time", "_run_id"
    }  # fmt: skip
    assert (row._partition, row._offset, row._run_id) == (2, 12, "daily")

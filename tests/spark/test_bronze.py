"""Load: once for each position, whatever is replayed, rewritten, overlapping or broken.

Every fault has a partition of its own, so that a few loads do for all of them.
"""

from __future__ import annotations

import json
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from threading import Barrier
from types import SimpleNamespace

import pytest

from pinterest_lake.bronze import bookmark
from pinterest_lake.manifest import read_manifest
from tests.spark.batch import load, offsets, version
from tests.spark.bucket import KAFKA_TIME, TOMBSTONE, TOPICS, earlier_line, line
from tests.spark.source_rows import PIN, USER

ODD_TITLE = {**PIN, "title": "Farmhouse\nDining\u2028Room 🍂\r\u00a0"}

# Partitions of the topic of pins.
ODD, LONE, LATER, EMPTY, BYTES, EARLIER = 0, 1, 2, 3, 4, 5
KILLED, REWRITTEN, CUT_OUT, GROWN = 10, 11, 12, 13
OVERLAPPING, TWICE, WITH_GAP, BESIDE_GAP = 20, 21, 22, 23
BROKEN, BROKEN_EMPTY = 30, 31
ABORTED, RACED, MADE_AGAIN = 40, 41, 0


def pins(count, first=0):
    return [{**PIN, "index": ind} for ind in range(first, first + count)]


def counts(first, last, *, records_in, inserted):
    """``first`` and ``last`` offsets by partition."""
    return {
        "records_in": records_in,
        "inserted": inserted,
        "already_stored": records_in - inserted,
        "first": " ".join(f"p{partition}@{offset}" for partition, offset in first.items()),
        "last": " ".join(f"p{partition}@{offset}" for partition, offset in last.items()),
        "quarantined": 0,
    }


@pytest.fixture(scope="module")
def undisturbed(lake, new_bucket):
    """A position for every line, loaded twice."""
    bucket = new_bucket()
    key = bucket.put("pin", [ODD_TITLE], partition=ODD, first=40)
    bucket.put("pin", pins(5), partition=LONE)
    bucket.put("pin", pins(4, first=5), partition=LATER, first=7)
    bucket.put("pin", [], partition=EMPTY, first=5)
    bucket.put("pin", [b"not json", b"", b" ", b"\xff", TOMBSTONE, b"a\nb"], partition=BYTES)
    bucket.put("pin", [ODD_TITLE], partition=EARLIER, as_line=earlier_line)
    bucket.put("pin", [{**PIN, "_value": "eA=="}, {"_value": 5}], partition=EARLIER, first=1, as_line=earlier_line)
    bucket.put("pin", [PIN, {**PIN, "_value": "eA=="}], partition=EARLIER, first=3)
    uri = bucket.manifest({"pin": {EMPTY: (5, 5)}})
    first = load(lake, uri, run_id="run 1")
    rows = lake.table("bronze_pin").collect()
    again = load(lake, uri, run_id="again")
    return SimpleNamespace(key=key, first=first, again=again, rows=rows, rows_after=lake.table("bronze_pin").collect())


def records(undisturbed, partition):
    """By offset: the record as (JSON, text), of which one is None."""
    rows = [row for row in undisturbed.rows if row.partition == partition]
    return [(said(row), row.raw) for row in sorted(rows, key=lambda row: row.offset)]


def said(row):
    return row.record and json.loads(row.record.toJson())


def test_a_record_is_stored_as_it_was_sent_with_its_position(undisturbed):
    (stored,) = [row for row in undisturbed.rows if row.partition == ODD]

    assert (said(stored), stored.raw) == (ODD_TITLE, None)
    assert (stored.topic, stored.partition, stored.offset, stored.ind) == (TOPICS["pin"], ODD, 40, PIN["index"])
    assert stored.kafka_time.timestamp() == (KAFKA_TIME + 40) / 1000
    assert (stored.object, stored.run_id) == (undisturbed.key, "run 1")


def test_any_bytes_are_a_record(undisturbed):
    texts = ["not json", "", " ", "base64:/w==", None, "a\nb"]
    assert records(undisturbed, BYTES) == [(None, text) for text in texts]


def test_of_an_earlier_connector_the_line_is_the_record(undisturbed):
    """Whatever its own fields are called; and beside it lie lines of the connector that took its place."""
    earlier = [ODD_TITLE, {**PIN, "_value": "eA=="}, {"_value": 5}]

    assert records(undisturbed, EARLIER) == [
        *((json.loads(earlier_line(row, "pin", EARLIER, offset)), None) for offset, row in enumerate(earlier)),
        (PIN, None),
        ({**PIN, "_value": "eA=="}, None),
    ]
    inds = {row.offset: row.ind for row in undisturbed.rows if row.partition == EARLIER}
    assert inds == {0: PIN["index"], 1: PIN["index"], 2: None, 3: PIN["index"], 4: PIN["index"]}


def test_again_it_changes_nothing_and_counts_the_same(undisturbed):
    """The first count is the commit's, because every position has its line; the second is read from the table."""
    first = {ODD: 40, LONE: 0, LATER: 7, BYTES: 0, EARLIER: 0}
    last = {ODD: 40, LONE: 4, LATER: 10, BYTES: 5, EARLIER: 4}

    assert undisturbed.first == counts(first, last, records_in=21, inserted=21)
    assert undisturbed.again == counts(first, last, records_in=21, inserted=0)
    assert sorted(map(str, undisturbed.rows_after)) == sorted(map(str, undisturbed.rows))


@pytest.fixture(scope="module")
def interrupted(lake, new_bucket):
    """Two loads: the first finds one object of KILLED and a shorter one of REWRITTEN, the second what came after."""
    bucket = new_bucket()
    bucket.put("pin", pins(5), partition=KILLED)
    bucket.put("pin", pins(4), partition=REWRITTEN)
    bucket.put("pin", pins(10), partition=CUT_OUT)
    bucket.put("pin", pins(3), partition=GROWN)
    bucket.put("pin", pins(3, first=3), partition=GROWN, first=3)
    uri = bucket.manifest({"pin": {CUT_OUT: (3, 7)}}, run_id="1")
    bucket.put("pin", pins(6), partition=GROWN)
    first = load(lake, uri)

    bucket = new_bucket()
    bucket.put("pin", pins(5), partition=KILLED)
    bucket.put("pin", pins(5, first=5), partition=KILLED, first=5)
    bucket.put("pin", pins(9), partition=REWRITTEN)
    return first, load(lake, bucket.manifest({"pin": {REWRITTEN: (4, 9)}}, run_id="2"))


def test_a_retry_completes_a_run_and_the_next_run_is_counted_for_itself(interrupted):
    first, second = interrupted

    assert first == counts(
        {KILLED: 0, REWRITTEN: 0, CUT_OUT: 3, GROWN: 0},
        {KILLED: 4, REWRITTEN: 3, CUT_OUT: 6, GROWN: 5},
        records_in=19,
        inserted=19,
    )
    assert second == counts({KILLED: 0, REWRITTEN: 4}, {KILLED: 9, REWRITTEN: 8}, records_in=15, inserted=10)


def test_a_retry_after_a_kill_between_two_objects_completes_the_run(lake, interrupted):
    assert offsets(lake, KILLED) == [*range(10)]


def test_only_the_interval_of_the_run_is_taken(lake, interrupted):
    assert offsets(lake, CUT_OUT) == [3, 4, 5, 6]


def test_the_next_run_begins_in_the_middle_of_a_rewritten_object(lake, interrupted):
    assert offsets(lake, REWRITTEN) == [*range(9)]


def test_an_object_that_grew_after_the_manifest_does_not_repeat_another(lake, interrupted):
    """A worker crash between write and commit: the first object is written anew, longer, over the second one."""
    assert offsets(lake, GROWN) == [*range(6)]


def test_a_run_reads_no_file_of_another_run(lake, interrupted, bucket):
    before = set(lake.table("bronze_pin").inputFiles())
    bucket.put("pin", pins(5, first=10), partition=KILLED, first=10)
    uri = bucket.manifest(run_id="3")
    load(lake, uri)

    rows = lake.table("bronze_pin").where(read_manifest(lake.spark, uri).topics["pin"].held)

    assert read_files(rows).isdisjoint(before)
    assert read_files(rows)


def read_files(frame):
    """The files that a query opens, as Spark counts them after Delta has skipped files."""
    from pyspark.sql import functions as F

    return {row.file for row in frame.select(F.col("_metadata.file_path").alias("file")).distinct().collect()}


@pytest.fixture(scope="module")
def repeated(lake, new_bucket):
    """Offsets that stand in two lines, and a gap that a dead letter left; loaded twice."""
    bucket = new_bucket()
    bucket.put("pin", pins(6), partition=OVERLAPPING)
    bucket.put("pin", pins(6, first=3), partition=OVERLAPPING, first=3)
    key = bucket.put("pin", pins(3), partition=TWICE)
    bucket.objects["pin", TWICE][0]["lines"] = 4
    text = (bucket.folder / key).read_text()
    bucket.write(key, text + text.splitlines()[-1] + "\n")
    bucket.put("pin", [*pins(3), None, *pins(2, first=3)], partition=WITH_GAP)
    bucket.put("pin", pins(4, first=5), partition=BESIDE_GAP, first=7)
    uri = bucket.manifest()
    return load(lake, uri), load(lake, uri)


def test_lines_that_repeat_are_counted_once(repeated):
    """Not every position has a line: what is counted is read from the table."""
    first = {OVERLAPPING: 0, TWICE: 0, WITH_GAP: 0, BESIDE_GAP: 7}
    last = {OVERLAPPING: 8, TWICE: 2, WITH_GAP: 5, BESIDE_GAP: 10}

    assert repeated == (
        counts(first, last, records_in=21, inserted=21),
        counts(first, last, records_in=21, inserted=0),
    )


def test_objects_that_overlap_give_a_line_once(lake, repeated):
    assert offsets(lake, OVERLAPPING) == [*range(9)]


def test_a_line_twice_in_one_object_is_stored_once(lake, repeated):
    assert offsets(lake, TWICE) == [0, 1, 2]


def test_a_dead_letter_leaves_a_gap(lake, repeated):
    assert offsets(lake, WITH_GAP) == [0, 1, 2, 4, 5]
    assert offsets(lake, BESIDE_GAP) == [7, 8, 9, 10]


def test_dead_letters_and_broken_lines_are_kept_once_with_their_reason(lake, bucket):
    cut = line(PIN, "pin", BROKEN, 9)[:-30]
    foreign = json.dumps(PIN)
    bucket.put("pin", [*pins(2), None, cut, "no JSON", "[1, 2]", foreign], partition=BROKEN)
    bucket.put("pin", [], partition=BROKEN_EMPTY)
    bucket.dead_letter("pin", b"[{}]", offset=2, reason="array_of_rows", partition=BROKEN)
    bucket.dead_letter("pin", b"\xff\x00", offset=7, partition=BROKEN)
    bucket.dead_letter("user", b"poison", offset=0)
    uri = bucket.manifest({"pin": {BROKEN: (0, 8), BROKEN_EMPTY: (0, 0)}})

    loaded = [load(lake, uri), load(lake, uri, run_id="again")]

    assert [count["quarantined"] for count in loaded] == [6, 6]
    assert [count["inserted"] for count in loaded] == [2, 0]
    assert quarantined(lake) == [
        ("pin", None, None, "array_of_rows", "[1, 2]"),
        ("pin", None, None, "not_json_object", "no JSON"),
        ("pin", None, None, "truncated_json", cut),
        ("pin", None, None, "no_position", foreign),
        ("pin", BROKEN, 2, "array_of_rows", "[{}]"),
        ("pin", BROKEN, 7, "not_json_object", "base64:/wA="),
    ]
    assert {row.run_id for row in lake.table("quarantine").collect()} == {"run"}
    assert load(lake, uri, "user") == {
        "records_in": 0,
        "inserted": 0,
        "already_stored": 0,
        "first": None,
        "last": None,
        "quarantined": 1,
    }


def quarantined(lake):
    rows = lake.table("quarantine").orderBy("stream", "partition", "offset", "raw").collect()
    return [(row.stream, row.partition, row.offset, row.reason, row.raw) for row in rows]


def test_bookmark(spark, bucket):
    bucket.put("pin", pins(3))
    last = bucket.put("pin", pins(2), first=3)
    bucket.put("geo", [], partition=4)
    manifest = read_manifest(spark, bucket.manifest({"geo": {4: (7, 9)}}))

    geo = bookmark(manifest)[TOPICS["geo"]]["4"]
    assert bookmark(manifest)[TOPICS["pin"]] == {"0": {"next_offset": 5, "object": last}}
    assert geo["next_offset"] == 9


def test_a_missing_object_fails_the_load_and_stores_nothing(lake, bucket):
    key = bucket.put("geo", pins(3))
    uri = bucket.manifest()
    (bucket.folder / key).unlink()

    with pytest.raises(Exception, match=r"0000000000\.json"):
        load(lake, uri, "geo")
    assert version(lake, "bronze_geo") == 0


def test_what_an_object_holds_of_offsets_without_a_record_is_not_loaded(lake, bucket):
    """Offsets 2 and 3 were aborted; 5 is the marker, which no object holds."""
    bucket.put("pin", pins(5, first=900), partition=ABORTED)
    uri = bucket.manifest({"pin": {ABORTED: (0, 6)}}, empty={"pin": {ABORTED: [[2, 4], [5, 6]]}})

    first, again = load(lake, uri), load(lake, uri)

    assert first == counts({ABORTED: 0}, {ABORTED: 4}, records_in=3, inserted=3)
    assert again == counts({ABORTED: 0}, {ABORTED: 4}, records_in=3, inserted=0)
    assert offsets(lake, ABORTED) == [0, 1, 4]


def test_two_runs_that_overlap_store_each_record_once_though_they_load_at_the_same_time(lake, new_bucket):
    start = Barrier(2)

    def load_apart(first):
        bucket = new_bucket()
        bucket.put("pin", pins(40, first), partition=RACED, first=first)
        uri = bucket.manifest(run_id=f"raced {first}")
        start.wait(60)
        return load(replace(lake, spark=lake.spark.newSession()), uri)

    with ThreadPoolExecutor(2) as pool:
        loaded = [*pool.map(load_apart, (0, 20))]

    assert [count["records_in"] for count in loaded] == [40, 40]
    assert sum(count["inserted"] for count in loaded) == 60
    assert offsets(lake, RACED) == [*range(60)]


def test_a_topic_that_was_made_again_does_not_meet_its_old_offsets(lake, new_bucket):
    before, after = new_bucket(), new_bucket()
    for bucket, first in ((before, 950), (after, 960)):
        bucket.put("user", [{**USER, "ind": first + number} for number in range(3)], partition=MADE_AGAIN)
    renamed = f"{TOPICS['user']}#T2"
    load(lake, before.manifest(), entity="user")

    loaded = [load(lake, after.manifest(stored_as={"user": renamed}), entity="user") for _ in range(2)]

    assert [one["inserted"] for one in loaded] == [3, 0]
    assert [one["records_in"] for one in loaded] == [3, 3]
    rows = {(row.topic, row.offset, row.ind) for row in lake.table("bronze_user").where("ind >= 950").collect()}
    assert rows == {
        *((TOPICS["user"], number, 950 + number) for number in range(3)),
        *((renamed, number, 960 + number) for number in range(3)),
    }

"""Load: once for each position, whatever is replayed, rewritten, overlapping or broken."""

from __future__ import annotations

import json

import pytest
from batch import load, positions, version
from bucket import KAFKA_TIME, TOPICS, line
from test_cleaning import PIN

from pinterest_lake.bronze import bookmark
from pinterest_lake.manifest import ManifestError, read_manifest


def pins(count, first=0):
    return [{**PIN, "index": ind} for ind in range(first, first + count)]


def quarantined(lake):
    rows = lake.table("quarantine").orderBy("stream", "partition", "offset", "raw").collect()
    return [(row.stream, row.partition, row.offset, row.reason, row.raw) for row in rows]


def test_a_line_is_stored_as_it_is_with_its_position(lake, bucket):
    row = {**PIN, "title": "Farmhouse\nDining\u2028Room 🍂\r\u00a0"}
    key = bucket.put("pin", [row], partition=2, first=40)

    counts = load(lake, bucket.manifest({"pin": {2: (40, 41)}}), run_id="run 1")

    assert counts == {
        "records_in": 1,
        "inserted": 1,
        "already_stored": 0,
        "first": "p2@40",
        "last": "p2@40",
        "quarantined": 0,
    }
    stored = lake.table("bronze_pin").first()
    assert stored.raw == line(row, "pin", 2, 40)
    assert (stored.topic, stored.partition, stored.offset, stored.ind) == (TOPICS["pin"], 2, 40, PIN["index"])
    assert stored.kafka_time.timestamp() == (KAFKA_TIME + 40) / 1000
    assert (stored.object, stored.run_id) == (key, "run 1")


def test_again_it_changes_nothing_and_counts_the_same(lake, bucket):
    bucket.put("pin", pins(5))
    bucket.put("pin", pins(3, first=5), partition=1)
    uri = bucket.manifest()
    first = load(lake, uri)
    rows = lake.table("bronze_pin").collect()

    again = load(lake, uri, run_id="again")

    assert first == {
        "records_in": 8,
        "inserted": 8,
        "already_stored": 0,
        "first": "p0@0 p1@0",
        "last": "p0@4 p1@2",
        "quarantined": 0,
    }
    assert again == {**first, "inserted": 0, "already_stored": 8}
    assert sorted(lake.table("bronze_pin").collect()) == sorted(rows)


def test_a_retry_after_a_kill_between_two_objects_completes_the_run(lake, bucket):
    bucket.put("pin", pins(5))
    load(lake, bucket.manifest())
    bucket.put("pin", pins(5, first=5), first=5)

    counts = load(lake, bucket.manifest())

    assert (counts["records_in"], counts["inserted"], counts["already_stored"]) == (10, 5, 5)
    assert positions(lake) == [(0, offset) for offset in range(10)]


def test_only_the_interval_of_the_run_is_taken(lake, bucket):
    bucket.put("pin", pins(10))
    uri = bucket.manifest({"pin": {0: (3, 7)}})

    counts = load(lake, uri)

    assert (counts["inserted"], counts["first"], counts["last"]) == (4, "p0@3", "p0@6")
    assert positions(lake) == [(0, offset) for offset in (3, 4, 5, 6)]
    assert counts["quarantined"] == 0


@pytest.mark.parametrize("dead_letter", [False, True])
def test_what_is_counted_without_reading_is_what_bronze_holds(lake, bucket, dead_letter):
    """With a position for every line the commit's count is enough; with a gap the table is read."""
    bucket.put("pin", [*pins(3), *([None] if dead_letter else []), *pins(2, first=3)])
    bucket.put("pin", pins(4, first=5), partition=1, first=7)
    size = 6 if dead_letter else 5
    uri = bucket.manifest({"pin": {0: (0, size), 1: (7, 11), 2: (5, 5)}})

    first, again = load(lake, uri), load(lake, uri)

    assert (first["records_in"], first["inserted"]) == (9, 9)
    assert (first["first"], first["last"]) == ("p0@0 p1@7", f"p0@{size - 1} p1@10")
    assert again == {**first, "inserted": 0, "already_stored": 9}


def test_the_next_run_begins_in_the_middle_of_a_rewritten_object(lake, bucket):
    bucket.put("pin", pins(4))
    load(lake, bucket.manifest(run_id="1"))
    bucket.put("pin", pins(9))

    counts = load(lake, bucket.manifest({"pin": {0: (4, 9)}}, run_id="2"))

    assert (counts["records_in"], counts["inserted"], counts["already_stored"]) == (5, 5, 0)
    assert positions(lake) == [(0, offset) for offset in range(9)]


def test_an_object_that_grew_after_the_manifest_does_not_repeat_another(lake, bucket):
    """A worker crash between write and commit: the first object is written anew, longer, over the second one."""
    bucket.put("pin", pins(3))
    bucket.put("pin", pins(3, first=3), first=3)
    uri = bucket.manifest()
    bucket.put("pin", pins(6))

    assert load(lake, uri)["inserted"] == 6
    assert positions(lake) == [(0, offset) for offset in range(6)]


def test_objects_that_overlap_give_a_line_once(lake, bucket):
    bucket.put("pin", pins(6))
    bucket.put("pin", pins(6, first=3), first=3)

    assert load(lake, bucket.manifest())["inserted"] == 9
    assert positions(lake) == [(0, offset) for offset in range(9)]


def test_a_line_twice_in_one_object_is_stored_once(lake, bucket):
    key = bucket.put("pin", pins(3))
    bucket.objects["pin", 0][0]["lines"] = 4
    text = (bucket.folder / key).read_text()
    bucket.write(key, text + text.splitlines()[-1] + "\n")

    assert load(lake, bucket.manifest())["inserted"] == 3
    assert positions(lake) == [(0, 0), (0, 1), (0, 2)]


def test_dead_letters_and_broken_lines_are_kept_once_with_their_reason(lake, bucket):
    cut = line(PIN, "pin", 0, 9)[:-30]
    foreign = json.dumps(PIN)
    bucket.put("pin", [*pins(2), None, cut, "no JSON", "[1, 2]", foreign])
    bucket.put("pin", [], partition=1)
    bucket.dead_letter("pin", b"[{}]", offset=2, reason="array_of_rows")
    bucket.dead_letter("pin", b"\xff\x00", offset=7)
    bucket.dead_letter("user", b"poison", offset=0)
    uri = bucket.manifest({"pin": {0: (0, 8), 1: (0, 0)}})

    counts = [load(lake, uri), load(lake, uri, run_id="again")]

    assert [count["quarantined"] for count in counts] == [6, 6]
    assert [count["inserted"] for count in counts] == [2, 0]
    assert quarantined(lake) == [
        ("pin", None, None, "array_of_rows", "[1, 2]"),
        ("pin", None, None, "not_json_object", "no JSON"),
        ("pin", None, None, "truncated_json", cut),
        ("pin", None, None, "no_position", foreign),
        ("pin", 0, 2, "array_of_rows", "[{}]"),
        ("pin", 0, 7, "not_json_object", "base64:/wA="),
    ]
    assert {row.run_id for row in lake.table("quarantine").collect()} == {"run"}
    assert load(lake, uri, stream="user") == {
        "records_in": 0,
        "inserted": 0,
        "already_stored": 0,
        "first": None,
        "last": None,
        "quarantined": 1,
    }


def test_a_run_reads_no_file_of_another_run(lake, bucket):
    bucket.put("pin", pins(5))
    load(lake, bucket.manifest(run_id="1"))
    before = set(lake.table("bronze_pin").inputFiles())
    bucket.put("pin", pins(5, first=5), first=5)
    uri = bucket.manifest({"pin": {0: (5, 10)}}, run_id="2")
    load(lake, uri)

    rows = lake.table("bronze_pin").where(read_manifest(lake.spark, uri).topics["pin"].held)

    assert read_files(rows).isdisjoint(before)
    assert read_files(rows)


def read_files(frame):
    """The files that a query opens, as Spark counts them after Delta has skipped files."""
    from pyspark.sql import functions as F

    return {row.file for row in frame.select(F.col("_metadata.file_path").alias("file")).distinct().collect()}


def test_bookmark(spark, bucket):
    bucket.put("pin", pins(3))
    last = bucket.put("pin", pins(2), first=3)
    bucket.put("geo", [], partition=4)
    manifest = read_manifest(spark, bucket.manifest({"geo": {4: (7, 9)}}))

    geo = bookmark(manifest)[TOPICS["geo"]]["4"]
    assert bookmark(manifest)[TOPICS["pin"]] == {"0": {"next_offset": 5, "object": last}}
    assert geo["next_offset"] == 9


@pytest.mark.parametrize(
    ("text", "says"),
    [("{", "is not JSON"), ('{"topics": {}}', "'dead_letters' is missing"), ("{}", "'topics' is missing")],
)
def test_a_bad_manifest_is_named(spark, tmp_path, text, says):
    folder = tmp_path / "landing" / "dag" / "run"
    folder.mkdir(parents=True)
    (folder / "manifest.json").write_text(text)

    with pytest.raises(ManifestError, match=says) as caught:
        read_manifest(spark, f"file://{folder}/manifest.json")
    assert "manifest.json" in str(caught.value)


def test_a_missing_object_fails_the_load_and_stores_nothing(lake, bucket):
    key = bucket.put("pin", pins(3))
    uri = bucket.manifest()
    (bucket.folder / key).unlink()

    with pytest.raises(Exception, match=r"0000000000\.json"):
        load(lake, uri)
    assert version(lake, "bronze_pin") == 0

"""What the stream notebook reads of ``stream_batches`` for the run that started it."""

from __future__ import annotations

import json

import pytest
from pyspark.sql import Row

from pinterest_lake import stream_tables
from pinterest_lake.schemas import STREAM_BATCHES
from pinterest_lake.stream_counts import ProgressError, folded, of_run, read_ranges

BASE = 49_600_000_000_000_000_000_000_000_000_000_000_000_000_000_000_000_000_000
A, B = "shardId-000000000000", "shardId-000000000001"
USER_ID = "0e36c8cd403d"


def batch(number, shards, *, source="pins", query_id="q", run_id="r", at="2026-01-01T00:00:00Z"):
    """``shards``: first number, last number, records."""
    records = sum(one[2] for one in shards.values())
    return {
        "stream": "pin",
        "source": source,
        "query_id": query_id,
        "batch_id": number,
        "records": records,
        "inserted": records,
        "updated": 0,
        "superseded": 0,
        "quarantined": 0,
        "shards": [
            {"shard_id": s, "first": str(first), "last": str(last), "records": n}
            for s, (first, last, n) in shards.items()
        ],
        "last_arrival": at,
        "run_id": run_id,
        "committed_at": at,
    }


def row(*arguments, **more):
    values = batch(*arguments, **more)
    return Row(**{**values, "shards": [Row(**shard) for shard in values["shards"]]})


@pytest.fixture(scope="module")
def lake(bare_lake):
    stream_tables.create(bare_lake, USER_ID, [])
    rows = [
        batch(0, {A: (9, 9, 1)}, query_id="a", run_id="earlier"),
        batch(1, {A: (99, 1000, 4), B: (7, 8, 2)}, query_id="a", run_id="earlier", at="2026-01-01T00:00:01.500Z"),
        batch(2, {A: (1001, BASE, 3)}, query_id="a"),
        batch(3, {B: (9, 9, 1)}, query_id="a"),
        batch(4, {A: (BASE + 1, BASE + 2, 2)}, query_id="a", run_id="later"),
        batch(1, {A: (100, 100, 1)}, source="places", query_id="b", run_id="later"),
    ]
    stored = bare_lake.rows(rows, STREAM_BATCHES)
    stored.write.format("delta").mode("append").saveAsTable(bare_lake.name("stream_batches"))
    return bare_lake


def told(found):
    return [(one["source"], one["batch_id"], one["batches"], one["records"]) for one in found]


def test_the_batches_that_hold_a_runs_records_and_those_that_it_committed(lake):
    """Sequence numbers are text, and are compared as numbers: 1000 is more than 99 and less than 1001."""
    posted = {"pins": [{"shard_id": A, "first": "1000", "last": "1000"}], "places": []}

    found = of_run(lake, "r", posted)

    assert told(found["batches"]) == [("pins", 1, 1, 6), ("pins", 2, 2, 4)]
    assert found["batches"][1]["shards"] == [
        {"shard_id": A, "first": "1001", "last": str(BASE), "records": 3},
        {"shard_id": B, "first": "9", "last": "9", "records": 1},
    ]
    assert json.loads(json.dumps(found)) == found


def test_how_far_the_runs_shards_are_committed_by_whichever_run(lake):
    posted = {
        "pins": [{"shard_id": A, "first": "5", "last": "6"}],
        "places": [{"shard_id": B, "first": "1", "last": "2"}],
    }

    found = of_run(lake, "nobody", posted)

    (committed,) = found["committed"]
    assert (committed["source"], committed["shard_id"], committed["records"]) == ("pins", A, 10)
    assert int(committed["last"]) == BASE + 2
    assert committed["at"] == 1_767_225_601_500
    assert found["batches"] == []


def test_a_run_that_posted_nothing_has_what_it_committed(lake):
    found = of_run(lake, "later", {"pins": [], "places": []})

    assert told(found["batches"]) == [("pins", 4, 1, 2), ("places", 1, 1, 1)]
    assert found["committed"] == []


def test_thousands_of_batches_are_told_in_a_few_lines():
    rows = [row(number, {A: (number * 10, number * 10 + 5, 2)}) for number in range(5000)]
    rows += [row(number, {A: (number * 10, number * 10 + 5, 2)}) for number in (6000, 6001, 6003)]

    found = folded(rows)

    assert told(found) == [("pins", 0, 5000, 10_000), ("pins", 6000, 2, 4), ("pins", 6003, 1, 2)]
    assert found[0]["shards"] == [{"shard_id": A, "first": "0", "last": "49995", "records": 10_000}]
    assert len(json.dumps(found)) < 2000


@pytest.mark.parametrize("other", [{"query_id": "p"}, {"source": "places"}, {"run_id": "s"}])
def test_only_batches_of_one_query_and_run_are_told_as_one(other):
    assert len(folded([row(1, {A: (1, 1, 1)}), row(2, {A: (2, 2, 1)}, **other)])) == 2


def test_what_a_run_has_posted_is_read_from_its_progress(spark, tmp_path):
    progress = tmp_path / "run.stream.json"
    shard = {"shard_id": A, "first": "1", "last": "2"}
    progress.write_text(json.dumps({"entities": {"pin": {"shards": [{**shard, "count": 2, "sum": "3"}]}}}, indent=1))

    assert read_ranges(spark, f"file://{progress}", {"pin": "pins"}) == {"pins": [shard]}


@pytest.mark.parametrize(("content", "said"), [("{}", "'entities' is missing"), ("[", "is not JSON"), ("", "not JSON")])
def test_a_progress_that_is_none_is_named(spark, tmp_path, content, said):
    (tmp_path / "p.json").write_text(content)

    with pytest.raises(ProgressError, match=said):
        read_ranges(spark, f"file://{tmp_path}/p.json", {"pin": "pins"})

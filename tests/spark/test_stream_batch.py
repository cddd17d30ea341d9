"""One micro-batch: cleaned as the batch cleans, the greatest sequence number wins, every try counts the same."""

from __future__ import annotations

import base64
import json
from dataclasses import replace
from datetime import UTC, datetime

import pytest
from batch import clean, load
from test_cleaning import GEO, PIN, USER

from pinterest_lake import stream_tables
from pinterest_lake.stream_batch import Batch, Figures, store
from pinterest_lake.stream_records import cleaned
from pinterest_lake.stream_tables import stream_table

USER_ID = "0e36c8cd403d"
SOURCES = {stream: f"streaming-{USER_ID}-{stream}" for stream in ("pin", "geo", "user")}
KEYS = {"pin": "index", "geo": "ind", "user": "ind"}
RECORD = (
    "partitionKey STRING, data BINARY, stream STRING, shardId STRING, sequenceNumber STRING, "
    "approximateArrivalTimestamp TIMESTAMP"
)
ARRIVAL = datetime(2026, 1, 2, 3, 4, 5, tzinfo=UTC)
BASE = 49_600_000_000_000_000_000_000_000_000_000_000_000_000_000_000_000_000_000
SHARD = "shardId-000000000000"


def record(row, number, *, stream="pin", shard=SHARD):
    data = row if isinstance(row, bytes) else json.dumps(row).encode()
    return ("1", data, SOURCES[stream], shard, str(BASE + number), ARRIVAL)


def pin(ind, title, number, **where):
    return record({**PIN, "index": ind, "title": title}, number, **where)


@pytest.fixture
def batch(bare_lake):
    """The first of a query over the stream ``pin``."""
    stream_tables.create(bare_lake, USER_ID, ["pin"])
    return Batch(
        lake=bare_lake,
        user_id=USER_ID,
        run_id="run",
        data_streams={"pin": SOURCES["pin"]},
        query_id="query",
        number=0,
        may_be_replayed=False,
    )


def put(batch, *records):
    sent = batch.lake.spark.createDataFrame(records, RECORD)
    return store(
        batch,
        {stream: cleaned(sent.where(f"stream = '{source}'"), stream) for stream, source in batch.data_streams.items()},
    )


def figures(records, inserted=0, updated=0, superseded=0, quarantined=0):
    return {"pin": Figures(records, inserted, updated, superseded, quarantined)}


def titles(lake):
    return {row.ind: row.title for row in lake.table(stream_table(USER_ID, "pin")).collect()}


@pytest.mark.parametrize("stream", SOURCES)
def test_rows_are_what_the_batch_makes_of_them(batch, bucket, real_rows, stream):
    rows = real_rows[stream][:150]
    lake = batch.lake
    lake.create()
    stream_tables.create(lake, USER_ID, [stream])
    bucket.put(stream, rows)
    load(lake, bucket.manifest(), stream)
    clean(lake, bucket.manifest(), stream)

    put(
        replace(batch, data_streams={stream: SOURCES[stream]}),
        *(record(row, n, stream=stream) for n, row in enumerate(rows)),
    )

    streamed, batched = lake.table(stream_table(USER_ID, stream)), lake.table(stream)
    values = [name for name in batched.columns if not name.startswith("_")]
    assert streamed.columns == [*values, "_shard_id", "_sequence_number", "_arrived_at"]
    assert sorted(streamed.select(values).collect(), key=str) == sorted(batched.select(values).collect(), key=str)
    assert streamed.count() == len({json.dumps(row[KEYS[stream]]) for row in rows})


def test_a_row_knows_where_it_came_from(batch):
    put(batch, pin(1, "a", 5))

    row = batch.lake.table(stream_table(USER_ID, "pin")).first()
    assert (row._shard_id, row._sequence_number) == (SHARD, str(BASE + 5))
    assert row._arrived_at.astimezone(UTC) == ARRIVAL


def test_of_one_ind_the_greatest_sequence_number_counts(batch):
    records = pin(1, "old", 9), pin(2, "only", 2), pin(1, "new", 10, shard="shardId-000000000001")

    assert put(batch, *records) == figures(3, inserted=2, superseded=1)
    assert titles(batch.lake) == {1: "new", 2: "only"}


def test_numbers_of_different_length_are_compared_as_numbers(batch):
    short = ("1", json.dumps({**PIN, "index": 1, "title": "short"}).encode(), SOURCES["pin"], SHARD, "999", ARRIVAL)

    assert put(batch, pin(1, "long", 0), short) == figures(2, inserted=1, superseded=1)
    assert put(replace(batch, number=1), short) == figures(1, superseded=1)
    assert titles(batch.lake) == {1: "long"}


def test_a_later_batch_replaces_only_older_rows(batch):
    put(batch, pin(1, "first", 5), pin(2, "first", 6))

    assert put(replace(batch, number=1), pin(1, "older", 4), pin(2, "newer", 7), pin(3, "new", 8)) == figures(
        3, inserted=1, updated=1, superseded=1
    )
    assert titles(batch.lake) == {1: "first", 2: "newer", 3: "new"}


def test_poison_goes_to_quarantine_with_its_position_and_reason(batch):
    encoded = base64.b64encode(json.dumps(PIN).encode())
    poison = {
        "not_json_object": b"plain text",
        "array_of_rows": json.dumps([PIN]).encode(),
        "wrong_stream": json.dumps(USER).encode(),
        "no_ind": json.dumps({k: v for k, v in PIN.items() if k != "index"}).encode(),
        "ind_not_an_integer": json.dumps({**PIN, "index": "x"}).encode(),
        "ind_out_of_range": json.dumps({**PIN, "index": 2**31}).encode(),
        "truncated_json": json.dumps(PIN).encode()[:-5],
        "nested_value": json.dumps({"Data": PIN}).encode(),
    }
    texts = {
        "not_json_object": [json.dumps(encoded.decode()).encode(), encoded, b"", b"\xff\xfe"],
        **{reason: [raw] for reason, raw in poison.items() if reason != "not_json_object"},
    }
    sent = [(reason, raw) for reason, raws in texts.items() for raw in raws]

    counted = put(batch, *(record(raw, number) for number, (_, raw) in enumerate(sent)), pin(7, "good", 99))

    kept = {row.object: row for row in batch.lake.table("quarantine").collect()}
    assert counted == figures(len(sent) + 1, inserted=1, quarantined=len(sent))
    for number, (reason, raw) in enumerate(sent):
        row = kept[f"{SHARD}@{BASE + number}"]
        text = "base64://4=" if raw == b"\xff\xfe" else raw.decode()
        assert (row.reason, row.raw, row.topic, row.stream) == (reason, text, SOURCES["pin"], "pin")
        assert (row.partition, row.offset, row.replays, row.run_id) == (None, None, 0, "run")


def test_a_record_of_a_mebibyte_passes(batch):
    long = "x" * (1024 * 1024 - 700)

    assert put(batch, record({**PIN, "index": 1, "description": long}, 1)) == figures(1, inserted=1)
    assert batch.lake.table(stream_table(USER_ID, "pin")).first().description == long


def test_the_batch_says_what_it_held_by_shard(batch):
    other = "shardId-000000000001"
    put(batch, pin(1, "a", 3), pin(2, "b", 1), record(b"poison", 2), pin(3, "c", 4, shard=other))

    row = batch.lake.table("stream_batches").drop("committed_at", "last_arrival").first().asDict(recursive=True)

    assert row == {
        "stream": "pin",
        "source": SOURCES["pin"],
        "query_id": "query",
        "batch_id": 0,
        "records": 4,
        "inserted": 3,
        "updated": 0,
        "superseded": 0,
        "quarantined": 1,
        "shards": [
            {"shard_id": SHARD, "first": str(BASE + 1), "last": str(BASE + 3), "records": 3},
            {"shard_id": other, "first": str(BASE + 4), "last": str(BASE + 4), "records": 1},
        ],
        "run_id": "run",
    }


def test_a_batch_without_records_leaves_no_trace(batch):
    assert put(batch) == {}
    assert batch.lake.table("stream_batches").isEmpty()


SOME_ARE_STORED = [pin(1, "newer", 11), pin(2, "old", 12), pin(2, "new", 13), record(b"poison", 14)]
ALL_ARE_NEW = [pin(3, "only", 11), pin(2, "old", 12), pin(2, "new", 13), record(b"poison", 14)]


@pytest.mark.parametrize(
    ("records", "updated", "kept", "killed_after", "commits"),
    [
        pytest.param(SOME_ARE_STORED, 1, {1: "newer", 2: "new"}, 1, 4, id="rows inserted"),
        pytest.param(SOME_ARE_STORED, 1, {1: "newer", 2: "new"}, 2, 4, id="rows updated"),
        pytest.param(SOME_ARE_STORED, 1, {1: "newer", 2: "new"}, 3, 4, id="quarantine"),
        pytest.param(SOME_ARE_STORED, 1, {1: "newer", 2: "new"}, 4, 4, id="stream_batches"),
        pytest.param(ALL_ARE_NEW, 0, {1: "first", 2: "new", 3: "only"}, 1, 3, id="all rows inserted"),
    ],
)
def test_a_batch_tried_again_counts_and_writes_the_same(
    batch, monkeypatch, records, updated, kept, killed_after, commits
):
    """Killed after any of its commits, then replayed by a run that knows nothing."""
    from pinterest_lake import stream_batch
    from pinterest_lake.tables import Lake

    put(batch, pin(1, "first", 1))
    second = replace(batch, number=1)

    class Killed(BaseException):
        pass

    done = 0

    def counting(function):
        def call(*arguments, **named):
            nonlocal done
            if done == killed_after:
                raise Killed
            done += 1
            return function(*arguments, **named)

        return call

    with monkeypatch.context() as patched:
        for owner, name in ((Lake, "insert_missing"), (Lake, "update"), (stream_batch, "_append_once")):
            patched.setattr(owner, name, counting(getattr(owner, name)))
        try:
            put(second, *records)
        except Killed:
            assert done == killed_after < commits

    again = put(replace(second, may_be_replayed=True), *records)

    inserted = 2 - updated
    assert again == figures(4, inserted=inserted, updated=updated, superseded=1, quarantined=1)
    assert titles(batch.lake) == kept
    assert batch.lake.table("quarantine").count() == 1
    told = batch.lake.table("stream_batches").where("batch_id = 1").collect()
    assert [(row.records, row.inserted, row.updated, row.superseded, row.quarantined) for row in told] == [
        (4, inserted, updated, 1, 1)
    ]


def test_three_streams_of_one_query_are_kept_apart(batch):
    together = replace(batch, data_streams=SOURCES)
    stream_tables.create(batch.lake, USER_ID, SOURCES)
    rows = record(PIN, 1), record(GEO, 2, stream="geo"), record(USER, 3, stream="user"), record(USER, 4)

    counted = put(together, *rows)

    assert counted == {
        "pin": Figures(2, 1, 0, 0, 1),
        "geo": Figures(1, 1, 0, 0, 0),
        "user": Figures(1, 1, 0, 0, 0),
    }
    assert batch.lake.table("stream_batches").count() == 3

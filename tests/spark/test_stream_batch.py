"""One micro-batch: cleaned as the batch cleans, the greatest sequence number wins, every try counts the same.

Every fault has an ``ind`` of its own, so that a few batches do for all of them.
"""

from __future__ import annotations

import base64
import json
from dataclasses import replace
from datetime import UTC, datetime

import pytest

from pinterest_lake import stream_tables
from pinterest_lake.stream_batch import Batch, Figures, store
from pinterest_lake.stream_records import cleaned
from pinterest_lake.stream_tables import stream_table
from tests.spark.batch import clean, load, version
from tests.spark.source_rows import PIN, USER

USER_ID = "0e36c8cd403d"
OTHER_USER_ID = "1e36c8cd403d"
DATA_STREAMS = {entity: f"streaming-{USER_ID}-{entity}" for entity in ("pin", "geo", "user")}
KEYS = {"pin": "index", "geo": "ind", "user": "ind"}
RECORD = (
    "partitionKey STRING, data BINARY, stream STRING, shardId STRING, sequenceNumber STRING, "
    "approximateArrivalTimestamp TIMESTAMP"
)
ARRIVAL = datetime(2026, 1, 2, 3, 4, 5, tzinfo=UTC)
BASE = 49_600_000_000_000_000_000_000_000_000_000_000_000_000_000_000_000_000_000
SHARD, OTHER_SHARD = "shardId-000000000000", "shardId-000000000001"

KNOWN, TWICE, ONLY, LONG, OLDER, NEWER, HEAVY, NEW, GOOD = range(1, 10)
A_MEBIBYTE = "x" * (1024 * 1024 - 700)
SHORT = ("1", json.dumps({**PIN, "index": LONG, "title": "short"}).encode(), DATA_STREAMS["pin"], SHARD, "999", ARRIVAL)
ENCODED = base64.b64encode(json.dumps(PIN).encode())
POISON = [
    # reason, data
    ("not_json_object", json.dumps(ENCODED.decode()).encode()),
    ("not_json_object", ENCODED),
    ("not_json_object", b""),
    ("not_json_object", b"\xff\xfe"),
    ("array_of_rows", json.dumps([PIN]).encode()),
    ("wrong_stream", json.dumps(USER).encode()),
    ("no_ind", json.dumps({name: value for name, value in PIN.items() if name != "index"}).encode()),
    ("ind_not_an_integer", json.dumps({**PIN, "index": "x"}).encode()),
    ("ind_out_of_range", json.dumps({**PIN, "index": 2**31}).encode()),
    ("truncated_json", json.dumps(PIN).encode()[:-5]),
    ("nested_value", json.dumps({"Data": PIN}).encode()),
]
FIRST_POISON = 100  # its number
TENS = range(100, 150, 10)


def record(row, number, *, entity="pin", shard=SHARD):
    data = row if isinstance(row, bytes) else json.dumps(row).encode()
    return ("1", data, DATA_STREAMS[entity], shard, str(BASE + number), ARRIVAL)


def pin(ind, title, number, **where):
    return record({**PIN, "index": ind, "title": title}, number, **where)


@pytest.fixture(scope="module")
def batch(bare_lake):
    """The first of a query over the data stream of pins."""
    stream_tables.create(bare_lake, USER_ID, ["pin"])
    return Batch(
        lake=bare_lake,
        user_id=USER_ID,
        run_id="run",
        data_streams={"pin": DATA_STREAMS["pin"]},
        query_id="query",
        number=0,
        may_be_replayed=False,
    )


def put(batch, *records):
    sent = batch.lake.spark.createDataFrame(records, RECORD)
    return store(
        batch,
        {entity: cleaned(sent.where(f"stream = '{name}'"), entity) for entity, name in batch.data_streams.items()},
    )


def figures(records, inserted=0, updated=0, superseded=0, quarantined=0):
    return {"pin": Figures(records, inserted, updated, superseded, quarantined)}


def rows_of(lake):
    return {row.ind: row for row in lake.table(stream_table(USER_ID, "pin")).collect()}


@pytest.fixture(scope="module")
def first_batch(batch):
    return put(
        batch,
        *(record(raw, FIRST_POISON + number) for number, (_, raw) in enumerate(POISON)),
        pin(GOOD, "good", 199),
        pin(KNOWN, "a", 5),
        pin(TWICE, "old", 9),
        pin(ONLY, "only", 2),
        pin(TWICE, "new", 10, shard=OTHER_SHARD),
        pin(LONG, "long", 0),
        SHORT,
        pin(OLDER, "first", 21),
        pin(NEWER, "first", 22),
        record({**PIN, "index": HEAVY, "description": A_MEBIBYTE}, 23),
    )


@pytest.fixture(scope="module")
def rows_of_first_batch(batch, first_batch):
    return rows_of(batch.lake)


@pytest.fixture(scope="module")
def second_batch(batch, rows_of_first_batch):
    return put(replace(batch, number=1), SHORT, pin(OLDER, "older", 20), pin(NEWER, "newer", 24), pin(NEW, "new", 25))


def test_every_record_is_counted(first_batch):
    assert first_batch == figures(10 + len(POISON), inserted=8, superseded=2, quarantined=len(POISON))


def test_a_row_knows_where_it_came_from(rows_of_first_batch):
    row = rows_of_first_batch[KNOWN]

    assert (row._shard_id, row._sequence_number) == (SHARD, str(BASE + 5))
    assert row._arrived_at.astimezone(UTC) == ARRIVAL


def test_of_one_ind_the_greatest_sequence_number_counts(rows_of_first_batch):
    assert rows_of_first_batch[TWICE].title == "new"
    assert rows_of_first_batch[ONLY].title == "only"


def test_numbers_of_different_length_are_compared_as_numbers(batch, rows_of_first_batch, second_batch):
    """Inside a batch, and with the row that is stored."""
    assert rows_of_first_batch[LONG].title == "long"
    assert rows_of(batch.lake)[LONG].title == "long"


def test_a_later_batch_replaces_only_older_rows(batch, rows_of_first_batch, second_batch):
    assert second_batch == figures(4, inserted=1, updated=1, superseded=2)
    titles = {ind: row.title for ind, row in rows_of(batch.lake).items()}
    before = {ind: row.title for ind, row in rows_of_first_batch.items()}
    assert (before[OLDER], before[NEWER]) == ("first", "first")
    assert titles == {**before, NEWER: "newer", NEW: "new"}


def test_poison_goes_to_quarantine_with_its_position_and_reason(batch, second_batch):
    kept = {row.object: row for row in batch.lake.table("quarantine").where("run_id = 'run'").collect()}

    assert len(kept) == len(POISON)
    for number, (reason, raw) in enumerate(POISON, start=FIRST_POISON):
        row = kept[f"{SHARD}@{BASE + number}"]
        text = "base64://4=" if raw == b"\xff\xfe" else raw.decode()
        is_json = reason not in ("not_json_object", "truncated_json") or text.startswith('"')
        assert (json.loads(row.raw) == json.loads(text)) if is_json else (row.raw == text)
        assert (row.reason, row.topic, row.stream) == (reason, DATA_STREAMS["pin"], "pin")
        assert (row.partition, row.offset, row.replays, row.run_id) == (None, None, 0, "run")


def test_what_a_new_checkpoint_reads_again_is_in_quarantine_once(batch, second_batch):
    again = replace(batch, query_id="another query", may_be_known=True)

    reread = put(again, *(record(raw, FIRST_POISON + number) for number, (_, raw) in enumerate(POISON)))

    assert reread == figures(len(POISON), quarantined=len(POISON))
    assert batch.lake.table("quarantine").where("stream = 'pin'").count() == len(POISON)


def test_a_record_of_a_mebibyte_passes(rows_of_first_batch):
    assert rows_of_first_batch[HEAVY].description == A_MEBIBYTE


def test_the_batch_says_what_it_held_by_shard(batch, first_batch):
    (row,) = batch.lake.table("stream_batches").where("query_id = 'query' AND batch_id = 0").collect()

    assert row.last_arrival.astimezone(UTC) == ARRIVAL
    said = row.asDict(recursive=True)
    del said["committed_at"], said["last_arrival"]
    assert said == {
        "stream": "pin",
        "source": DATA_STREAMS["pin"],
        "query_id": "query",
        "batch_id": 0,
        "records": 10 + len(POISON),
        "inserted": 8,
        "updated": 0,
        "superseded": 2,
        "quarantined": len(POISON),
        "shards": [
            {"shard_id": SHARD, "first": "999", "last": str(BASE + 199), "records": 9 + len(POISON)},
            {"shard_id": OTHER_SHARD, "first": str(BASE + 10), "last": str(BASE + 10), "records": 1},
        ],
        "run_id": "run",
    }


def test_a_batch_without_records_leaves_no_trace(batch, second_batch):
    tables = ("stream_batches", "quarantine", stream_table(USER_ID, "pin"))
    before = [version(batch.lake, table) for table in tables]

    assert put(replace(batch, number=2)) == {}
    assert [version(batch.lake, table) for table in tables] == before


@pytest.fixture(scope="module")
def both_routes(batch, new_bucket, real_rows):
    """Rows of the three entities through the batch's tables, and through one query over three data streams, with a
    record of users' in the data stream of pins."""
    lake = batch.lake
    lake.create()
    stream_tables.create(lake, OTHER_USER_ID, DATA_STREAMS)
    rows = {entity: real_rows[entity][:150] for entity in DATA_STREAMS}
    bucket = new_bucket()
    for entity in DATA_STREAMS:
        bucket.put(entity, rows[entity])
    uri = bucket.manifest()
    for entity in DATA_STREAMS:
        load(lake, uri, entity)
        clean(lake, uri, entity)
    together = replace(batch, user_id=OTHER_USER_ID, data_streams=DATA_STREAMS, query_id="together", run_id="together")
    records = [record(row, number, entity=entity) for entity in rows for number, row in enumerate(rows[entity])]
    return rows, put(together, *records, record(USER, 1000))


@pytest.mark.parametrize("entity", DATA_STREAMS)
def test_rows_are_what_the_batch_makes_of_them(batch, both_routes, entity):
    lake = batch.lake
    rows, _ = both_routes

    streamed, batched = lake.table(stream_table(OTHER_USER_ID, entity)), lake.table(entity)
    values = [name for name in batched.columns if not name.startswith("_")]
    assert streamed.columns == [*values, "_shard_id", "_sequence_number", "_arrived_at"]
    stored = streamed.select(values).collect()
    assert sorted(stored, key=str) == sorted(batched.select(values).collect(), key=str)
    assert len(stored) == len({json.dumps(row[KEYS[entity]]) for row in rows[entity]})


def test_three_data_streams_of_one_query_are_kept_apart(batch, both_routes):
    _, counted = both_routes

    assert counted == {
        "pin": Figures(151, 150, 0, 0, 1),
        "geo": Figures(150, 150, 0, 0, 0),
        "user": Figures(150, 150, 0, 0, 0),
    }
    assert batch.lake.table("stream_batches").where("query_id = 'together'").count() == 3


@pytest.fixture(scope="module")
def stored_before(batch):
    """For each batch that is tried again, a row that an earlier batch stored; their keys are ten apart."""
    put(replace(batch, query_id="before", run_id="before"), *(pin(ten + 1, "first", 1) for ten in TENS))


def some_are_stored(ten):
    return [pin(ten + 1, "newer", 11), pin(ten + 2, "old", 12), pin(ten + 2, "new", 13), record(b"poison", 14)]


def all_are_new(ten):
    return [pin(ten + 3, "only", 11), pin(ten + 2, "old", 12), pin(ten + 2, "new", 13), record(b"poison", 14)]


@pytest.mark.parametrize(
    ("ten", "records", "updated", "kept", "killed_after", "commits"),
    [
        pytest.param(TENS[0], some_are_stored, 1, {1: "newer", 2: "new"}, 1, 4, id="rows inserted"),
        pytest.param(TENS[1], some_are_stored, 1, {1: "newer", 2: "new"}, 2, 4, id="rows updated"),
        pytest.param(TENS[2], some_are_stored, 1, {1: "newer", 2: "new"}, 3, 4, id="quarantine"),
        pytest.param(TENS[3], some_are_stored, 1, {1: "newer", 2: "new"}, 4, 4, id="stream_batches"),
        pytest.param(TENS[4], all_are_new, 0, {1: "first", 2: "new", 3: "only"}, 1, 3, id="all rows inserted"),
    ],
)
def test_a_batch_tried_again_counts_and_writes_the_same(
    batch, stored_before, monkeypatch, ten, records, updated, kept, killed_after, commits
):
    """Killed after any of its commits, then replayed by a run that knows nothing."""
    from pinterest_lake import stream_batch
    from pinterest_lake.tables import Lake

    lake = batch.lake
    second = replace(batch, number=1, query_id=f"tried again {ten}", run_id=f"tried again {ten}")

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
            put(second, *records(ten))
        except Killed:
            assert done == killed_after < commits

    again = put(replace(second, may_be_replayed=True), *records(ten))

    inserted = 2 - updated
    assert again == figures(4, inserted=inserted, updated=updated, superseded=1, quarantined=1)
    own = {ind - ten: row.title for ind, row in rows_of(lake).items() if ten <= ind < ten + 10}
    assert own == kept
    assert lake.table("quarantine").where(f"run_id = '{second.run_id}'").count() == 1
    told = lake.table("stream_batches").where(f"query_id = '{second.query_id}'").collect()
    assert [(row.records, row.inserted, row.updated, row.superseded, row.quarantined) for row in told] == [
        (4, inserted, updated, 1, 1)
    ]

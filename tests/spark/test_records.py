"""What a record says, and that both routes read the same in it: one table of texts, sent through Kafka and Kinesis."""

from __future__ import annotations

import json
from datetime import UTC, datetime
from types import SimpleNamespace

import pytest

from pinterest_lake import stream_tables
from pinterest_lake.stream_batch import Batch, store
from pinterest_lake.stream_records import cleaned
from pinterest_lake.stream_tables import stream_table
from tests.json_texts import FOREIGN, KEY, PASSED, REFUSED
from tests.spark.batch import clean, load
from tests.spark.bucket import TOMBSTONE

USER_ID = "0e36c8cd403d"
RECORD = "data BINARY, shardId STRING, sequenceNumber STRING, approximateArrivalTimestamp TIMESTAMP"
ARRIVAL = datetime(2026, 1, 2, 3, 4, 5, tzinfo=UTC)
STORED = {ind: json.dumps({"index": ind, "title": "kept"}).encode() for ind in (1, 42, FOREIGN)}

OWN_KEYS = {name: 10_000 + number for number, name in enumerate(PASSED)}
TEXTS = {name: text.replace(KEY, b"%d" % OWN_KEYS[name]) for name, text in PASSED.items()}
SENT = [*STORED.values(), *TEXTS.values(), *(text for text, _ in REFUSED.values())]
NUMBERS = {name: number for number, name in enumerate([*STORED, *TEXTS, *REFUSED])}


@pytest.fixture(scope="module")
def batch(lake, new_bucket):
    bucket = new_bucket()
    bucket.put("pin", [TOMBSTONE if text is None else text for text in SENT])
    uri = bucket.manifest()
    loaded, counted = load(lake, uri), clean(lake, uri)
    refused = lake.table("quarantine").where("offset IS NOT NULL").collect()
    return SimpleNamespace(
        loaded=loaded,
        counted=counted,
        rows={row.ind: row for row in lake.table("pin").collect()},
        refused={row.offset: row for row in refused},
    )


@pytest.fixture(scope="module")
def stream(lake, batch):
    """A data stream has no records without a value."""
    stream_tables.create(lake, USER_ID, ["pin"])
    sent = [(text, "shard", str(number), ARRIVAL) for number, text in enumerate(SENT) if text is not None]
    records = lake.spark.createDataFrame(sent, RECORD)
    name = f"streaming-{USER_ID}-pin"
    query = Batch(lake, USER_ID, "run", {"pin": name}, query_id="query", number=0, may_be_replayed=False)
    counted = store(query, {"pin": cleaned(records, "pin")})
    refused = lake.table("quarantine").where("offset IS NULL").collect()
    return SimpleNamespace(
        counted=counted["pin"],
        rows={row.ind: row for row in lake.table(stream_table(USER_ID, "pin")).collect()},
        refused={int(row.object.partition("@")[2]): row for row in refused},
    )


def said(row):
    return {name: value for name, value in row.asDict().items() if not name.startswith("_")}


@pytest.mark.parametrize("name", PASSED)
def test_passes(batch, stream, name):
    ind, number = OWN_KEYS[name], NUMBERS[name]

    assert number not in batch.refused
    assert number not in stream.refused
    assert said(batch.rows[ind]) == said(stream.rows[ind])


@pytest.mark.parametrize("name", REFUSED)
def test_is_refused(batch, stream, name):
    text, reason = REFUSED[name]
    found = batch.refused[NUMBERS[name]]

    assert (found.reason, bool(found.message)) == (reason, True)
    if text is None:
        assert found.raw is None
    else:
        streamed = stream.refused[NUMBERS[name]]
        assert (streamed.reason, streamed.message, streamed.raw) == (found.reason, found.message, found.raw)


def test_no_refused_record_touches_a_stored_row(batch, stream):
    for route in (batch, stream):
        assert {ind: row.title for ind, row in route.rows.items() if ind in STORED} == dict.fromkeys(STORED, "kept")
        assert route.rows.keys() == {*STORED, *OWN_KEYS.values()}


def test_every_record_is_counted(batch, stream):
    passed = len(STORED) + len(PASSED)

    assert (batch.loaded["records_in"], batch.loaded["quarantined"]) == (len(SENT), 0)
    assert (batch.counted["inserted"], batch.counted["quarantined"]) == (passed, len(REFUSED))
    assert (stream.counted.inserted, stream.counted.quarantined) == (passed, len(REFUSED) - 1)


def test_texts_arrive_as_they_were_sent(batch):
    escapes, blank = batch.rows[OWN_KEYS["escapes"]], batch.rows[OWN_KEYS["braces in a text"]]

    assert (escapes.title, escapes.description) == ("é🚗/", "é🚗\u2028")
    assert (blank.title, blank.description) == ("{a}],[{}", "}")


def test_what_is_not_utf8_is_kept_as_base64(batch):
    kept = batch.refused[NUMBERS["UTF-16"]]

    assert kept.raw == "base64://57ACIAaQBuAGQAZQB4ACIAOgAyADgANgAzAH0A"

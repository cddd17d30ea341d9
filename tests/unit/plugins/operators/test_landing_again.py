"""What the bucket holds is loaded again: exactly that, and what is missing is named."""

from __future__ import annotations

import base64
import json
from datetime import UTC, datetime
from types import SimpleNamespace

import pytest
from airflow.providers.common.compat.sdk import AirflowFailException

from include import bucket_layout
from include.landing.bookmark import Bookmark, Place
from include.landing.document import LandingError, dump
from include.landing.interval import Interval
from pinterest import run_documents
from pinterest.operators import landing_again as module
from pinterest.operators.landing_again import LandedAgainOperator
from tests.builders import Bucket, settings

TOPIC = "0e36c8cd403d.pin"
DAG, RUN = "pinterest_replay", "manual__1"
LAKE = {"catalog": "main", "schema_name": "pinterest", "tables": {"bronze_pin": "b1"}}


class DatedBucket(Bucket):
    """Every object was written on the day of the month that ``days`` says, or on the first."""

    def __init__(self):
        super().__init__()
        self.days = {}

    def page(self, **asked):
        page = super().page(**asked)
        for item in page["Contents"]:
            item["LastModified"] = datetime(2026, 1, self.days.get(item["Key"], 1), tzinfo=UTC)
        return page


def put(bucket, first, offsets, day=1, partition=0):
    key = bucket_layout.sink_object(TOPIC, partition, first)
    value = base64.b64encode(b"{}").decode()
    lines = [
        json.dumps(
            {"_value": value, "_topic": TOPIC, "_partition": partition, "_offset": offset}, separators=(",", ":")
        )
        for offset in offsets
    ]
    bucket.objects[key] = "".join(f"{line}\n" for line in lines).encode()
    bucket.days[key] = day


@pytest.fixture
def bucket(monkeypatch):
    """Offsets 0 to 9, of which 4 was a dead letter and 5 a marker; the bookmark is at 10, and 10 is in the bucket."""
    bucket = DatedBucket()
    monkeypatch.setattr(run_documents, "S3Hook", bucket)
    monkeypatch.setattr(module, "settings", settings)
    put(bucket, 0, range(4))
    put(bucket, 6, range(6, 9), day=2)
    put(bucket, 9, range(9, 11), day=3)
    before = Interval.model_validate(
        {"topics": {"pin": {"topic": TOPIC, "partitions": {"0": {"from": 0, "to": 10, "empty": [[5, 6]]}}}}}
    )
    letter = {"entity": "pin", "topic": TOPIC, "partition": 0, "offset": 4, "raw_base64": "eA=="}
    bucket.objects["landing/pinterest_batch/1/interval.json"] = dump(before).encode()
    bucket.objects["landing/pinterest_batch/1/dead_letters.jsonl"] = f"{json.dumps(letter)}\n".encode()
    bucket.objects["landing/0e36c8cd403d.json"] = dump(bookmark(LAKE)).encode()
    return bucket


def bookmark(lake):
    return Bookmark.model_validate({"lake": lake, "topics": {TOPIC: {"0": Place(next_offset=10)}}})


def load(since="", positions=(), dry_run="False"):
    operator = LandedAgainOperator(
        task_id="objects", since=since, positions=json.dumps(list(positions)), is_dry_run=dry_run
    )
    return operator.execute({"ti": SimpleNamespace(dag_id=DAG), "run_id": RUN})


def manifest(bucket):
    return bucket.json(bucket_layout.manifest(DAG, RUN))


def landed(bucket):
    return next(one for one in bucket.json(bucket_layout.ledger(DAG, RUN, "landed")) if one["entity"] == "pin")


def test_everything_up_to_the_bookmark_is_loaded_again(bucket):
    assert load() == {"pin": 8, "geo": 0, "user": 0}

    partition = manifest(bucket)["topics"]["pin"]["partitions"]["0"]
    assert (partition["from"], partition["to"], partition["empty"]) == (0, 10, [[5, 6]])
    assert [one["first_offset"] for one in partition["objects"]] == [0, 6, 9]
    assert manifest(bucket)["lake"]["tables"] is None, "any tables will do"
    assert manifest(bucket)["dead_letters"]["by_entity"] == {"pin": 1}
    assert [one["offset"] for one in bucket.json_lines(bucket_layout.dead_letters(DAG, RUN))] == [4]
    entry = landed(bucket)
    assert (entry["records_in"], entry["records_out"], entry["quarantined"], entry["positions"]) == (9, 8, 1, [])
    assert bucket.json("landing/0e36c8cd403d.json")["topics"] != {}


def test_a_dry_run_writes_nothing(bucket):
    before = dict(bucket.objects)

    assert load(dry_run="True") == {"pin": 8, "geo": 0, "user": 0}
    assert bucket.objects == before


@pytest.mark.parametrize(
    ("since", "positions", "start", "objects"),
    [
        ("2026-01-02", (), 6, [6, 9]),
        ("2026-01-03", (), 9, [9]),
        ("", (f"{TOPIC}:0:7",), 7, [6, 9]),
    ],
)
def test_a_part_is_loaded_into_the_tables_that_are_known(bucket, since, positions, start, objects):
    load(since, positions)

    partition = manifest(bucket)["topics"]["pin"]["partitions"]["0"]
    assert (partition["from"], partition["to"]) == (start, 10)
    assert [one["first_offset"] for one in partition["objects"]] == objects
    assert manifest(bucket)["lake"]["tables"] == LAKE["tables"]


def test_nothing_came_since(bucket):
    assert load("2026-01-04") == {"pin": 0, "geo": 0, "user": 0}
    assert manifest(bucket)["topics"]["pin"]["partitions"] == {}


def test_without_a_bookmark_the_last_object_is_the_end(bucket):
    del bucket.objects["landing/0e36c8cd403d.json"]

    assert load()["pin"] == 9
    assert manifest(bucket)["topics"]["pin"]["partitions"]["0"]["to"] == 11


def test_an_object_that_is_gone_is_lost_and_named(bucket):
    del bucket.objects[bucket_layout.sink_object(TOPIC, 0, 6)]

    load()

    entry = landed(bucket)
    assert (entry["records_in"], entry["records_out"], entry["positions"]) == (9, 5, ["p0@6-8"])


@pytest.mark.parametrize("dry_run", ["True", "False"])
def test_what_only_an_expired_document_could_explain_is_not_loaded(bucket, dry_run):
    del bucket.objects["landing/pinterest_batch/1/interval.json"]
    del bucket.objects["landing/pinterest_batch/1/dead_letters.jsonl"]
    before = dict(bucket.objects)

    with pytest.raises(LandingError) as error:
        load(dry_run=dry_run)

    assert "0e36c8cd403d.pin partition 0: offsets 4-5 are in no object" in str(error.value)
    assert "landing/pinterest_…/interval.json" in str(error.value)
    assert "they are kept for 90 days (maintenance.run_days)" in str(error.value)
    assert bucket.objects == before


def test_without_documents_what_the_objects_hold_is_loaded(bucket):
    del bucket.objects["landing/pinterest_batch/1/interval.json"]
    del bucket.objects["landing/pinterest_batch/1/dead_letters.jsonl"]

    assert load(positions=[f"{TOPIC}:0:6"])["pin"] == 4
    assert landed(bucket)["positions"] == []


def test_a_replay_is_enough_for_the_next_one(bucket):
    """Its own documents say what it knew, when those of the first run have expired."""
    load()
    del bucket.objects["landing/pinterest_batch/1/interval.json"]
    del bucket.objects["landing/pinterest_batch/1/dead_letters.jsonl"]

    assert load() == {"pin": 8, "geo": 0, "user": 0}
    assert landed(bucket)["quarantined"] == 1


def test_another_lake_is_loaded_whole_and_its_bookmark_starts_over(bucket):
    bucket.objects["landing/0e36c8cd403d.json"] = dump(bookmark({**LAKE, "schema_name": "other"})).encode()

    with pytest.raises(AirflowFailException, match=r"lake main\.other, and this one is main\.pinte"):
        load("2026-01-02")
    assert load()["pin"] == 8
    known = bucket.json("landing/0e36c8cd403d.json")
    assert (known["lake"]["schema_name"], known["topics"]) == ("pinterest", {})


@pytest.mark.parametrize(
    ("position", "said"),
    [
        (f"{TOPIC}:9:0", "the bucket holds nothing of 0e36c8cd403d.pin partition 9"),
        ("s:shardId-0@1", "got 's:shardId-0@1', expected <topic>:<partition>:<offset> to load from"),
    ],
)
def test_a_position_that_cannot_be_is_named(bucket, position, said):
    with pytest.raises(LandingError, match=said):
        load(positions=[position])

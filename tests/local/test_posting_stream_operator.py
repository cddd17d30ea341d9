"""The task that puts rows into Kinesis: what it leaves in the bucket beside what posting to Kafka leaves there."""

from __future__ import annotations

import io
import json
from collections import Counter
from types import SimpleNamespace

import pytest
from airflow.models.connection import Connection
from fake_rest_api import API_KEY, Fault
from fake_stream_api import THROTTLED, FakeStreamApi, kinesis_error
from sqlalchemy import create_engine

from include.api_sender import PostingError, RetryPolicy
from include.ledger import parse_entries, reconcile
from include.posting_order import PostingOrderError
from include.settings import STREAMS
from pinterest.operators import posting as module
from pinterest.operators.posting import PostRecordsOperator, PutRecordsOperator

BUCKET = "user-0e36c8cd403d-bucket"
SEED_100 = [7528, 2863, 5730, 8304, 8731, 1313, 4315, 10794, 5494, 5069, 2923, 3089, 6063, 3454, 7554, 6145]
NAMES = {stream: f"streaming-0e36c8cd403d-{stream}" for stream in STREAMS}


class Bucket:
    exceptions = SimpleNamespace(NoSuchKey=KeyError)

    def __init__(self):
        self.objects: dict[str, str] = {}

    def __call__(self, **_):
        return SimpleNamespace(get_conn=lambda: self)

    def get_object(self, *, Bucket, Key):
        return {"Body": io.BytesIO(self.objects[Key].encode())}

    def put_object(self, *, Bucket, Key, Body):
        self.objects[Key] = Body.decode()

    def json(self, key):
        return json.loads(self.objects[key])


@pytest.fixture
def bucket():
    return Bucket()


@pytest.fixture
def api():
    with FakeStreamApi() as server:
        yield server


@pytest.fixture
def source(tmp_path, monkeypatch):
    engine_url = f"sqlite:///{tmp_path}/source.db"
    with create_engine(engine_url).begin() as database:
        tables = {
            "pinterest_data": "`index`, unique_id, title, description, poster_name, follower_count, tag_list, "
            "is_image_or_video, image_src, downloaded, save_location, category",
            "geolocation_data": "ind, timestamp, latitude, longitude, country",
            "user_data": "ind, first_name, last_name, age, date_joined",
        }
        for name, columns in tables.items():
            database.exec_driver_sql(f"CREATE TABLE {name} ({columns})")
            width = columns.count(",")
            rows = [(key, *["x"] * width) for key in SEED_100]
            database.exec_driver_sql(f"INSERT INTO {name} VALUES ({', '.join('?' * (width + 1))})", rows)
    connection = Connection(conn_id="s", conn_type="mysql", host="db", login="r", password="p", schema="pinterest_data")
    monkeypatch.setattr(module.BaseHook, "get_connection", lambda _: connection)
    monkeypatch.setattr(module, "source_engine", lambda **_: create_engine(engine_url))


@pytest.fixture
def post(source, api, bucket, monkeypatch):
    hook = SimpleNamespace(find_invoke_url=lambda *_, **__: api.url, kept_api_key=lambda _: API_KEY)
    monkeypatch.setattr(module, "S3Hook", bucket)
    monkeypatch.setattr(module, "ApiGatewayHook", lambda **_: hook)
    common = {
        "task_id": "post",
        "bucket": BUCKET,
        "api_name": "0e36c8cd403d",
        "stage_name": "prod",
        "invoke_url_format": "",
        "api_key_parameter": "/pinterest/0e36c8cd403d/api-key",
        "sending": RetryPolicy(tries=2, first_wait=0.01, longest_wait=0.01),
    }

    def run(run_id="r", sink="stream", mode="records", **params):
        order = {"posts": "10", "seed": "100", "start": "continue", "pace": "none", "batch_size": "500", **params}
        operator = (
            PutRecordsOperator(**common, **order, streams=NAMES, mode=mode)
            if sink == "stream"
            else PostRecordsOperator(**common, **order, topics={s: f"0e36c8cd403d.{s}" for s in STREAMS})
        )
        return operator.execute({"ti": SimpleNamespace(dag_id="pinterest_stream"), "run_id": run_id})

    return run


@pytest.mark.parametrize("mode", ["record", "records"])
def test_a_run_posts_counts_and_leaves_its_progress(post, api, bucket, mode):
    outcome = post(run_id="r:1+0", mode=mode)

    assert outcome == {s: {"read": 10, "missing": 0, "acknowledged": 10, "refused": 0} for s in STREAMS}
    assert {len(request.records) for request in api.requests} == ({1} if mode == "record" else {10})
    progress = bucket.json("posting/pinterest_stream/r:1+0.stream.json")
    for stream in STREAMS:
        assert Counter(api.keys(NAMES[stream])) == Counter(SEED_100[:10])
        by_shard: dict[str, list[int]] = {}
        for put in api.streams[NAMES[stream]]:
            by_shard.setdefault(put.shard_id, []).append(put.sequence_number)
        assert progress["streams"][stream]["shards"] == [
            {
                "shard_id": shard_id,
                "first": str(min(numbers)),
                "last": str(max(numbers)),
                "count": len(numbers),
                "sum": str(sum(numbers) % 2**128),
            }
            for shard_id, numbers in sorted(by_shard.items())
        ]


def test_the_two_sinks_of_a_run_know_nothing_of_each_other(post, api, bucket):
    post(run_id="r", sink="batch", posts=6)
    post(run_id="r", sink="stream", posts=4)

    assert api.keys(NAMES["pin"]) == SEED_100[:4]
    assert bucket.json("posting/seed-100.json")["next_draw"] == 6
    assert bucket.json("posting/seed-100.stream.json")["next_draw"] == 4
    assert {"posting/pinterest_stream/r.json", "posting/pinterest_stream/r.stream.json"} <= bucket.objects.keys()
    assert {key for key in bucket.objects if key.startswith("ledger/")} == {
        f"ledger/pinterest_stream/r/{folder}{hop}.json" for folder in ("", "stream/") for hop in ("source", "api")
    }


def test_the_next_run_of_the_seed_goes_on_where_the_last_one_ended(post, api):
    post(run_id="one", posts=6)
    post(run_id="two", posts=5)

    assert api.keys(NAMES["pin"]) == SEED_100[:11]


def test_a_retry_goes_on_and_every_record_is_put_once(post, api, bucket):
    api.fault_for = lambda request: kinesis_error("ResourceNotFoundException") if len(api.requests) > 4 else None
    with pytest.raises(PostingError, match="stage streams"):
        post(posts=16, batch_size=4)
    assert bucket.json("posting/pinterest_stream/r.stream.json")["drawn"] < 16

    api.fault_for = lambda request: None
    outcome = post(posts=16, batch_size=4)

    assert outcome["pin"]["acknowledged"] == 16
    for stream in STREAMS:
        assert sorted(api.keys(NAMES[stream])) == sorted(SEED_100)


def test_both_hops_are_in_the_ledger_and_balance_with_a_third_throttled_and_one_refused(post, api, bucket):
    def error(request, record):
        if record["partition-key"] == str(SEED_100[2]):
            return "NoSuchThing", "no"
        return (THROTTLED, "slow") if len(request.records) > 5 and int(record["partition-key"]) % 3 == 0 else None

    api.put_error = error
    post()

    entries = [
        entry
        for hop in ("source", "api")
        for entry in parse_entries(bucket.objects[f"ledger/pinterest_stream/r/stream/{hop}.json"])
    ]
    assert {entry.path for entry in entries} == {"stream"}
    assert reconcile(entries, "r", hops={"stream": ("source", "api")}).reconciled
    assert [(e.records_in, e.records_out, e.refused) for e in entries if e.hop == "api"] == [(10, 9, 1)] * 3
    refused = [
        json.loads(line) for line in bucket.objects["posting/pinterest_stream/r.stream.refused.jsonl"].splitlines()
    ]
    assert {(line["stream"], line["ind"], line["code"]) for line in refused} == {
        (stream, SEED_100[2], "NoSuchThing") for stream in STREAMS
    }


def test_a_failed_run_is_in_the_ledger_too(post, api, bucket):
    api.fault_for = lambda request: Fault(status=500)
    with pytest.raises(PostingError):
        post()

    entries = parse_entries(bucket.objects["ledger/pinterest_stream/r/stream/api.json"])
    assert not reconcile(entries, "r", hops={"stream": ("api",)}).reconciled


def test_a_mode_that_is_none_posts_nothing(post, api, bucket):
    with pytest.raises(PostingOrderError, match="mode: "):
        post(mode="rows")

    assert (api.requests, bucket.objects) == ([], {})


def test_an_emulated_pace_puts_each_post_by_itself(post, api):
    post(posts=1, pace="emulated")

    assert {len(request.records) for request in api.requests} == {1}

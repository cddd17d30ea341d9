"""The task that puts rows into Kinesis: what it leaves in the bucket beside what posting to Kafka leaves there."""

from __future__ import annotations

from collections import Counter
from types import SimpleNamespace

import pytest

from include.ledger.entry import parse_entries
from include.ledger.verdict import reconcile
from include.posting.order import PostingOrderError
from include.posting.sender import PostingError, RetryPolicy
from include.settings import ENTITIES, Ledger
from pinterest import run_documents
from pinterest.operators import posting as module
from pinterest.operators.posting import PostToKafkaOperator, PostToKinesisOperator
from tests.builders import BUCKET
from tests.local.fake_rest_api import API_KEY, Fault
from tests.local.fake_stream_api import THROTTLED, FakeStreamApi, kinesis_error
from tests.local.posting_parts import SEED_100

NAMES = {entity: f"streaming-0e36c8cd403d-{entity}" for entity in ENTITIES}


@pytest.fixture
def api():
    with FakeStreamApi() as server:
        yield server


@pytest.fixture
def post(source, api, bucket, monkeypatch):
    hook = SimpleNamespace(find_invoke_url=lambda *_, **__: api.url, kept_api_key=lambda _: API_KEY)
    monkeypatch.setattr(run_documents, "S3Hook", bucket)
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
            PostToKinesisOperator(**common, **order, data_streams=NAMES, mode=mode)
            if sink == "stream"
            else PostToKafkaOperator(**common, **order, topics={s: f"0e36c8cd403d.{s}" for s in ENTITIES})
        )
        return operator.execute({"ti": SimpleNamespace(dag_id="pinterest_stream"), "run_id": run_id})

    return run


@pytest.mark.parametrize("mode", ["record", "records"])
def test_a_run_posts_counts_and_leaves_its_progress(post, api, bucket, mode):
    outcome = post(run_id="r:1+0", mode=mode)

    assert outcome == {s: {"read": 10, "missing": 0, "acknowledged": 10, "refused": 0} for s in ENTITIES}
    assert {len(request.records) for request in api.requests} == ({1} if mode == "record" else {10})
    progress = bucket.json("posting/pinterest_stream/r:1+0.stream.json")
    for entity in ENTITIES:
        assert Counter(api.keys(NAMES[entity])) == Counter(SEED_100[:10])
        by_shard: dict[str, list[int]] = {}
        for put in api.entities[NAMES[entity]]:
            by_shard.setdefault(put.shard_id, []).append(put.sequence_number)
        assert progress["entities"][entity]["shards"] == [
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
    with pytest.raises(PostingError, match="stage data_streams"):
        post(posts=16, batch_size=4)
    assert bucket.json("posting/pinterest_stream/r.stream.json")["drawn"] < 16

    api.fault_for = lambda request: None
    outcome = post(posts=16, batch_size=4)

    assert outcome["pin"]["acknowledged"] == 16
    for entity in ENTITIES:
        assert sorted(api.keys(NAMES[entity])) == sorted(SEED_100)


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
    assert {entry.route for entry in entries} == {"stream"}
    assert reconcile(entries, "r", hops={"stream": ("source", "api")}, limits=Ledger(max_refused_share=0.1)).reconciled
    assert [(e.records_in, e.records_out, e.refused) for e in entries if e.hop == "api"] == [(10, 9, 1)] * 3
    refused = bucket.json_lines("posting/pinterest_stream/r.stream.refused.jsonl")
    assert {(line["entity"], line["ind"], line["code"]) for line in refused} == {
        (entity, SEED_100[2], "NoSuchThing") for entity in ENTITIES
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

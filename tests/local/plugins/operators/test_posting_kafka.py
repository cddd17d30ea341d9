"""The task that posts: where it begins, what it leaves in the bucket, what it says when it cannot."""

from __future__ import annotations

import json
import logging
from types import SimpleNamespace

import pytest
from airflow.models.connection import Connection

from include.faults import LastingError
from include.ledger.entry import parse_entries
from include.ledger.verdict import reconcile
from include.posting.order import PostingOrderError
from include.posting.progress import ProgressError
from include.posting.sender import PostingError, RetryPolicy
from include.posting.source_connection import source_engine
from include.settings import ENTITIES, Ledger
from pinterest import run_documents, source
from pinterest.operators import posting as module
from pinterest.operators.posting import PostToKafkaOperator
from tests.builders import BUCKET
from tests.local.fake_rest_api import API_KEY, FakeRestApi, Fault
from tests.local.posting_parts import PASSWORD, SEED_100
from tests.source_database import COLUMNS, insert, source_database


@pytest.fixture
def api():
    with FakeRestApi() as server:
        yield server


@pytest.fixture
def post(source, api, bucket, monkeypatch):
    """Runs the operator as run ``run_id``; keyword arguments are the run's params."""
    hook = SimpleNamespace(find_invoke_url=lambda *_, **__: api.url, kept_api_key=lambda _: API_KEY)
    monkeypatch.setattr(run_documents, "S3Hook", bucket)
    monkeypatch.setattr(module, "ApiGatewayHook", lambda **_: hook)

    def run(run_id="manual__2026-01-01T00:00:00+00:00", **params):
        operator = PostToKafkaOperator(
            task_id="post",
            **{"posts": "10", "seed": "100", "start": "continue", "pace": "none", "batch_size": "500", **params},
            topics={entity: f"0e36c8cd403d.{entity}" for entity in ENTITIES},
            bucket=BUCKET,
            api_name="0e36c8cd403d",
            stage_name="prod",
            invoke_url_format="",
            api_key_parameter="/pinterest/0e36c8cd403d/api-key",
            sending=RetryPolicy(tries=2, first_wait=0.01, longest_wait=0.01),
        )
        return operator.execute({"ti": SimpleNamespace(dag_id="pinterest_batch"), "run_id": run_id})

    return run


def test_a_run_posts_counts_and_leaves_its_progress(post, api, bucket):
    outcome = post(run_id="r:1+0")

    assert outcome == {
        entity: {"read": 10, "missing": 0, "acknowledged": 10, "refused": 0} for entity in ("pin", "geo", "user")
    }
    assert api.keys("0e36c8cd403d.user") == SEED_100[:10]
    progress = bucket.json("posting/pinterest_batch/r:1+0.json")
    assert (progress["first_draw"], progress["posts"], progress["drawn"]) == (0, 10, 10)
    assert sum(one["count"] for one in progress["entities"]["geo"]["ranges"]) == 10


def test_the_next_run_of_the_seed_goes_on_where_the_last_one_ended(post, api, bucket):
    post(run_id="one", posts=6)
    post(run_id="other seed", posts=3, seed=7)
    post(run_id="two", posts=5)

    keys = api.keys("0e36c8cd403d.pin")
    assert keys[:6] + keys[9:] == SEED_100[:11]
    position = bucket.json("posting/seed-100.json")
    assert (position["next_draw"], position["dag_id"], position["run_id"]) == (11, "pinterest_batch", "two")
    assert bucket.json("posting/seed-7.json")["next_draw"] == 3


@pytest.mark.parametrize("start", ["0", 0])
def test_a_replay_repeats_the_sequence_and_takes_nothing_from_what_comes_next(post, api, start):
    post(run_id="one", posts=8)
    post(run_id="replay", posts=3, start=start)
    post(run_id="two", posts=4)

    assert api.keys("0e36c8cd403d.pin") == SEED_100[:8] + SEED_100[:3] + SEED_100[8:12]


def test_a_run_may_begin_at_any_draw(post, api):
    post(posts=3, start="7")

    assert api.keys("0e36c8cd403d.geo") == SEED_100[7:10]


def test_a_retry_goes_on_and_every_record_is_posted_once(post, api, bucket):
    api.fault_for = lambda request: Fault(status=403) if len(api.requests) > 4 else None
    with pytest.raises(PostingError, match="403"):
        post(run_id="r", posts=16, batch_size=4)
    assert bucket.json("posting/pinterest_batch/r.json")["drawn"] < 16

    api.fault_for = lambda request: None
    outcome = post(run_id="r", posts=16, batch_size=4)

    assert outcome["pin"]["acknowledged"] == 16
    for entity in ENTITIES:
        assert sorted(api.keys(f"0e36c8cd403d.{entity}")) == sorted(SEED_100)


def test_the_same_run_cleared_posts_nothing_more(post, api):
    first = post(run_id="r")
    requests = len(api.requests)

    assert post(run_id="r") == first
    assert len(api.requests) == requests


def test_both_hops_are_in_the_ledger_and_balance(post, api, bucket):
    api.record_error = lambda request, record: (42201, "no") if record["key"] == SEED_100[2] else None
    post(run_id="r")

    entries = [
        entry
        for hop in ("source", "api")
        for entry in parse_entries(bucket.objects[f"ledger/pinterest_batch/r/{hop}.json"])
    ]
    assert reconcile(entries, "r", hops={"batch": ("source", "api")}, limits=Ledger(max_refused_share=0.1)).reconciled
    assert [(e.records_in, e.records_out, e.refused) for e in entries if e.hop == "api"] == [(10, 9, 1)] * 3


def test_a_failed_run_is_in_the_ledger_too(post, api, bucket):
    api.fault_for = lambda request: Fault(status=500)
    with pytest.raises(PostingError):
        post(run_id="r")

    entries = parse_entries(bucket.objects["ledger/pinterest_batch/r/api.json"])
    assert not reconcile(entries, "r", hops={"batch": ("api",)}).reconciled


def test_refused_rows_are_kept_whole_beside_the_progress_once(post, api, bucket):
    api.record_error = lambda request, record: (42201, "no") if record["key"] == SEED_100[1] else None
    api.fault_for = lambda request: Fault(status=403) if len(api.requests) > 5 else None
    with pytest.raises(PostingError):
        post(run_id="r", batch_size=4)
    api.fault_for = lambda request: None
    post(run_id="r", batch_size=4)

    lines = bucket.json_lines("posting/pinterest_batch/r.refused.jsonl")
    assert sorted((line["entity"], line["draw"], line["ind"], line["code"]) for line in lines) == [
        (entity, 1, SEED_100[1], "42201") for entity in ("geo", "pin", "user")
    ]
    assert next(line["value"]["country"] for line in lines if line["entity"] == "geo") == "x"


def test_a_run_does_not_go_on_with_another_order(post):
    post(run_id="r", posts=10)

    with pytest.raises(ProgressError, match="posts=11"):
        post(run_id="r", posts=11)


def test_params_out_of_range_post_nothing(post, api, bucket):
    with pytest.raises(PostingOrderError, match="posts: "):
        post(posts="0")

    assert (api.requests, bucket.objects) == ([], {})


def test_a_seeds_position_that_makes_no_sense_is_named(post, bucket):
    bucket.objects["posting/seed-100.json"] = b'{"next": 3}'

    with pytest.raises(Exception, match=r"seed-100\.json does not say where seed 100 continues"):
        post()


def test_progress_of_another_making_is_named(post, bucket):
    bucket.objects["posting/pinterest_batch/r.json"] = b"[]"

    with pytest.raises(ProgressError, match=r"s3://user-0e36c8cd403d-bucket/posting/pinterest_batch/r\.json"):
        post(run_id="r")


def test_a_connection_without_a_host_is_named(post, monkeypatch):
    connection = Connection(conn_id="pinterest_source", conn_type="mysql", login="reader", schema="pinterest_data")
    monkeypatch.setattr(source.BaseHook, "get_connection", lambda _: connection)

    with pytest.raises(Exception, match="'pinterest_source' has no host"):
        post()


@pytest.fixture
def tables(tmp_path):
    """Describes the source's tables otherwise: column types by table."""

    def describe(**changed):
        source_database(tmp_path, {table: {**of, **changed.get(table, {})} for table, of in COLUMNS.items()})

    return describe


def test_a_text_key_is_named_before_anything_is_posted(post, api, bucket, tables):
    tables(user_data={"ind": "varchar(20)"}, geolocation_data={"latitude": "geometry"})

    with pytest.raises(LastingError) as error:
        post(run_id="r")

    for words in ("'pinterest_source'", "user_data.ind is VARCHAR(20)", "geolocation_data.latitude is GEOMETRY"):
        assert words in str(error.value)
    assert api.requests == []
    tables()
    assert post(run_id="r")["user"]["acknowledged"] == 10


def test_an_empty_source_table_is_named_before_anything_is_posted(post, api, tmp_path):
    with source_database(tmp_path).begin() as connection:
        connection.exec_driver_sql("DELETE FROM pinterest_data")

    with pytest.raises(LastingError, match="pinterest_data is empty"):
        post()
    assert api.requests == []


def test_what_is_odd_about_the_source_is_in_the_log(post, tmp_path, capsys):
    engine = source_database(tmp_path)
    insert(engine, "user_data", [(None, "a", "b", 1, None), (SEED_100[0], "y", "y", 1, None)])
    insert(engine, "user_data", [(row, "z", "z", 1, None) for row in SEED_100[1:3]])

    assert post()["user"]["acknowledged"] == 10
    logged = capsys.readouterr().out
    assert "user_data holds 1 rows whose ind is NULL" in logged
    assert "user_data holds rows that share a key and differ for 3 keys (2863, 5730, 7528)" in logged


@pytest.mark.parametrize(
    ("extra", "said"),
    [({"ssl_mode": "on"}, "ssl_mode is 'on'"), ({"ssl": {"ca": "/no/such.pem"}}, "ca '/no/such.pem'")],
)
def test_an_extra_of_the_connection_that_makes_no_sense_is_named(post, monkeypatch, extra, said):
    connection = Connection(
        conn_id="pinterest_source", conn_type="mysql", host="db", login="l", schema="s", extra=json.dumps(extra)
    )
    monkeypatch.setattr(source.BaseHook, "get_connection", lambda _: connection)
    monkeypatch.setattr(source, "source_engine", source_engine)

    with pytest.raises(LastingError, match="Connection 'pinterest_source', extra: ") as error:
        post()
    assert said in str(error.value)


def test_no_secret_reaches_log_outcome_or_bucket(post, api, bucket, caplog):
    caplog.set_level(logging.DEBUG)
    api.faults = [Fault(status=500), Fault(reset=True)]
    outcome = post()

    for secret in (API_KEY, PASSWORD):
        assert secret not in caplog.text
        assert secret not in json.dumps(outcome)
        assert not any(secret.encode() in content for content in bucket.objects.values())


def test_an_emulated_pace_is_carried_out(post, api):
    post(posts=1, pace="emulated")

    assert {len(request.records) for request in api.requests} == {1}

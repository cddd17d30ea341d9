"""The tasks that count a run's records, in Kinesis and in the lake, and what the verdict makes of it."""

from __future__ import annotations

import json

import pytest

from include.lake.batch_counts import LakeCountError
from include.ledger.verdict import reconcile
from include.positions.kinesis import ShardRange
from include.settings import Ledger
from pinterest import run_documents, stream_batches
from pinterest.operators import stream_counts as module
from pinterest.operators.stream_counts import ShardCountsOperator, TableCountsOperator
from tests.builders import settings
from tests.stream_parts import NAMES, A, B, Bucket, Lake, context, job_run

POSTED = {"pin": {A: [10, 12], B: [5]}, "geo": {A: [3]}, "user": {B: [7, 8]}}


class Shards:
    """Kinesis: the numbers that every shard holds."""

    def __init__(self, **entities):
        self.numbers = {
            (NAMES[s], shard): numbers for s, shards in entities.items() for shard, numbers in shards.items()
        }
        self.conn = None

    def __call__(self, **_):
        return self

    def count(self, name, shard_id, *groups):
        there = self.numbers.get((name, shard_id), [])
        inside = [[n for n in there if any(first <= n <= last for first, last in spans)] for spans in groups]
        return [ShardRange.of(shard_id, numbers) if numbers else None for numbers in inside]


@pytest.fixture
def bucket(monkeypatch):
    bucket = Bucket()
    bucket.posted(**POSTED)
    monkeypatch.setattr(run_documents, "S3Hook", bucket)
    monkeypatch.setattr(module, "settings", settings)
    return bucket


@pytest.fixture
def lake(monkeypatch):
    lake = Lake()
    monkeypatch.setattr(stream_batches, "DatabricksWarehouseHook", lambda _: lake)
    monkeypatch.setattr(stream_batches, "DatabricksJobsHook", lambda _: lake)
    return lake


@pytest.fixture
def holds(monkeypatch):
    def replace(**entities):
        monkeypatch.setattr(module, "KinesisRecordsHook", Shards(**entities))

    replace(**POSTED)
    return replace


def verdict(bucket):
    entries = [*bucket.entries("kinesis"), *bucket.entries("table")]
    limits = Ledger(max_quarantined_share=0.5)
    return reconcile(entries, "r", hops={"stream": ("kinesis", "table")}, limits=limits)


def count(trigger="available_now"):
    counts = TableCountsOperator(task_id="counts", run=job_run(trigger))
    return ShardCountsOperator(task_id="shards").execute(context()), counts.execute(context())


def commit_all(lake):
    for entity, shards in POSTED.items():
        lake.commit(entity, shards)


@pytest.mark.parametrize("trigger", ["available_now", "processing_time"])
def test_a_run_whose_records_are_all_there_is_reconciled(bucket, lake, holds, trigger):
    commit_all(lake)

    in_kinesis, in_tables = count(trigger)

    assert in_kinesis == {"pin": 3, "geo": 1, "user": 2}
    assert in_tables["pin"] == {"records": 3, "inserted": 3, "updated": 0, "superseded": 0, "quarantined": 0}
    assert verdict(bucket).reconciled, verdict(bucket).failures


def test_others_records_in_shards_and_batches_do_not_disturb(bucket, lake, holds):
    holds(pin={A: [9, 10, 11, 12, 13], B: [5]}, geo={A: [3]}, user={B: [7, 8]})
    lake.commit("pin", {A: [9, 10, 11, 12, 13], B: [5]}, updated=2, superseded=1, quarantined=1)
    lake.commit("geo", {A: [3]})
    lake.commit("user", {B: [7, 8]})
    count()

    assert verdict(bucket).reconciled, verdict(bucket).failures
    assert [(e.extra, e.records_out) for e in bucket.entries("kinesis")] == [(1, 4), (0, 1), (0, 2)]
    assert [(e.extra, e.records_out) for e in bucket.entries("table")] == [(2, 4), (0, 1), (0, 2)]


def test_records_that_expired_are_lost_with_their_range(bucket, lake, holds):
    holds(pin={A: [12], B: [5]}, geo={A: [3]}, user={})
    lake.commit("pin", {A: [12], B: [5]})
    lake.commit("geo", {A: [3]})
    count()

    lost = {(f.entity, f.hop): (f.records, f.positions) for f in verdict(bucket).failures}
    assert lost == {("pin", "kinesis"): (1, (f"{A}@10-11",)), ("user", "kinesis"): (2, (f"{B}@7-8",))}


def test_records_that_no_batch_holds_are_lost_with_their_range(bucket, lake, holds):
    lake.commit("pin", {A: [10, 12], B: [5]})
    lake.commit("user", {B: [7]})
    count()

    lost = {(f.entity, f.hop): (f.status, f.records, f.positions) for f in verdict(bucket).failures}
    assert lost == {("geo", "table"): ("lost", 1, (f"{A}@3",)), ("user", "table"): ("lost", 1, (f"{B}@8",))}


def test_what_an_earlier_run_left_is_counted_and_named(bucket, lake, holds):
    """Run 0 posted and failed before the lake read anything; this run commits its records in a batch of their own."""
    bucket.posted("0", pin={A: [1, 2, 3]})
    holds(**{**POSTED, "pin": {A: [1, 2, 3, 10, 12], B: [5]}})
    lake.commit("pin", {A: [1, 2, 3]})
    commit_all(lake)
    lake.commit("pin", {A: [20, 21]}, run_id="another")
    count()

    assert verdict(bucket).reconciled, verdict(bucket).failures
    pin = next(entry for entry in bucket.entries("table") if entry.entity == "pin")
    assert (pin.records_in, pin.extra, pin.records_out) == (3, 3, 6)
    assert pin.others == "stream: pin at hop table: 3 extra: 3 of run 0 of d"


def test_a_job_that_has_ended_has_said_what_it_committed(bucket, lake, holds):
    commit_all(lake)
    count()

    assert lake.asked == []


def test_a_job_of_an_earlier_version_did_not_say_it(bucket, lake, holds, monkeypatch):
    monkeypatch.setattr(lake, "get_run_output", lambda _: {"notebook_output": {"result": '{"stream": {}}'}})

    with pytest.raises(LakeCountError, match=r"clear the task lake_stream\.upload"):
        count()


def test_batches_that_were_told_as_one_are_counted_as_many(bucket, lake, holds, monkeypatch):
    commit_all(lake)
    output = lake.get_run_output(1100)
    told = json.loads(output["notebook_output"]["result"])
    told["batches"][0]["batches"] = 40
    monkeypatch.setattr(lake, "get_run_output", lambda _: {"notebook_output": {"result": json.dumps(told)}})
    count()

    assert bucket.entries("table")[0].counted_by.startswith("40 batches in stream_batches")
    assert verdict(bucket).reconciled


def test_of_a_job_that_goes_on_only_batches_of_the_run_are_asked_for(bucket, lake, holds):
    commit_all(lake)
    count("processing_time")

    (statement,) = lake.asked
    assert "FROM main.pinterest.stream_batches" in statement
    for name in NAMES.values():
        assert f"source = '{name}'" in statement


def test_an_earlier_attempts_figures_are_forgotten(bucket, lake, holds, monkeypatch):
    commit_all(lake)
    count()

    def gone(*_, **__):
        raise TimeoutError("Kinesis")

    monkeypatch.setattr(Shards, "count", gone)
    with pytest.raises(TimeoutError):
        ShardCountsOperator(task_id="shards").execute(context())
    assert not [key for key in bucket.objects if key.startswith("ledger/")]


def test_without_the_count_of_the_shards_the_table_is_not_verified(bucket, lake, holds):
    commit_all(lake)
    TableCountsOperator(task_id="counts", run=job_run()).execute(context())

    assert {entry.records_in for entry in bucket.entries("table")} == {None}


def test_a_run_that_has_posted_nothing_is_told(bucket, holds):
    bucket.objects.clear()

    with pytest.raises(
        Exception, match=r"posting/d/r\.stream\.json does not exist: the stage posting_stream writes it"
    ):
        ShardCountsOperator(task_id="shards").execute(context())

"""Waiting for commits: when it is over, and what it says when nothing moves."""

from __future__ import annotations

import logging
from datetime import UTC, datetime

import pytest
from airflow.providers.common.compat.sdk import AirflowFailException

from pinterest import run_documents
from pinterest.hooks.kinesis_records import Waiting
from pinterest.sensors import lake_stream as module
from pinterest.sensors.lake_stream import CommittedStreamSensor
from pinterest.stream_batches import QueriedBatches, ToldBatches
from tests.builders import settings
from tests.stream_parts import NAMES, A, B, Bucket, Lake, context, job_run

ARRIVED = datetime(2026, 1, 1, 12, 30, tzinfo=UTC)
POSTED = {"pin": {A: [10, 12], B: [5]}, "geo": {A: [3]}, "user": {B: [7, 8]}}


class Job:
    """The job's run, and its lake."""

    def __init__(self, lake):
        self.lake = lake
        self.query = lake.query
        self.state = {"life_cycle_state": "RUNNING"}
        self.lost = False

    def get_run(self, run_id):
        return {"run_page_url": f"http://databricks/runs/{run_id}", "state": self.state}

    def repair_if_lost(self, run):
        repaired = self.lost
        if repaired:
            self.lost, self.state = False, {"life_cycle_state": "RUNNING"}
        return repaired

    def failure_of(self, run_id):
        return "FAILED: StreamError: pin: reading failed"


class Shards:
    def __init__(self, **entities):
        self.numbers = {
            (NAMES[s], shard): numbers for s, shards in entities.items() for shard, numbers in shards.items()
        }

    def waiting(self, name, shard_id, start, last, *, read_before):
        left = [
            n for n in self.numbers.get((name, shard_id), []) if start <= n <= last and (n > start or not read_before)
        ]
        return Waiting(min(left), ARRIVED) if left else None


class Clock:
    now = 0.0

    def monotonic(self):
        return self.now


@pytest.fixture
def lake():
    return Lake()


@pytest.fixture
def job(lake):
    return Job(lake)


@pytest.fixture
def clock(monkeypatch):
    clock = Clock()
    monkeypatch.setattr(module, "time", clock)
    return clock


@pytest.fixture
def sensor(monkeypatch, job, clock, caplog):
    caplog.set_level(logging.INFO)
    bucket = Bucket()
    bucket.posted(**POSTED)
    monkeypatch.setattr(run_documents, "S3Hook", bucket)

    def make(trigger="processing_time", kinesis=POSTED):
        sensor = CommittedStreamSensor(task_id="committed", run=job_run(trigger))
        sensor.__dict__["_settings"] = settings(lake_stream={"stalled_minutes": 10})
        sensor.__dict__["_jobs"] = job
        ended = trigger == "available_now"
        sensor.__dict__["_lake"] = ToldBatches(job.lake, 100) if ended else QueriedBatches(job, settings())
        sensor.__dict__["_kinesis"] = Shards(**kinesis)
        sensor.__dict__["_cached_logger"] = logging.getLogger("committed")
        return sensor

    return make


def test_it_is_over_when_the_last_record_of_every_shard_is_committed(sensor, lake):
    watching = sensor()
    assert watching.poke(context()) is False

    lake.commit("pin", {A: [10, 12]})
    lake.commit("geo", {A: [3]})
    lake.commit("user", {B: [7, 8, 9]})
    assert watching.poke(context()) is False

    lake.commit("pin", {B: [4, 5]})
    assert watching.poke(context()) is True


def test_it_says_how_far_every_late_shard_is(sensor, lake, caplog):
    lake.commit("pin", {A: [10], B: [5]}, at=datetime(2026, 1, 1, 12, tzinfo=UTC))
    sensor().poke(context())

    told = caplog.text
    assert (
        f"pin: 1 shards are late: {NAMES['pin']} {A} is committed up to 10 (last commit 2026-01-01T12:00:00+00:00)"
        in told
    )
    assert "record 12 waits since 2026-01-01T12:30:00+00:00" in told
    assert f"geo: 1 shards are late: {NAMES['geo']} {A} is committed up to nothing (last commit none yet)" in told


def test_a_stream_that_stands_still_fails_naming_where(sensor, lake, clock):
    watching = sensor()
    lake.commit("geo", {A: [3]})
    lake.commit("user", {B: [7, 8]})
    lake.commit("pin", {A: [10]}, at=datetime(2026, 1, 1, 12, tzinfo=UTC))
    assert watching.poke(context()) is False

    clock.now = 599
    assert watching.poke(context()) is False
    clock.now = 601
    with pytest.raises(AirflowFailException) as error:
        watching.poke(context())

    said = str(error.value)
    assert "nothing for 10 minutes" in said
    assert f"pin: {NAMES['pin']} {A} is committed up to 10 (last commit 2026-01-01T12:00:00+00:00)" in said
    assert "geo" not in said


def test_a_stream_that_moves_is_given_time(sensor, lake, clock):
    watching = sensor()
    for number in range(5):
        clock.now += 400
        lake.commit("pin", {A: [number]})
        lake.commit("geo", {B: [number]})
        lake.commit("user", {A: [number]})
        assert watching.poke(context()) is False


def test_a_stream_that_moves_does_not_speak_for_another(sensor, lake, clock):
    watching = sensor()
    watching.poke(context())
    clock.now = 601
    lake.commit("pin", {A: [9]})

    with pytest.raises(AirflowFailException, match=r"user: .* is committed up to nothing") as error:
        watching.poke(context())
    assert "pin" not in str(error.value)


def test_a_job_that_has_ended_fails_with_its_error(sensor, job):
    job.state = {"life_cycle_state": "INTERNAL_ERROR", "result_state": "FAILED"}

    with pytest.raises(AirflowFailException, match=r"run 100 .* has ended FAILED: StreamError: pin"):
        sensor().poke(context())


def test_a_job_whose_cluster_was_lost_is_repaired_and_given_its_time_again(sensor, job, clock):
    waiting = sensor()
    assert waiting.poke(context()) is False
    job.state, job.lost = {"life_cycle_state": "INTERNAL_ERROR", "result_state": "FAILED"}, True
    clock.now += 3600

    assert waiting.poke(context()) is False
    assert job.state == {"life_cycle_state": "RUNNING"}


def test_a_job_that_ended_when_all_was_committed_is_no_matter_of_this_run(sensor, lake, job):
    for entity, shards in POSTED.items():
        lake.commit(entity, shards)
    job.state = {"life_cycle_state": "TERMINATED"}

    assert sensor().poke(context()) is True


def test_a_job_that_was_to_end_is_looked_at_once(sensor, job, caplog):
    job.state = {"life_cycle_state": "TERMINATED"}

    assert sensor("available_now").poke(context()) is True
    assert "left these records behind" in caplog.text


def test_a_job_that_has_ended_has_said_how_far_it_got(sensor, lake, caplog):
    lake.commit("pin", {A: [10, 12], B: [5]})
    lake.commit("geo", {A: [3]})
    lake.commit("user", {B: [7]})

    assert sensor("available_now").poke(context()) is True
    assert f"user: 1 shards are late: {NAMES['user']} {B} is committed up to 7" in caplog.text
    assert "pin" not in caplog.text.replace("pinterest", "")
    assert lake.asked == []


def test_nobody_waits_for_records_that_have_expired(sensor, lake, caplog):
    lake.commit("geo", {A: [3]})
    lake.commit("user", {B: [7, 8]})
    lake.commit("pin", {A: [10]})

    assert sensor(kinesis={"pin": {}}).poke(context()) is True
    assert f"{A}@10-12: not committed, and no longer in Kinesis" in caplog.text

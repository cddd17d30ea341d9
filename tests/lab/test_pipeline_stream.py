"""The stream as a user runs it, on the whole lab: the rows are in the tables, once, and a loss is told.

Follows the tests of the batch and goes on with their lake; each run adds to the tables of the one before.
"""

from __future__ import annotations

import json
from typing import NamedTuple

import pytest

from lab.state import USER_ID
from tests.lab.lab_parts import wait_until
from tests.lab.pipeline_runs import ENTITIES, FIRST, SECOND, Pipeline, Run, seeds_draws

VALUES = {
    "pin": "ind, unique_id, title, description, follower_count, poster_name, tag_list, is_image_or_video, image_src,"
    " save_location, category",
    "geo": "ind, country, coordinates, timestamp",
    "user": "ind, user_name, age, date_joined",
}
POSITION = "concat(_shard_id, '@', _sequence_number)"


def table(entity: str) -> str:
    return f"`{USER_ID}_{entity}_table`"


def rows_of(pipeline: Pipeline, entity: str) -> list[dict[str, str]]:
    return pipeline.query(f"select ind, {POSITION} as position from {table(entity)} order by ind")


@pytest.mark.parametrize("entity", ENTITIES)
def test_the_tables_hold_what_the_ledger_says(pipeline, first_run, second_run, entity):
    stored = [run.entry("table", entity, "stream") for run in (first_run, second_run)]

    assert [entry["records_in"] for entry in stored] == [FIRST, SECOND]
    batches = f"from stream_batches where stream = '{entity}'"
    of_both = f"run_id in ('{first_run.run_id}', '{second_run.run_id}')"
    assert pipeline.query(f"select sum(records) as n {batches} and {of_both}") == [{"n": str(FIRST + SECOND)}]
    assert pipeline.query(f"select sum(inserted) as n {batches}") == [{"n": str(pipeline.count(table(entity)))}]
    posted = ", ".join(map(str, set(seeds_draws(100, FIRST + SECOND))))
    there = pipeline.query(f"select count(*) as n from {table(entity)} where ind in ({posted})")
    assert there == [{"n": str(posted.count(",") + 1)}]


@pytest.mark.parametrize("entity", ENTITIES)
def test_both_ways_end_in_the_same_rows(pipeline, second_run, entity):
    batch, streamed = (f"select {VALUES[entity]} from {name}" for name in (f"`{entity}`", table(entity)))
    posted = f"where ind in (select ind from {table(entity)})"

    for one, other in ((f"{batch} {posted}", streamed), (streamed, batch)):
        assert pipeline.query(f"select count(*) as n from ({one} except all {other})") == [{"n": "0"}]


USER = {"ind": 3_000_000, "first_name": "Good", "last_name": "Row", "age": 30, "date_joined": "2016-01-01 00:00:00"}

POISON = {
    "not_json_object": ("pin", b"not json"),
    "array_of_rows": ("user", json.dumps([USER, USER]).encode()),
    "wrong_stream": ("geo", json.dumps(USER).encode()),
    "no_ind": ("user", json.dumps({**USER, "ind": None}).encode()),
}


def put_poison(pipeline: Pipeline, *entities: str) -> dict[str, str]:
    """Put the poison of these entities into them; where it is, by its reason."""
    return {
        reason: pipeline.put(entity, ("1", data))[0] for reason, (entity, data) in POISON.items() if entity in entities
    }


def assert_quarantined(pipeline: Pipeline, positions: dict[str, str]) -> None:
    for reason, position in positions.items():
        found = pipeline.query(f"select stream, reason from quarantine where object = '{position}'")
        assert [(row["stream"], row["reason"]) for row in found] == [(POISON[reason][0], reason)]


class Loss(NamedTuple):
    """A run whose records of geo expired before they were read, with poison and a good row before those of the others.

    ``poison`` is where it lies, by reason; ``good`` is where the good row lies.
    """

    run: Run
    poison: dict[str, str]
    good: str


@pytest.fixture(scope="module")
def loss(pipeline, second_run) -> Loss:
    poison = put_poison(pipeline, "pin", "user")
    (good,) = pipeline.put("user", ("3000000", json.dumps(USER).encode()))

    def expire() -> None:
        pipeline.expire("geo", records=1_000_000)

    with pipeline.slow_start_of_jobs(seconds=5), pipeline.changed_settings(ledger={"max_quarantined_share": 0.04}):
        run = pipeline.run("pinterest_stream", posts=40, on=("end task task_id=stream.posting_stream.shards", expire))
    return Loss(run, poison, good)


def test_records_that_expire_before_they_are_read_are_called_lost_with_their_range(loss):
    assert loss.run.exit_code != 0
    last_word = loss.run.log.rpartition("DagRun Finished")[2]
    assert "pinterest_stream failed at reconcile.verdict: The run is not reconciled (lost)" in last_word
    findings = {(one["entity"], one["hop"]): one for one in loss.run.ledger["verdict"]["findings"]}
    lost = findings["geo", "table"]
    assert (lost["status"], lost["records"]) == ("lost", 40)
    assert lost["positions"]
    assert all("@" in position for position in lost["positions"])


def test_the_other_entities_balance_poison_included(loss):
    findings = [one for one in loss.run.ledger["verdict"]["findings"] if one["entity"] != "geo"]

    assert {one["hop"] for one in findings} == {"source", "api", "kinesis", "table"}
    (beyond,) = [one for one in findings if one["status"] != "reconciled"]
    assert (beyond["entity"], beyond["hop"]) == ("user", "table")
    assert (beyond["status"], beyond["records"]) == ("too many quarantined", 2)
    assert loss.run.entry("table", "pin", "stream")["extra"] == 1
    assert loss.run.entry("table", "user", "stream")["extra"] == 3


def test_poison_is_quarantined_and_the_row_beside_it_passes(pipeline, loss):
    assert len(loss.poison) == 3
    assert_quarantined(pipeline, loss.poison)
    told = f"select user_name, {POSITION} as position from {table('user')} where ind = 3000000"
    assert pipeline.query(told) == [{"user_name": "Good Row", "position": loss.good}]


def test_a_job_that_runs_all_the_time_serves_every_run_and_a_replay_adds_no_row(pipeline, loss):
    def active_runs() -> list[dict]:
        answer = pipeline.databricks("GET", "2.2/jobs/runs/list", params={"active_only": "true"})
        return answer.get("runs", [])

    checkpoints = {"checkpoints": f"file://{pipeline.lab.path('lake', 'checkpoints')}"}
    settings = {"lake_stream": {**checkpoints, "trigger": "processing_time", "interval_seconds": 1}}
    settings["databricks"] = json.loads(pipeline.environment["AIRFLOW_VAR_PINTEREST_PIPELINE"])["databricks"]
    settings["databricks"] |= {"warehouse_id": "lab"}
    settings["ledger"] = {"max_quarantined_share": 0.02}
    before = {entity: [row["ind"] for row in rows_of(pipeline, entity)] for entity in ENTITIES}
    with pipeline.changed_settings(**settings):
        replay = pipeline.run("pinterest_stream", posts=60, start="0", mode="record")
        began = active_runs()
        after = {entity: [row["ind"] for row in rows_of(pipeline, entity)] for entity in ENTITIES}
        poison = put_poison(pipeline, "geo")
        second = pipeline.run("pinterest_stream", posts=50)

    assert [run["run_id"] for run in active_runs()] == [run["run_id"] for run in began]
    assert len(began) == 1
    pipeline.databricks("POST", "2.2/jobs/runs/cancel", json={"run_id": began[0]["run_id"]})
    wait_until(lambda: not active_runs(), "the job has ended")
    replay.assert_reconciled()
    second.assert_reconciled()
    assert after == before
    assert_quarantined(pipeline, poison)

"""What a run of a Databricks job says about itself, and the tokens of new ones."""

from __future__ import annotations

import pytest

from include.lake.job_runs import (
    belongs_to,
    has_started,
    has_succeeded,
    idempotency_token,
    is_active,
    is_lost,
    latest_attempts,
    message,
    notebook_parameters,
    outcome,
)


def run(state, result=None, said="", **rest):
    state = {"life_cycle_state": state, "state_message": said}
    return {"run_id": 1, "state": {**state, "result_state": result} if result else state, **rest}


@pytest.mark.parametrize("state", ["PENDING", "BLOCKED", "QUEUED", "WAITING_FOR_RETRY"])
def test_a_run_that_waits_is_active_and_has_not_started(state):
    assert (is_active(run(state)), has_started(run(state))) == (True, False)


@pytest.mark.parametrize("state", ["RUNNING", "TERMINATING"])
def test_a_run_that_runs_is_active_and_has_started(state):
    assert (is_active(run(state)), has_started(run(state))) == (True, True)


@pytest.mark.parametrize("state", ["TERMINATED", "SKIPPED", "INTERNAL_ERROR"])
def test_a_run_that_has_ended_is_not_active(state):
    assert (is_active(run(state)), has_started(run(state))) == (False, True)


def test_only_a_run_that_terminated_with_success_has_succeeded():
    assert has_succeeded(run("TERMINATED", "SUCCESS"))
    assert not has_succeeded(run("TERMINATED", "CANCELED"))
    assert not has_succeeded(run("INTERNAL_ERROR", "FAILED"))
    assert not has_succeeded(run("RUNNING"))


def ended(code, kind="CLIENT_ERROR", result="FAILED", **rest):
    details = {"code": code, "type": kind, "message": "said"}
    return run("INTERNAL_ERROR", result, status={"state": "TERMINATED", "termination_details": details}, **rest)


@pytest.mark.parametrize(
    "lost",
    [
        ended("DRIVER_ERROR"),
        ended("CLUSTER_ERROR"),
        ended("CLOUD_FAILURE", "CLOUD_FAILURE"),
        ended("INTERNAL_ERROR", "INTERNAL_ERROR"),
        ended("A_CODE_OF_A_LATER_RELEASE", "CLOUD_FAILURE"),
        ended("CLUSTER_REQUEST_LIMIT_EXCEEDED"),
    ],
    ids=lambda lost: lost["status"]["termination_details"]["code"],
)
def test_a_run_whose_cluster_or_platform_failed_is_lost(lost):
    assert is_lost(lost)


@pytest.mark.parametrize(
    "code",
    [
        "RUN_EXECUTION_ERROR",
        "USER_CANCELED",
        "CANCELED",
        "INVALID_CLUSTER_REQUEST",
        "INVALID_RUN_CONFIGURATION",
        "LIBRARY_INSTALLATION_ERROR",
        "RESOURCE_NOT_FOUND",
        "STORAGE_ACCESS_ERROR",
        "UNAUTHORIZED_ERROR",
        "MAX_CONCURRENT_RUNS_EXCEEDED",
        "CLUSTER_TERMINATED_BY_USER",
    ],
)
def test_a_run_that_failed_by_itself_is_not(code):
    assert not is_lost(ended(code))


def test_a_run_that_goes_on_succeeded_or_says_nothing_is_not_lost():
    assert not is_lost(run("RUNNING"))
    assert not is_lost(run("TERMINATED", "SUCCESS"))
    assert not is_lost(run("INTERNAL_ERROR", "FAILED"))


def test_a_run_of_tasks_is_lost_if_nothing_else_made_it_fail():
    def of(*tasks):
        numbered = [{**task, "task_key": str(at), "start_time": at} for at, task in enumerate(tasks)]
        return ended("RUN_EXECUTION_ERROR", tasks=numbered)

    succeeded = run("TERMINATED", "SUCCESS")
    waited = run("TERMINATED", "UPSTREAM_FAILED")
    assert is_lost(of(succeeded, ended("DRIVER_ERROR"), waited))
    assert not is_lost(of(ended("DRIVER_ERROR"), ended("RUN_EXECUTION_ERROR"), waited))


def test_the_outcome_is_the_result_or_the_state_without_one():
    assert outcome(run("TERMINATED", "TIMEDOUT")) == "TIMEDOUT"
    assert outcome(run("SKIPPED")) == "SKIPPED"


def test_a_run_without_a_message_says_that_it_has_none():
    assert message(run("TERMINATED", "FAILED", "no node")) == "no node"
    assert message(run("TERMINATED", "FAILED")) == "it gave no reason"


def test_a_run_belongs_to_the_airflow_run_that_started_it():
    started = run("RUNNING", overriding_parameters={"notebook_params": {"run_id": "run 1"}})

    assert belongs_to(started, "run 1")
    assert not belongs_to(started, "run 2")
    assert not belongs_to(run("RUNNING"), "run 1")
    assert notebook_parameters(run("RUNNING")) == {}


def test_the_latest_attempt_of_a_task_counts():
    tasks = [
        {"task_key": key, "run_id": number, "start_time": time}
        for key, number, time in (("a", 3, 9), ("a", 1, 2), ("b", 2, 3))
    ]

    assert {key: task["run_id"] for key, task in latest_attempts(tasks).items()} == {"a": 3, "b": 2}


def test_a_token_is_the_same_for_the_same_occasion_only_and_fits():
    assert idempotency_token("a" * 500) == idempotency_token("a" * 500) != idempotency_token("a" * 501)
    assert len(idempotency_token("a" * 500)) == 64

"""What the Jobs API says about a job's runs, and the tokens that keep a run from being started twice."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Mapping
from typing import Any

type Run = Mapping[str, Any]
"""A run, or a task of a run, as ``runs/get`` and ``runs/list`` return it."""

RUN_ID = "run_id"
"""The notebook parameter that says which Airflow run a Databricks run belongs to."""

SKIPPED = "SKIPPED"
INTERNAL_ERROR = "INTERNAL_ERROR"
NOT_STARTED = frozenset({"PENDING", "BLOCKED", "QUEUED", "WAITING_FOR_RETRY"})
ENDED = frozenset({"TERMINATED", SKIPPED, INTERNAL_ERROR})

NEVER_RAN = frozenset({"UPSTREAM_FAILED", "UPSTREAM_CANCELED", "EXCLUDED", "DISABLED"})
LOST_TYPES = frozenset({"CLOUD_FAILURE", "INTERNAL_ERROR"})
LOST_CODES = frozenset(
    {
        "BREAKING_CHANGE",
        "CLOUD_FAILURE",
        "CLUSTER_ERROR",
        "CLUSTER_REQUEST_LIMIT_EXCEEDED",
        "DRIVER_ERROR",
        "INTERNAL_ERROR",
        "WORKSPACE_RUN_LIMIT_EXCEEDED",
    }
)
"""Types and codes of ``termination_details`` that do not blame the job: the same run may succeed on a new cluster."""

TOKEN_LENGTH = 64


def life_cycle_state(run: Run) -> str:
    return str(run["state"]["life_cycle_state"])


def has_started(run: Run) -> bool:
    """Also true of a run that has ended without ever running."""
    return life_cycle_state(run) not in NOT_STARTED


def is_active(run: Run) -> bool:
    return life_cycle_state(run) not in ENDED


def has_succeeded(run: Run) -> bool:
    return life_cycle_state(run) == "TERMINATED" and run["state"].get("result_state") == "SUCCESS"


def is_lost(run: Run) -> bool:
    """Whether a run, or a task of a run, ended because its cluster or the platform failed under it.

    False if any of its tasks failed by itself: a notebook's own error, a wrong setting, a cancel, a time-out.
    """
    if is_active(run) or has_succeeded(run):
        return False
    tasks = latest_attempts(run.get("tasks") or []).values()
    failed = [task for task in tasks if not has_succeeded(task) and outcome(task) not in NEVER_RAN]
    return all(map(_is_lost, failed or [run]))


def _is_lost(run: Run) -> bool:
    details = (run.get("status") or {}).get("termination_details") or {}
    return details.get("type") in LOST_TYPES or details.get("code") in LOST_CODES


def outcome(run: Run) -> str:
    """The result of a run that has ended, or else its life cycle state."""
    return str(run["state"].get("result_state") or life_cycle_state(run))


def message(run: Run) -> str:
    return str(run["state"].get("state_message") or "it gave no reason")


def notebook_parameters(run: Run) -> Mapping[str, str]:
    """The parameters that the run was started with."""
    parameters: Mapping[str, str] = (run.get("overriding_parameters") or {}).get("notebook_params") or {}
    return parameters


def belongs_to(run: Run, airflow_run_id: str) -> bool:
    return notebook_parameters(run).get(RUN_ID) == airflow_run_id


def latest_attempts(tasks: Iterable[Run]) -> dict[str, Run]:
    """By task key: the task's last attempt. A repaired run lists earlier attempts too, in no order."""
    return {task["task_key"]: task for task in sorted(tasks, key=lambda task: task["start_time"])}


def idempotency_token(occasion: str) -> str:
    """The same occasion has the same token: a request that is repeated finds the run that it started."""
    return hashlib.sha256(occasion.encode()).hexdigest()[:TOKEN_LENGTH]

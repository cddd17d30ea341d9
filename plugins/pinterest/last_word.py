"""A failed ``airflow dags test`` ends with the error that made it fail, in one paragraph, after everything else.

A listener: Airflow calls the functions that have a hook's name. Where a scheduler runs the DAGs it says nothing; there,
each task has a log of its own.
"""

from __future__ import annotations

import atexit
import sys
from typing import Any

from airflow.listeners import hookimpl
from airflow.providers.common.compat.sdk import AirflowException, redact
from airflow.utils.types import DagRunTriggeredByType

LONGEST = 3000

_failed: dict[str, str] = {}
"""The error of each task whose last try failed, in the order in which they failed."""


@hookimpl
def on_task_instance_failed(previous_state: Any, task_instance: Any, error: str | BaseException | None) -> None:
    _failed.pop(task_instance.task_id, None)
    _failed[task_instance.task_id] = _told(error)


@hookimpl
def on_task_instance_success(previous_state: Any, task_instance: Any) -> None:
    _failed.pop(task_instance.task_id, None)


@hookimpl
def on_dag_run_failed(dag_run: Any, msg: str) -> None:
    if dag_run.triggered_by == DagRunTriggeredByType.TEST:
        atexit.register(_say, paragraph(dag_run.dag_id, _failed))  # at the exit, Airflow has said all it says
        _failed.clear()


def paragraph(dag_id: str, failed: dict[str, str]) -> str:
    """The first failure in full, the later ones by name: they usually follow from it. Secrets are masked."""
    if not failed:
        return f"{dag_id} failed; the log above says where."
    (task_id, error), *others = failed.items()
    also = f"After it failed: {', '.join(name for name, _ in others)}.\n" if others else ""
    again = f"Once the cause is gone, run {dag_id} again: it keeps what is done."
    return str(redact(f"{dag_id} failed at {task_id}: {error}\n{also}{again}"))


def _told(error: str | BaseException | None) -> str:
    """What the error says, without empty lines."""
    if error is None:
        return "its error is in the log above"
    named = isinstance(error, BaseException) and not isinstance(error, AirflowException)  # that name says nothing
    name = f"{type(error).__name__}: " if named else ""
    said = "\n".join(line for line in str(error).splitlines() if line.strip())
    return f"{name}{said if len(said) <= LONGEST else said[:LONGEST] + ' …'}"


def _say(text: str) -> None:
    print(f"\n{text}", file=sys.stderr, flush=True)

"""Databricks jobs and their runs: one job per name, one run per occasion, and a retry that adopts the run it finds."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Mapping
from typing import Any

from airflow.providers.common.compat.sdk import Context
from airflow.providers.databricks.exceptions import DatabricksApiError

from include.lake.job_runs import (
    Run,
    belongs_to,
    has_started,
    idempotency_token,
    is_active,
    is_lost,
    latest_attempts,
    message,
    notebook_parameters,
    outcome,
)
from pinterest.hooks.databricks_api import DatabricksApiHook

GET_RUN = "2.2/jobs/runs/get"
LIST_RUNS = "2.2/jobs/runs/list"
RUNS_PER_PAGE = 25
POLL_SECONDS = 2
MAX_REPAIRS = 2
GONE_STATUSES = (400, 404)
"""What Databricks answers if there is no such job: its Jobs API says 400, INVALID_PARAMETER_VALUE."""


class DatabricksJobsHook(DatabricksApiHook):
    """What the provider's hook lacks to make a job once, to start it once, and to wait for its runs."""

    def job_named(self, name: str) -> int | None:
        """The job of this name, or None. Names need not be unique: the oldest counts."""
        jobs = self.list_jobs(job_name=name)
        return int(min(jobs, key=lambda job: (job["created_time"], job["job_id"]))["job_id"]) if jobs else None

    def create_or_reset_job(self, settings: Mapping[str, Any]) -> int:
        """Make the job named in the settings, or give the one that exists these settings. Return its id.

        Of two callers that find no job at the same moment, both make one. Both then return the older, and the younger
        is deleted.
        """
        name = settings["name"]
        existing = self.job_named(name)
        if existing is not None:
            self.reset_job(str(existing), dict(settings))
            return existing
        created = self.create_job(dict(settings))
        oldest = self.job_named(name)
        if oldest is None or oldest == created:
            return created
        self.call("POST", "2.2/jobs/delete", {"job_id": created})
        return oldest

    def remove_job(self, job_id: int) -> None:
        """Cancel all runs of a job and delete it. A job that is gone is no error."""
        for request in ("2.2/jobs/runs/cancel-all", "2.2/jobs/delete"):
            try:
                self.call("POST", request, {"job_id": job_id})
            except DatabricksApiError as error:
                if error.http_status_code not in GONE_STATUSES:
                    raise

    def active_runs(self, job_id: int) -> Iterator[dict[str, Any]]:
        """Runs of a job that have not ended, newest first."""
        query: dict[str, Any] = {"job_id": job_id, "active_only": "true", "limit": RUNS_PER_PAGE}
        while True:
            page = self.call("GET", LIST_RUNS, query)
            yield from page.get("runs", [])
            if not page.get("next_page_token"):
                return
            query = {**query, "page_token": page["next_page_token"]}

    def newest_run(self, job_id: int) -> dict[str, Any] | None:
        """The run of the job that was started last, active or ended."""
        runs = self.call("GET", LIST_RUNS, {"job_id": job_id, "limit": 1}).get("runs", [])
        return dict(runs[0]) if runs else None

    def start(self, job_id: int, notebook_params: Mapping[str, str], occasion: str) -> int:
        """Start a run and return its id. Asked again for the same occasion, return the run that was started then."""
        return int(
            self.run_now(
                {
                    "job_id": job_id,
                    "notebook_params": dict(notebook_params),
                    "idempotency_token": idempotency_token(occasion),
                }
            )
        )

    def adopt(
        self,
        job_id: int,
        airflow_run_id: str,
        *,
        poll_seconds: float,
        refuse: Callable[[Run], None] = lambda run: None,
    ) -> int | None:
        """Find the job's active run that belongs to an Airflow run. Wait while only other runs are active.

        Returns None once no run is active, so that the caller may start one.

        :param refuse: is given the run that would be waited for, and raises if it must not be
        """
        announced: int | None = None
        while True:
            active = list(self.active_runs(job_id))
            if not active:
                return None
            own = next((run for run in active if belongs_to(run, airflow_run_id)), None)
            if own is not None:
                self.log.info("Databricks run %s of this Airflow run is active: adopted", own["run_id"])
                return int(own["run_id"])
            other = active[0]
            refuse(other)
            if other["run_id"] != announced:
                announced = other["run_id"]
                self.log.info("Waiting for Databricks run %s of the same job: %s", announced, other["run_page_url"])
            time.sleep(poll_seconds)

    def wait_until_started(self, run_id: int, *, poll_seconds: float) -> dict[str, Any]:
        """Wait until the run is no longer pending or queued. It may have ended, too. Return it."""
        while not has_started(run := self.get_run(run_id)):
            time.sleep(poll_seconds)
        return run

    def wait_until_ended(self, run_id: int, *, poll_seconds: float) -> dict[str, Any]:
        """Wait until the run, or the task of a run, has ended. Return it."""
        while is_active(run := self.get_run(run_id)):
            time.sleep(poll_seconds)
        return run

    def repair_if_lost(self, run: Run) -> bool:
        """Have Databricks run a lost run again, on a new cluster: the tasks that failed, and those that wait for them.

        True if it does, also if somebody else has asked for it. False if the run was not lost, see
        :func:`~include.lake.job_runs.is_lost`, or was repaired ``MAX_REPAIRS`` times before. The run keeps its id, and
        its tasks get new ones.
        """
        if not is_lost(run):
            return False
        run_id = run["run_id"]
        repairs = self._repairs(run_id)
        if len(repairs) >= MAX_REPAIRS:
            self.log.error("Databricks run %s was repaired %d times and is lost again", run_id, len(repairs))
            return False
        self.log.warning("The cluster of Databricks run %s was lost, and the run is repaired: %s", run_id, message(run))
        request = {
            "run_id": run_id,
            "rerun_all_failed_tasks": True,
            "notebook_params": dict(notebook_parameters(run)),
            **({"latest_repair_id": repairs[-1]["id"]} if repairs else {}),
        }
        try:
            self.repair_run(request)
        except DatabricksApiError:
            if len(self._repairs(run_id)) == len(repairs):
                raise
            self.log.info("Another task repairs it already")
        return True

    def _repairs(self, run_id: int) -> list[dict[str, Any]]:
        run = self.call("GET", GET_RUN, {"run_id": run_id, "include_history": "true"})
        return [repair for repair in run.get("repair_history", []) if repair["type"] == "REPAIR"]

    def task_run(self, run_id: int, task_key: str) -> dict[str, Any]:
        """The latest attempt of a run's task."""
        return dict(latest_attempts(self.get_run_tasks(run_id))[task_key])

    def failure_of(self, run_id: int) -> str:
        """How a run ended and why: its notebook's error if there is one. The traceback goes to the log."""
        run = self.get_run(run_id)
        errors = (self._notebook_error(task["run_id"]) for task in reversed(run.get("tasks") or []))
        return f"{outcome(run)}: {next(filter(None, errors), None) or message(run)}"

    def failure_of_task(self, task_run: Run) -> str:
        """The same of one task of a run."""
        return f"{outcome(task_run)}: {self._notebook_error(task_run['run_id']) or message(task_run)}"

    def _notebook_error(self, task_run_id: int) -> str | None:
        try:
            output = self.get_run_output(task_run_id)
        except DatabricksApiError as error:
            self.log.warning("Databricks keeps no output of run %s: %s", task_run_id, error)
            return None
        if output.get("error_trace"):
            self.log.error("%s", output["error_trace"])
        return output.get("error") or None


def attempt_of(context: Context) -> str:
    """The occasion of a run that every attempt of a task starts for itself. A repeated request has the same one."""
    ti = context["ti"]
    return f"{ti.dag_id}/{context['run_id']}/{ti.try_number}/{ti.id}"

"""One Databricks job per Airflow run, whose notebooks are Airflow tasks one by one.

One task launches the job, and one task per notebook follows it. They use the Jobs API rather than the provider's
``DatabricksWorkflowTaskGroup``, which renders no templates of its notebooks, starts a second run when its launching
task is retried, and can be changed only in its private methods.
"""

from __future__ import annotations

import time
from collections.abc import Mapping, Sequence
from datetime import timedelta
from functools import cached_property
from typing import Any, ClassVar

from airflow.providers.common.compat.sdk import AirflowException, AirflowFailException, BaseOperator, Context, conf
from airflow.providers.databricks.triggers.databricks import DatabricksExecutionTrigger

from include.lake.batch_counts import parse_exit
from include.lake.job import Order, as_requested, job_settings, notebook_task
from include.lake.job_runs import (
    INTERNAL_ERROR,
    RUN_ID,
    SKIPPED,
    Run,
    has_succeeded,
    is_active,
    is_lost,
    life_cycle_state,
)
from pinterest.databricks_link import RUN_PAGE_URL, RunPageLink
from pinterest.hooks.databricks_jobs import POLL_SECONDS, DatabricksJobsHook, attempt_of


class LaunchWorkflowOperator(BaseOperator):
    """Make or update a job of notebooks and start it once for an Airflow run. Wait until it has started.

    A retry adopts the run that an earlier attempt started, as long as it is active, so nothing is paid for twice. If
    that run has ended, the retry starts a new one. An active run of the same job that belongs to another Airflow run
    (whose worker was killed, say) is waited for. Killing the task cancels the run.

    Returns ``conn_id``, ``job_id`` and ``run_id``.

    :param job_name: name of the job (templated)
    :param folder: workspace folder of the notebooks (templated)
    :param order: by notebook, the notebooks that must succeed before it
    :param notebook_params: parameters of every notebook; ``run_id`` says which Airflow run the job belongs to
        (templated)
    :param job_cluster: the cluster that the notebooks share (templated)
    :param instance_profile_arn: instance profile of the cluster's machines; none if empty (templated)
    :param notebook_timeout: Databricks cancels a notebook after this time
    :param poll_seconds: seconds between polls
    """

    template_fields: Sequence[str] = ("job_name", "folder", "notebook_params", "job_cluster", "instance_profile_arn")
    template_fields_renderers: ClassVar[dict[str, str]] = {"notebook_params": "json", "job_cluster": "json"}
    operator_extra_links = (RunPageLink(),)

    def __init__(
        self,
        *,
        job_name: str,
        folder: str,
        order: Order,
        notebook_params: Mapping[str, str],
        job_cluster: Mapping[str, Any],
        instance_profile_arn: str = "",
        notebook_timeout: timedelta | None = None,
        databricks_conn_id: str = "databricks_default",
        poll_seconds: float = POLL_SECONDS,
        **kwargs: Any,
    ) -> None:
        super().__init__(**kwargs)
        self.job_name = job_name
        self.folder = folder
        self.order = order
        self.notebook_params = notebook_params
        self.job_cluster = job_cluster
        self.instance_profile_arn = instance_profile_arn
        self.notebook_timeout = notebook_timeout
        self.databricks_conn_id = databricks_conn_id
        self.poll_seconds = poll_seconds
        self._launched: int | None = None

    @cached_property
    def hook(self) -> DatabricksJobsHook:
        return DatabricksJobsHook(self.databricks_conn_id)

    def execute(self, context: Context) -> dict[str, Any]:
        job_id = self.hook.job_named(self.job_name)
        run_id = None if job_id is None else self._adopt(job_id)
        if job_id is None or run_id is None:
            job_id = self.hook.create_or_reset_job(self._settings())
            run_id = self.hook.start(job_id, self.notebook_params, attempt_of(context))
        self._launched = run_id
        context["ti"].xcom_push(key=RUN_PAGE_URL, value=self.hook.get_run_page_url(run_id))
        self._wait_until_started(run_id)
        return {"conn_id": self.databricks_conn_id, "job_id": job_id, "run_id": run_id}

    def on_kill(self) -> None:
        if self._launched is not None:
            self.hook.cancel_run(self._launched)
            self.log.info("Databricks run %s canceled", self._launched)

    def _adopt(self, job_id: int) -> int | None:
        return self.hook.adopt(job_id, self.notebook_params[RUN_ID], poll_seconds=self.poll_seconds)

    def _settings(self) -> dict[str, Any]:
        cluster = as_requested(self.job_cluster, self.instance_profile_arn)
        tasks = [
            notebook_task(
                f"{self.folder}/{name}",
                parameters=self.notebook_params,
                cluster_key=cluster["job_cluster_key"],
                after=after,
                timeout=self.notebook_timeout,
            )
            for name, after in self.order.items()
        ]
        return job_settings(self.job_name, cluster=cluster, tasks=tasks)

    def _wait_until_started(self, run_id: int) -> None:
        run = self.hook.wait_until_started(run_id, poll_seconds=self.poll_seconds)
        state = life_cycle_state(run)
        if state in (SKIPPED, INTERNAL_ERROR):
            error = AirflowException if state == SKIPPED or is_lost(run) else AirflowFailException
            raise error(f"The Databricks run did not start: {state} {run['state'].get('state_message', '')}")
        self.log.info("Databricks run %s is %s", run_id, state)


class NotebookOperator(BaseOperator):
    """Follow one notebook of a job that :class:`LaunchWorkflowOperator` has launched, to its end.

    If the notebook fails, the task fails with the notebook's own error and is not retried: to run the job again, clear
    the launching task. If its cluster is lost (a spot instance reclaimed, a driver that died), the task has Databricks
    repair the run, a few times at most, and follows the new attempt. Killing the task cancels this notebook only.

    :param notebook: name of the notebook
    :param run: what the launching task returned (templated)
    :param returns_exit: return the JSON object that the notebook exits with
    :param poll_seconds: seconds between polls
    :param deferrable: wait in the triggerer
    """

    template_fields: Sequence[str] = ("run",)
    operator_extra_links = (RunPageLink(),)

    def __init__(
        self,
        *,
        notebook: str,
        run: Any,
        returns_exit: bool = False,
        poll_seconds: float = POLL_SECONDS,
        deferrable: bool = conf.getboolean("operators", "default_deferrable", fallback=False),
        **kwargs: Any,
    ) -> None:
        super().__init__(**kwargs)
        self.notebook = notebook
        self.run = run
        self.returns_exit = returns_exit
        self.poll_seconds = poll_seconds
        self.deferrable = deferrable
        self._followed: int | None = None

    @cached_property
    def hook(self) -> DatabricksJobsHook:
        return DatabricksJobsHook(self.run["conn_id"])

    def execute(self, context: Context) -> dict[str, Any] | None:
        return self._follow(context, self.hook.task_run(self.run["run_id"], self.notebook)["run_id"])

    def execute_complete(self, context: Context, event: Mapping[str, Any]) -> dict[str, Any] | None:
        return self._follow(context, event["run_id"])

    def on_kill(self) -> None:
        if self._followed is not None:
            self.hook.cancel_run(self._followed)
            self.log.info("Databricks run %s of notebook %s canceled", self._followed, self.notebook)

    def _follow(self, context: Context, task_run_id: int) -> dict[str, Any] | None:
        while True:
            self._followed = task_run_id
            task_run = self.hook.get_run(task_run_id)
            context["ti"].xcom_push(key=RUN_PAGE_URL, value=task_run["run_page_url"])
            if self.deferrable and is_active(task_run):
                self.defer(
                    trigger=DatabricksExecutionTrigger(
                        run_id=task_run_id,
                        databricks_conn_id=self.run["conn_id"],
                        polling_period_seconds=max(1, round(self.poll_seconds)),
                        caller=type(self).__name__,
                    ),
                    method_name="execute_complete",
                )
            ended = self.hook.wait_until_ended(task_run_id, poll_seconds=self.poll_seconds)
            if has_succeeded(ended):
                return parse_exit(self.notebook, self.hook.get_run_output(task_run_id)) if self.returns_exit else None
            again = self._next_attempt(ended) if is_lost(ended) else None
            if again is None:
                raise AirflowFailException(f"Notebook {self.notebook} ended {self.hook.failure_of_task(ended)}")
            task_run_id = again

    def _next_attempt(self, lost: Run) -> int | None:
        """The attempt that follows a lost one, once the run is repaired: by this task, or by one that follows another
        notebook of the same cluster. None if it is not repaired any more."""
        while True:
            latest = self.hook.task_run(self.run["run_id"], self.notebook)["run_id"]
            if latest != lost["run_id"]:
                return int(latest)
            run = self.hook.wait_until_ended(self.run["run_id"], poll_seconds=self.poll_seconds)
            if self.hook.task_run(self.run["run_id"], self.notebook)["run_id"] != lost["run_id"]:
                continue
            if not self.hook.repair_if_lost(run):
                return None
            time.sleep(self.poll_seconds)

"""Operator for the Databricks job that reads the data streams into the lake."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from functools import cached_property
from typing import Any, ClassVar

from airflow.providers.common.compat.sdk import BaseOperator, Context, conf
from airflow.providers.databricks.triggers.databricks import DatabricksExecutionTrigger

from include.lake.contract import PROCESSING_TIME
from include.lake.job import as_requested, job_settings, notebook_task
from include.lake.job_runs import is_active
from pinterest.databricks_link import RUN_PAGE_URL, RunPageLink
from pinterest.hooks.databricks_jobs import POLL_SECONDS, DatabricksJobsHook, attempt_of
from pinterest.stream_runs import available_now, processing_time
from pinterest.stream_runs.job import StreamJob


class StreamJobOperator(BaseOperator):
    """Bring the lake up to date with the data streams, or make sure that a job does so all the time.

    Makes the job, or updates its settings; two of its runs are never active at once. The trigger decides the rest:

    - ``available_now``: starts a run and waits for its end. If its cluster is lost, Databricks repairs it, a few times
      at most; if the notebook fails, so does the task, for good. A retry adopts the run that an earlier attempt
      started; an active run of another Airflow run is waited for. Killing the task cancels the run, in the triggerer
      too.
    - ``processing_time``: adopts the active run, or else starts one and waits until it has started. Killing the task
      leaves it running.

    Returns ``conn_id``, ``job_id``, ``trigger``, ``run_id`` and, if the run has ended, the notebook's ``counts``.

    :param job_name: name of the job (templated)
    :param notebook_path: the notebook in the workspace (templated)
    :param notebook_params: the notebook's parameters; ``run_id`` says which Airflow run the run belongs to (templated)
    :param job_cluster: cluster of a run (templated)
    :param instance_profile_arn: instance profile of the cluster's machines; none if empty (templated)
    :param trigger: ``available_now`` or ``processing_time`` (templated)
    :param poll_seconds: seconds between polls
    :param deferrable: wait in the triggerer for the end of a run
    """

    template_fields: Sequence[str] = (
        "job_name",
        "notebook_path",
        "notebook_params",
        "job_cluster",
        "instance_profile_arn",
        "trigger",
    )
    template_fields_renderers: ClassVar[dict[str, str]] = {"notebook_params": "json", "job_cluster": "json"}
    operator_extra_links = (RunPageLink(),)

    def __init__(
        self,
        *,
        job_name: str,
        notebook_path: str,
        notebook_params: Mapping[str, str],
        job_cluster: Mapping[str, Any],
        instance_profile_arn: str,
        trigger: str,
        databricks_conn_id: str = "databricks_default",
        poll_seconds: float = POLL_SECONDS,
        deferrable: bool = conf.getboolean("operators", "default_deferrable", fallback=False),
        **kwargs: Any,
    ) -> None:
        super().__init__(**kwargs)
        self.job_name = job_name
        self.notebook_path = notebook_path
        self.notebook_params = notebook_params
        self.job_cluster = job_cluster
        self.instance_profile_arn = instance_profile_arn
        self.trigger = trigger
        self.databricks_conn_id = databricks_conn_id
        self.poll_seconds = poll_seconds
        self.deferrable = deferrable
        self._awaited: int | None = None

    @cached_property
    def hook(self) -> DatabricksJobsHook:
        return DatabricksJobsHook(self.databricks_conn_id)

    def execute(self, context: Context) -> dict[str, Any]:
        job = self._job(self.hook.create_or_reset_job(self._settings()))
        found: dict[str, Any] = {
            "conn_id": self.databricks_conn_id,
            "job_id": job.job_id,
            "trigger": self.trigger,
        }
        if self.trigger == PROCESSING_TIME:
            run_id = processing_time.adopt_or_start(job, lambda run_id: self._link(run_id, context))
            return {**found, "run_id": run_id}
        self._awaited = run_id = available_now.adopt_or_start(job, attempt_of(context))
        self._link(run_id, context)
        found["run_id"] = run_id
        return self._await_end(found)

    def execute_complete(self, context: Context, event: Mapping[str, Any], found: dict[str, Any]) -> dict[str, Any]:
        return self._await_end(found)

    def _await_end(self, found: dict[str, Any]) -> dict[str, Any]:
        run_id = self._awaited = found["run_id"]
        while True:
            if self.deferrable and is_active(self.hook.get_run(run_id)):
                self.defer(
                    trigger=DatabricksExecutionTrigger(
                        run_id=run_id,
                        databricks_conn_id=self.databricks_conn_id,
                        polling_period_seconds=max(1, round(self.poll_seconds)),
                        caller=type(self).__name__,
                    ),
                    method_name="execute_complete",
                    kwargs={"found": found},
                )
            run = self.hook.wait_until_ended(run_id, poll_seconds=self.poll_seconds)
            if not self.hook.repair_if_lost(run):
                self._awaited = None
                return {**found, "counts": available_now.counts(self._job(found["job_id"]), run)}

    def on_kill(self) -> None:
        if self._awaited is not None:
            self.hook.cancel_run(self._awaited)
            self.log.info("Databricks run %s canceled", self._awaited)

    def _job(self, job_id: int) -> StreamJob:
        return StreamJob(
            hook=self.hook,
            job_id=job_id,
            name=self.job_name,
            notebook_path=self.notebook_path,
            notebook_params=self.notebook_params,
            poll_seconds=self.poll_seconds,
        )

    def _settings(self) -> dict[str, Any]:
        cluster = as_requested(self.job_cluster, self.instance_profile_arn)
        task = notebook_task(
            self.notebook_path, parameters=self.notebook_params, cluster_key=cluster["job_cluster_key"]
        )
        # Databricks refuses a second run instead of queueing it: behind a run that never ends it would wait forever.
        return {**job_settings(self.job_name, cluster=cluster, tasks=[task]), "queue": {"enabled": False}}

    def _link(self, run_id: int, context: Context) -> None:
        context["ti"].xcom_push(key=RUN_PAGE_URL, value=self.hook.get_run_page_url(run_id))

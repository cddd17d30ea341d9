"""Operator for the Databricks job that reads the data streams into the lake."""

from __future__ import annotations

import hashlib
import time
from collections.abc import Mapping, Sequence
from functools import cached_property
from typing import Any, ClassVar

from airflow.providers.common.compat.sdk import AirflowException, BaseOperator, Context, conf
from airflow.providers.databricks.operators.databricks import DatabricksJobRunLink
from airflow.providers.databricks.triggers.databricks import DatabricksExecutionTrigger

from include.lake.batch_counts import parse_exit
from include.lake.contract import AVAILABLE_NOW, PROCESSING_TIME
from include.lake.contract import STREAM as NOTEBOOK
from include.lake.job import with_instance_profile
from pinterest.hooks.databricks_workspace import DatabricksWorkspaceHook

RUN_PAGE_URL = "run_page_url"
NOT_BEGUN = ("PENDING", "BLOCKED", "QUEUED", "WAITING_FOR_RETRY")
ENDED = ("TERMINATED", "SKIPPED", "INTERNAL_ERROR")
SKIPPED_AT_MOST = 3


class StreamJobOperator(BaseOperator):
    """Bring the lake up to date with the data streams, or see to it that a job does so all the time.

    One job of the name is made, or brought to its settings; never are two of its runs active. With the trigger
    ``available_now`` a run is started and its end awaited: a retry takes over the run that an earlier attempt started,
    and the run of another Airflow run is waited for. With ``processing_time`` an active run is adopted; without one,
    one is started, by any number of starters at once, and awaited until it runs. Killing the task cancels the run that
    it waits for, here or in the triggerer, but never a run without end.

    Returns connection, job, run and trigger, and what the notebook counted where it has ended.

    :param job_name: name of the job (templated)
    :param notebook_path: where the notebook lies in the workspace (templated)
    :param notebook_params: what the notebook is given; ``run_id`` says whose run it is (templated)
    :param job_cluster: the cluster that a run gets (templated)
    :param instance_profile_arn: profile of the cluster's machines; none where it is empty (templated)
    :param trigger: ``available_now`` or ``processing_time`` (templated)
    :param poll_seconds: between two looks
    :param deferrable: await the end of a run in the triggerer
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
    operator_extra_links = (DatabricksJobRunLink(),)

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
        poll_seconds: float = 2,
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
    def hook(self) -> DatabricksWorkspaceHook:
        return DatabricksWorkspaceHook(self.databricks_conn_id)

    def execute(self, context: Context) -> dict[str, Any]:
        job_id = self.hook.job_of_name(self.job_name, self._job())
        found: dict[str, Any] = {"conn_id": self.databricks_conn_id, "job_id": job_id, "trigger": self.trigger}
        if self.trigger == PROCESSING_TIME:
            run_id = self._running(job_id, context)
            return {**found, "run_id": run_id}
        run_id = self._adopted(job_id) or self._start(job_id, self._attempt(context))
        self._awaited = run_id
        self._link(run_id, context)
        found["run_id"] = run_id
        if self.deferrable:
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
        run = self._end_awaited(run_id)
        self._awaited = None
        return {**found, "counts": self._counts_of(run)}

    def execute_complete(self, context: Context, event: Mapping[str, Any], found: dict[str, Any]) -> dict[str, Any]:
        return {**found, "counts": self._counts_of(self.hook.get_run(event["run_id"]))}

    def on_kill(self) -> None:
        if self._awaited is not None:
            self.hook.cancel_run(self._awaited)
            self.log.info("Databricks run %s cancelled", self._awaited)

    def _job(self) -> dict[str, Any]:
        """A second run is refused, not queued: it would find the first one's work done, or wait for ever."""
        cluster = with_instance_profile(self.job_cluster, self.instance_profile_arn)
        task = {
            "task_key": NOTEBOOK,
            "job_cluster_key": cluster["job_cluster_key"],
            "notebook_task": {
                "notebook_path": self.notebook_path,
                "source": "WORKSPACE",
                "base_parameters": dict(self.notebook_params),
            },
        }
        return {
            "name": self.job_name,
            "max_concurrent_runs": 1,
            "queue": {"enabled": False},
            "job_clusters": [cluster],
            "tasks": [task],
        }

    # a run that ends

    def _adopted(self, job_id: int) -> int | None:
        """The active run of this Airflow run, once no other one of the job is active."""
        told: int | None = None
        while True:
            active = list(self.hook.active_runs(job_id))
            if not active:
                return None
            run = active[0]
            parameters = _parameters(run)
            if parameters.get("run_id") == self.notebook_params["run_id"]:
                self.log.info("Databricks run %s belongs to this Airflow run and goes on: adopted", run["run_id"])
                return int(run["run_id"])
            if parameters.get("trigger") == PROCESSING_TIME:
                raise AirflowException(
                    f"Databricks run {run['run_id']} ({run['run_page_url']}) of the job {self.job_name} reads the "
                    f"streams all the time, and lake_stream.trigger is {self.trigger!r}: cancel that run, or set the "
                    f"trigger to {PROCESSING_TIME!r}"
                )
            if run["run_id"] != told:
                told = run["run_id"]
                self.log.info("Waiting for Databricks run %s of the same job to end: %s", told, run["run_page_url"])
            time.sleep(self.poll_seconds)

    def _attempt(self, context: Context) -> str:
        """The same for a request that is repeated because its answer was lost, and another for every attempt."""
        ti = context["ti"]
        return f"{ti.dag_id}/{context['run_id']}/{ti.try_number}/{ti.id}"

    def _counts_of(self, run: Mapping[str, Any]) -> dict[str, Any]:
        """What the notebook counted, if it did not fail."""
        self._fail_if_skipped(run)
        if run["state"].get("result_state") != "SUCCESS":
            run_id = run["run_id"]
            raise AirflowException(f"Databricks run {run_id} ({run['run_page_url']}) {self.hook.failure_of(run_id)}")
        task = run["tasks"][-1]
        counts = parse_exit(NOTEBOOK, self.hook.get_run_output(task["run_id"]))
        for entity, figures in (counts.get("stream") or {}).items():
            self.log.info("%s: %s", entity, ", ".join(f"{name} {number}" for name, number in figures.items()))
        return counts

    # a run without end

    def _running(self, job_id: int, context: Context) -> int:
        """The one run of the job that goes on.

        The token is made of the job and its last run, both out of one answer: whoever finds the same last run asks for
        the same next one, and Databricks starts it once.
        """
        skipped = 0
        while True:
            newest = self.hook.newest_run(job_id)
            if newest is not None and _is_active(newest):
                if _parameters(newest).get("trigger") == AVAILABLE_NOW:
                    self.log.info("Waiting for Databricks run %s, which ends by itself", newest["run_id"])
                    self._end_awaited(newest["run_id"])
                    continue
                run_id = int(newest["run_id"])
                self._say_adopted(run_id)
            else:
                run_id = self._start(job_id, f"{job_id}/{newest['run_id'] if newest is not None else 'first'}")
            self._link(run_id, context)
            run = self._begun(run_id)
            if _is_active(run):
                self.log.info("Databricks run %s is %s", run_id, run["state"]["life_cycle_state"])
                return run_id
            skipped += 1
            if run["state"]["life_cycle_state"] != "SKIPPED" or skipped == SKIPPED_AT_MOST:
                self._fail_if_skipped(run)
                raise AirflowException(
                    f"Databricks run {run_id} ({run['run_page_url']}) should go on and has ended "
                    f"{self.hook.failure_of(run_id)}"
                )

    def _say_adopted(self, run_id: int) -> None:
        self.log.info("Databricks run %s goes on: adopted", run_id)
        code = [task.get("notebook_task", {}).get("notebook_path") for task in self.hook.get_run_tasks(run_id)]
        if code != [self.notebook_path]:
            self.log.warning(
                "It runs %s, and the newest code is %s: cancel it, and the next run of this DAG starts that",
                ", ".join(map(str, code)),
                self.notebook_path,
            )

    def _begun(self, run_id: int) -> dict[str, Any]:
        while (run := self.hook.get_run(run_id))["state"]["life_cycle_state"] in NOT_BEGUN:
            time.sleep(self.poll_seconds)
        return run

    # both

    def _end_awaited(self, run_id: int) -> dict[str, Any]:
        while _is_active(run := self.hook.get_run(run_id)):
            time.sleep(self.poll_seconds)
        return run

    def _start(self, job_id: int, occasion: str) -> int:
        token = hashlib.sha256(occasion.encode()).hexdigest()[:64]
        run_id = self.hook.run_now(
            {"job_id": job_id, "notebook_params": dict(self.notebook_params), "idempotency_token": token}
        )
        self.log.info("Databricks run %s of the job %s started", run_id, self.job_name)
        return run_id

    def _link(self, run_id: int, context: Context) -> None:
        context["ti"].xcom_push(key=RUN_PAGE_URL, value=self.hook.get_run_page_url(run_id))

    def _fail_if_skipped(self, run: Mapping[str, Any]) -> None:
        if run["state"]["life_cycle_state"] == "SKIPPED":
            raise AirflowException(
                f"Databricks skipped run {run['run_id']} of the job {self.job_name}: another run of it was started at "
                "the same moment, and there may be one at a time. Run the task again; it waits for that one"
            )


def _is_active(run: Mapping[str, Any]) -> bool:
    return run["state"]["life_cycle_state"] not in ENDED


def _parameters(run: Mapping[str, Any]) -> Mapping[str, str]:
    parameters: Mapping[str, str] = (run.get("overriding_parameters") or {}).get("notebook_params") or {}
    return parameters

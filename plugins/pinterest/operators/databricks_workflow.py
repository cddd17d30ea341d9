"""One Databricks job a run, its notebooks visible one by one: the provider's workflow group, made safe to retry."""

from __future__ import annotations

import hashlib
import time
from functools import cached_property
from types import TracebackType
from typing import Any

from airflow.providers.common.compat.sdk import AirflowException, AirflowFailException, BaseOperator, Context
from airflow.providers.databricks.exceptions import DatabricksApiError
from airflow.providers.databricks.hooks.databricks import RunState
from airflow.providers.databricks.operators.databricks import DatabricksNotebookOperator
from airflow.providers.databricks.operators.databricks_workflow import (
    DatabricksWorkflowTaskGroup,
    WorkflowRunMetadata,
    _CreateDatabricksWorkflowOperator,
)

from include.lake.job import with_instance_profile
from pinterest.hooks.databricks_workspace import DatabricksWorkspaceHook

POLL_SECONDS = 2
JOB_RUN_LINK = "databricks_job_run_link"


class NotebookOperator(DatabricksNotebookOperator):
    """A notebook of a workflow, with the path as a template and the notebook's own error in the log.

    A notebook that failed is not asked again: the task fails at once. Run ``launch`` again to run the job again.
    """

    template_fields = ("notebook_path", *DatabricksNotebookOperator.template_fields)  # type: ignore[assignment]

    def __init__(self, *, polling_period_seconds: int = POLL_SECONDS, **kwargs: Any) -> None:
        super().__init__(source="WORKSPACE", polling_period_seconds=polling_period_seconds, **kwargs)

    def execute(self, context: Context) -> None:
        self._take_up_run()
        task_run_id = self._get_current_databricks_task()["run_id"]
        context["ti"].xcom_push(key=JOB_RUN_LINK, value=self._hook.get_run_page_url(task_run_id))
        self.monitor_databricks_job()

    def execute_complete(self, context: dict[Any, Any] | None, event: dict[Any, Any]) -> None:
        self._take_up_run()
        super().execute_complete(context, event)

    def _take_up_run(self) -> None:
        run = WorkflowRunMetadata(**(self.workflow_run_metadata or {}))
        self.databricks_run_id = run.run_id
        self.databricks_conn_id = run.conn_id

    def _convert_to_databricks_workflow_task(
        self, relevant_upstreams: list[str], task_dict: dict[str, BaseOperator], context: Context | None = None
    ) -> dict[str, object]:
        """The launching task makes the job of all its members, so it is where their templates must be rendered."""
        if context is not None:
            self.notebook_path = self.render_template(self.notebook_path, context)
        return super()._convert_to_databricks_workflow_task(relevant_upstreams, task_dict, context=context)

    def _handle_terminal_run_state(self, run_state: RunState, errors: list[Any]) -> None:
        if run_state.is_terminal and run_state.life_cycle_state == "TERMINATED" and run_state.is_successful:
            return
        try:
            output = self._hook.get_run_output(self._get_current_databricks_task()["run_id"])
        except DatabricksApiError as error:
            output = {"error": f"{run_state.state_message} (no output: {error})"}
        if output.get("error_trace"):
            self.log.error("%s", output["error_trace"])
        said = output.get("error") or run_state.state_message or "it gave no reason"
        ended = run_state.result_state or run_state.life_cycle_state
        raise AirflowFailException(f"Notebook {self.notebook_path} ended {ended}: {said}")


class LaunchWorkflowOperator(_CreateDatabricksWorkflowOperator):
    """Make or update the job and start it once for an Airflow run.

    A retry takes over the run that an earlier attempt started and that still goes on, so that nothing is paid for
    twice; a run that has ended is started anew. A run of the same job that belongs to another Airflow run (its
    worker was killed) is waited for.

    :param owner_name: prefix of the job's name: two users of a workspace have two jobs (templated)
    :param instance_profile_arn: profile of the clusters' machines; none where it is empty (templated)
    :param run_parameter: the notebook parameter that says which Airflow run a job run belongs to
    """

    template_fields = (  # type: ignore[assignment]
        *_CreateDatabricksWorkflowOperator.template_fields,
        "owner_name",
        "instance_profile_arn",
    )

    def __init__(
        self, *, owner_name: str, instance_profile_arn: str = "", run_parameter: str = "run_id", **kwargs: Any
    ) -> None:
        super().__init__(**kwargs)
        self.owner_name = owner_name
        self.instance_profile_arn = instance_profile_arn
        self.run_parameter = run_parameter

    @property
    def job_name(self) -> str:
        return f"{self.owner_name}.{super().job_name}"

    @cached_property
    def _hook(self) -> DatabricksWorkspaceHook:
        return DatabricksWorkspaceHook(self.databricks_conn_id, caller=self.caller)

    def execute(self, context: Context) -> dict[str, Any]:
        # Otherwise the job would carry the templates instead of their values.
        self.task_group.notebook_params = self.notebook_params  # type: ignore[union-attr]
        self.job_clusters = [with_instance_profile(one, self.instance_profile_arn) for one in self.job_clusters]
        found = self._hook.list_jobs(job_name=self.job_name)
        run_id = self._adopt(found[0]["job_id"]) if found else None
        if run_id is None:
            job_id = self._create_or_reset_job(context)
            run_id = self._start(job_id, context)
        else:
            job_id = found[0]["job_id"]
        self.workflow_run_metadata = WorkflowRunMetadata(self.databricks_conn_id, job_id, run_id)
        context["ti"].xcom_push(key=JOB_RUN_LINK, value=self._hook.get_run_page_url(run_id))
        self._wait_for_job_to_start(run_id)
        return {"conn_id": self.databricks_conn_id, "job_id": job_id, "run_id": run_id}

    def _adopt(self, job_id: int) -> int | None:
        """The active run of this Airflow run, once no other one of the job is active."""
        mine = self.notebook_params[self.run_parameter]
        told: int | None = None
        while True:
            active = list(self._hook.active_runs(job_id))
            if not active:
                return None
            for run in active:
                parameters = run.get("overriding_parameters", {}).get("notebook_params", {})
                if parameters.get(self.run_parameter) == mine:
                    self.log.info("Databricks run %s belongs to this Airflow run and goes on: adopted", run["run_id"])
                    return int(run["run_id"])
            if active[0]["run_id"] != told:
                told = active[0]["run_id"]
                self.log.info(
                    "Waiting for Databricks run %s of the same job to end: %s", told, active[0]["run_page_url"]
                )
            time.sleep(POLL_SECONDS)

    def _start(self, job_id: int, context: Context) -> int:
        """The token covers a request whose answer was lost: asked again, it gives the run that was started."""
        attempt = f"{context['ti'].dag_id}/{context['run_id']}/{context['ti'].try_number}/{context['ti'].id}"
        token = hashlib.sha256(attempt.encode()).hexdigest()[:64]
        return int(
            self._hook.run_now({"job_id": job_id, "notebook_params": self.notebook_params, "idempotency_token": token})
        )

    def _wait_for_job_to_start(self, run_id: int) -> None:
        while True:
            state = self._hook.get_run_state(run_id)
            if state.life_cycle_state in ("SKIPPED", "INTERNAL_ERROR"):
                raise AirflowException(
                    f"The Databricks run did not start: {state.life_cycle_state} {state.state_message}"
                )
            if state.life_cycle_state not in ("PENDING", "BLOCKED", "QUEUED", "WAITING_FOR_RETRY"):
                self.log.info("Databricks run %s is %s", run_id, state.life_cycle_state)
                return
            time.sleep(POLL_SECONDS)


class WorkflowTaskGroup(DatabricksWorkflowTaskGroup):
    """The provider's group, launched by :class:`LaunchWorkflowOperator`. All members are :class:`NotebookOperator`.

    ``run`` is what the launching task returns, for tasks that ask Databricks about the run.
    """

    def __init__(self, *, owner_name: str, instance_profile_arn: str = "", **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.owner_name = owner_name
        self.instance_profile_arn = instance_profile_arn
        self.run: Any = None

    def __exit__(
        self, _type: type[BaseException] | None, _value: BaseException | None, _tb: TracebackType | None
    ) -> None:
        roots = list(self.get_roots())
        members = [child for child in self.children.values() if isinstance(child, NotebookOperator)]
        launch = LaunchWorkflowOperator(
            dag=self.dag,
            task_group=self,
            task_id="launch",
            owner_name=self.owner_name,
            instance_profile_arn=self.instance_profile_arn,
            databricks_conn_id=self.databricks_conn_id,
            job_clusters=self.job_clusters,
            extra_job_params=self.extra_job_params,
            max_concurrent_runs=self.max_concurrent_runs,
            notebook_params=self.notebook_params,
        )
        self.run = launch.output
        for member in members:
            member.workflow_run_metadata = launch.output  # type: ignore[assignment]
            launch.relevant_upstreams.append(member.task_id)
            launch.add_task(member.task_id, member)
        for root in roots:
            root.set_upstream(launch)
        super(DatabricksWorkflowTaskGroup, self).__exit__(_type, _value, _tb)  # type: ignore[no-untyped-call]

"""Launching the Databricks job: once for an Airflow run, whatever is retried; and a notebook's own error in Airflow."""

from __future__ import annotations

from types import SimpleNamespace

import pytest
from airflow.providers.common.compat.sdk import AirflowException, AirflowFailException
from airflow.providers.databricks.hooks.databricks import RunState
from airflow.sdk import DAG

from pinterest.operators import databricks_workflow
from pinterest.operators.databricks_workflow import NotebookOperator, WorkflowTaskGroup

FOLDER = "{{ params.folder }}"


class Databricks:
    """Jobs and runs as the hook shows them. ``active`` is a list of answers to "which runs are active?"."""

    def __init__(self, jobs=(), active=(), states=("PENDING", "RUNNING")):
        self.jobs, self.active, self.states = list(jobs), list(active), list(states)
        self.created, self.reset, self.started, self.cancelled = [], [], [], []

    def list_jobs(self, job_name):
        return [job for job in self.jobs if job["name"] == job_name]

    def create_job(self, spec):
        self.created.append(spec)
        return 7

    def reset_job(self, job_id, spec):
        self.reset.append((job_id, spec))

    def active_runs(self, job_id):
        return self.active.pop(0) if self.active else []

    def run_now(self, request):
        self.started.append(request)
        return 100

    def get_run_page_url(self, run_id):
        return f"http://databricks/runs/{run_id}"

    def get_run_state(self, run_id):
        state = self.states.pop(0) if len(self.states) > 1 else self.states[0]
        return RunState(state, "", "said")

    def get_run_tasks(self, run_id):
        return [{"task_key": "load", "run_id": 101, "start_time": 1}]

    def get_run_output(self, run_id):
        return {"error": "ValueError: field index is missing", "error_trace": "Traceback …"}

    def cancel_run(self, run_id):
        self.cancelled.append(run_id)


@pytest.fixture
def workflow(monkeypatch):
    monkeypatch.setattr(databricks_workflow, "POLL_SECONDS", 0)
    with (
        DAG("d", schedule=None, params={"folder": "/Shared/x"}) as dag,
        WorkflowTaskGroup(
            group_id="job",
            owner_name="0e36c8cd403d",
            databricks_conn_id="databricks_default",
            job_clusters=[{"job_cluster_key": "lake", "new_cluster": {"num_workers": 0}}],
            notebook_params={"run_id": "run 1"},
        ),
    ):
        load = NotebookOperator(task_id="load", databricks_task_key="load", notebook_path=f"{FOLDER}/load")
        load >> NotebookOperator(task_id="clean", databricks_task_key="clean", notebook_path=f"{FOLDER}/clean")
    return dag


@pytest.fixture
def launch(workflow):
    def run(databricks, attempt=1):
        operator = workflow.get_task("job.launch")
        operator.__dict__["_hook"] = databricks
        pushed = {}
        ti = SimpleNamespace(
            dag_id="d", try_number=attempt, id="uuid", xcom_push=lambda key, value: pushed.update({key: value})
        )
        context = {"ti": ti, "run_id": "run 1", "params": {"folder": "/Shared/x"}}
        return operator.execute(context), pushed

    return run


def active(run_id, belongs_to):
    return {
        "run_id": run_id,
        "run_page_url": "u",
        "overriding_parameters": {"notebook_params": {"run_id": belongs_to}},
    }


JOB = {"job_id": 7, "name": "0e36c8cd403d.d.job"}


def test_the_first_launch_makes_the_job_with_rendered_paths_and_parameters(launch):
    databricks = Databricks()

    result, pushed = launch(databricks)

    assert result == {"conn_id": "databricks_default", "job_id": 7, "run_id": 100}
    (spec,) = databricks.created
    assert spec["name"] == "0e36c8cd403d.d.job"
    assert [(t["task_key"], t["notebook_task"]["notebook_path"]) for t in spec["tasks"]] == [
        ("load", "/Shared/x/load"),
        ("clean", "/Shared/x/clean"),
    ]
    assert spec["tasks"][1]["depends_on"] == [{"task_key": "load"}]
    assert spec["tasks"][0]["notebook_task"]["base_parameters"] == {"run_id": "run 1"}
    assert pushed == {"databricks_job_run_link": "http://databricks/runs/100"}


@pytest.mark.parametrize(
    ("arn", "asked"),
    [
        ("", {"num_workers": 0}),
        ("arn:p", {"num_workers": 0, "aws_attributes": {"instance_profile_arn": "arn:p"}}),
    ],
)
def test_the_clusters_machines_get_the_instance_profile(workflow, launch, arn, asked):
    workflow.get_task("job.launch").instance_profile_arn = arn
    databricks = Databricks()

    launch(databricks)

    assert [cluster["new_cluster"] for cluster in databricks.created[0]["job_clusters"]] == [asked]


def test_a_retry_takes_over_the_run_that_goes_on(launch):
    databricks = Databricks(jobs=[JOB], active=[[active(55, "run 1")]])

    result, _ = launch(databricks, attempt=2)

    assert result["run_id"] == 55
    assert (databricks.started, databricks.reset) == ([], [])


def test_the_run_of_a_killed_worker_is_waited_for(launch):
    databricks = Databricks(jobs=[JOB], active=[[active(54, "run 0")], [active(54, "run 0")], []])

    result, _ = launch(databricks)

    assert result["run_id"] == 100
    assert databricks.active == []
    assert [job_id for job_id, _ in databricks.reset] == [7]


def test_a_lost_answer_and_a_new_attempt_are_not_the_same_request(launch):
    databricks = Databricks(jobs=[JOB])
    launch(databricks)
    launch(databricks)
    launch(databricks, attempt=2)

    first, again, retried = (request["idempotency_token"] for request in databricks.started)
    assert first == again != retried
    assert len(first) <= 64


def test_a_run_that_databricks_skips_is_an_error(launch):
    with pytest.raises(AirflowException, match="SKIPPED said"):
        launch(Databricks(states=["PENDING", "SKIPPED"]))


def test_cancelling_the_launch_cancels_the_run(launch, workflow):
    databricks = Databricks()
    launch(databricks)

    workflow.get_task("job.launch").on_kill()

    assert databricks.cancelled == [100]


def test_a_failed_notebook_fails_at_once_with_its_own_error(workflow):
    load = workflow.get_task("job.load")
    load.__dict__["_hook"] = Databricks()
    load.databricks_run_id = 100

    with pytest.raises(AirflowFailException, match=r"/load ended FAILED: ValueError: field index is missing"):
        load._handle_terminal_run_state(RunState("TERMINATED", "FAILED", ""), [])


def test_a_notebook_that_succeeds_is_silent(workflow):
    workflow.get_task("job.load")._handle_terminal_run_state(RunState("TERMINATED", "SUCCESS", ""), [])

"""Launching the Databricks job: once for an Airflow run, whatever is retried; and a notebook's own error in Airflow."""

from __future__ import annotations

from datetime import timedelta
from types import SimpleNamespace

import pytest
from airflow.providers.common.compat.sdk import AirflowException, AirflowFailException
from airflow.providers.databricks.exceptions import DatabricksApiError
from airflow.sdk.exceptions import TaskDeferred

from pinterest.hooks.databricks_jobs import DatabricksJobsHook
from pinterest.operators.databricks_workflow import LaunchWorkflowOperator, NotebookOperator

FOLDER = "{{ params.folder }}"


class Databricks(DatabricksJobsHook):
    """Jobs and runs as the provider's hook shows them.

    ``active`` is a list of answers to "which runs are active?"; a run goes through ``states``, one a look.
    """

    def __init__(self, jobs=(), active=(), states=("PENDING", "RUNNING")):
        self.jobs, self.active, self.states = list(jobs), list(active), list(states)
        self.created, self.reset, self.started, self.cancelled = [], [], [], []

    def list_jobs(self, job_name):
        return [job for job in self.jobs if job["name"] == job_name]

    def create_job(self, spec):
        self.created.append(spec)
        self.jobs.append({"job_id": 7, "created_time": 0, "name": spec["name"]})
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

    def get_run(self, run_id):
        life, _, result = (self.states.pop(0) if len(self.states) > 1 else self.states[0]).partition("/")
        state = {"life_cycle_state": life, "result_state": result, "state_message": "said"}
        return {"run_id": run_id, "run_page_url": self.get_run_page_url(run_id), "state": state}

    def get_run_tasks(self, run_id):
        return [
            {"task_key": "load", "run_id": 111, "start_time": 2},
            {"task_key": "load", "run_id": 101, "start_time": 1},
            {"task_key": "clean", "run_id": 102, "start_time": 3},
        ]

    def get_run_output(self, run_id):
        return {"error": "ValueError: field index is missing", "error_trace": "Traceback …"}

    def cancel_run(self, run_id):
        self.cancelled.append(run_id)


@pytest.fixture
def operator():
    return LaunchWorkflowOperator(
        task_id="launch",
        job_name="{{ params.owner }}.d.job",
        folder=FOLDER,
        order={"load": (), "clean": ("load",)},
        notebook_params={"run_id": "{{ run_id }}"},
        job_cluster={"job_cluster_key": "lake", "new_cluster": {"num_workers": 0}},
        notebook_timeout=timedelta(hours=1),
        poll_seconds=0,
    )


def task_context(attempt=1):
    pushed = {}
    ti = SimpleNamespace(
        dag_id="d", try_number=attempt, id="uuid", xcom_push=lambda key, value: pushed.update({key: value})
    )
    params = {"folder": "/Shared/x", "owner": "0e36c8cd403d"}
    return {"ti": ti, "run_id": "run 1", "params": params}, pushed


@pytest.fixture
def launch(operator):
    def run(databricks, attempt=1):
        operator.__dict__["hook"] = databricks
        context, pushed = task_context(attempt)
        operator.render_template_fields(context)
        return operator.execute(context), pushed

    return run


def active(run_id, belongs_to):
    return {
        "run_id": run_id,
        "run_page_url": "u",
        "overriding_parameters": {"notebook_params": {"run_id": belongs_to}},
    }


JOB = {"job_id": 7, "created_time": 0, "name": "0e36c8cd403d.d.job"}


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
    assert {(t["job_cluster_key"], t["timeout_seconds"]) for t in spec["tasks"]} == {("lake", 3600)}
    assert spec["max_concurrent_runs"] == 1
    (started,) = databricks.started
    assert (started["job_id"], started["notebook_params"]) == (7, {"run_id": "run 1"})
    assert pushed == {"run_page_url": "http://databricks/runs/100"}


@pytest.mark.parametrize(
    ("arn", "asked"),
    [
        ("", {"num_workers": 0}),
        ("arn:p", {"num_workers": 0, "aws_attributes": {"instance_profile_arn": "arn:p"}}),
    ],
)
def test_the_clusters_machines_get_the_instance_profile(operator, launch, arn, asked):
    operator.instance_profile_arn = arn
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
    assert [job_id for job_id, _ in databricks.reset] == ["7"]


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


def test_cancelling_the_launch_cancels_the_run(launch, operator):
    databricks = Databricks()
    launch(databricks)

    operator.on_kill()

    assert databricks.cancelled == [100]


def test_cancelling_before_anything_is_launched_cancels_nothing(operator):
    operator.__dict__["hook"] = databricks = Databricks()

    operator.on_kill()

    assert databricks.cancelled == []


RUN = {"conn_id": "databricks_default", "job_id": 7, "run_id": 100}


def follow(databricks, *, deferrable=False):
    operator = NotebookOperator(task_id="load", notebook="load", run=RUN, poll_seconds=0, deferrable=deferrable)
    operator.__dict__["hook"] = databricks
    context, pushed = task_context()
    return operator, lambda: (operator.execute(context), pushed)[1]


def test_a_failed_notebook_fails_at_once_with_its_own_error():
    databricks = Databricks(states=["RUNNING", "TERMINATED/FAILED"])

    with pytest.raises(AirflowFailException, match=r"Notebook load ended FAILED: ValueError: field index is missing"):
        follow(databricks)[1]()


def test_a_notebook_that_never_ran_says_what_databricks_says(monkeypatch):
    def no_output(_):
        raise DatabricksApiError("no output", http_status_code=400)

    databricks = Databricks(states=["INTERNAL_ERROR/UPSTREAM_FAILED"])
    monkeypatch.setattr(databricks, "get_run_output", no_output)

    with pytest.raises(AirflowFailException, match=r"Notebook load ended UPSTREAM_FAILED: said"):
        follow(databricks)[1]()


def test_a_notebook_that_succeeds_is_followed_to_its_end_by_its_latest_attempt():
    databricks = Databricks(states=["PENDING", "RUNNING", "TERMINATED/SUCCESS"])

    assert follow(databricks)[1]() == {"run_page_url": "http://databricks/runs/111"}
    assert databricks.states == ["TERMINATED/SUCCESS"]


def test_deferred_the_notebook_is_awaited_in_the_triggerer():
    databricks = Databricks(states=["RUNNING"])
    operator, execute = follow(databricks, deferrable=True)

    with pytest.raises(TaskDeferred) as deferred:
        execute()

    path, arguments = deferred.value.trigger.serialize()
    assert path.endswith(".DatabricksExecutionTrigger")
    assert (arguments["run_id"], arguments["databricks_conn_id"]) == (111, "databricks_default")
    resume = getattr(operator, deferred.value.method_name)
    databricks.states = ["TERMINATED/SUCCESS"]
    context, _ = task_context()
    resume(context, {"run_id": 111})
    databricks.states = ["TERMINATED/FAILED"]
    with pytest.raises(AirflowFailException, match="Notebook load ended FAILED: ValueError"):
        resume(context, {"run_id": 111})


class Cluster:
    """A run of three notebooks on one cluster. ``attempts`` holds how each attempt of each ends, in order: an attempt
    runs for one look, then it has ended. ``lost`` marks a lost cluster."""

    def __init__(self, **attempts):
        self.ends = {name: [*ends] for name, ends in attempts.items()}
        self.attempts = {name: 1 for name in attempts}
        self.looks = {}
        self.repairs = []
        self.others_repair = False

    def told(self, name, attempt):
        ends = self.ends[name][attempt - 1]
        if self.looks.setdefault((name, attempt), 0) < 1:
            return {"state": {"life_cycle_state": "RUNNING", "state_message": ""}, "status": {"state": "RUNNING"}}
        life = "TERMINATED" if ends in ("SUCCESS", "FAILED") else "INTERNAL_ERROR"
        code = {"SUCCESS": "SUCCESS", "lost": "CLUSTER_ERROR"}.get(ends, "RUN_EXECUTION_ERROR")
        result = "FAILED" if ends == "lost" else ends
        return {
            "state": {"life_cycle_state": life, "result_state": result, "state_message": "the driver stopped"},
            "status": {"state": "TERMINATED", "termination_details": {"code": code, "type": "CLIENT_ERROR"}},
        }

    def task(self, name):
        attempt = self.attempts[name]
        run_id = 1000 * attempt + [*self.ends].index(name)
        return {"task_key": name, "run_id": run_id, "start_time": attempt, "run_page_url": "u"} | self.told(
            name, attempt
        )

    def run(self):
        tasks = [self.task(name) for name in self.ends]
        active = any(task["state"]["life_cycle_state"] == "RUNNING" for task in tasks)
        life = "RUNNING" if active else "INTERNAL_ERROR"
        return {"run_id": 100, "run_page_url": "u", "tasks": tasks, "state": {"life_cycle_state": life}}

    def hook(self):
        databricks = Databricks()
        databricks.get_run_output = lambda _: {"notebook_output": {"result": '{"tables": {}}'}}
        databricks.get_run = self.get_run
        databricks.get_run_tasks = lambda _: self.run()["tasks"]
        databricks.call = lambda *_: self.run() | {"repair_history": [{"type": "ORIGINAL"}, *self.repairs]}
        databricks.repair_run = self.repair
        return databricks

    def get_run(self, run_id):
        for name, attempt in self.attempts.items():
            if run_id in (self.task(name)["run_id"], 100):
                self.looks[name, attempt] = self.looks.get((name, attempt), -1) + 1
        return self.run() if run_id == 100 else next(t for t in self.run()["tasks"] if t["run_id"] == run_id)

    def repair(self, request):
        if self.others_repair:
            self.others_repair = False
            self.repair({})
            raise DatabricksApiError("The run is active", http_status_code=400)
        for name, attempt in self.attempts.items():
            if self.ends[name][attempt - 1] != "SUCCESS":
                self.attempts[name] += 1
        self.repairs.append({"type": "REPAIR", "id": 500 + len(self.repairs)})
        return self.repairs[-1]["id"]


def test_a_notebook_whose_cluster_was_lost_is_repaired_and_followed_again():
    cluster = Cluster(load=["lost", "SUCCESS"], clean=["UPSTREAM_FAILED", "SUCCESS"])

    follow(cluster.hook())[1]()

    assert (len(cluster.repairs), cluster.attempts) == (1, {"load": 2, "clean": 2})


def test_a_run_that_another_task_repairs_is_not_repaired_twice():
    cluster = Cluster(load=["lost", "SUCCESS"], clean=["lost", "SUCCESS"])
    cluster.others_repair = True

    follow(cluster.hook())[1]()

    assert (len(cluster.repairs), cluster.attempts) == (1, {"load": 2, "clean": 2})


def test_a_notebook_whose_cluster_is_lost_again_and_again_fails():
    cluster = Cluster(load=["lost"] * 3)

    with pytest.raises(AirflowFailException, match="Notebook load ended FAILED: the driver stopped"):
        follow(cluster.hook())[1]()
    assert len(cluster.repairs) == 2


def test_a_failed_notebook_is_not_repaired_and_neither_is_its_neighbor():
    cluster = Cluster(load=["FAILED"], clean=["lost"])

    with pytest.raises(AirflowFailException, match="Notebook load ended FAILED"):
        follow(cluster.hook())[1]()
    assert cluster.repairs == []


def test_what_a_notebook_exits_with_is_returned_if_it_is_asked_for():
    operator, _ = follow(Cluster(load=["SUCCESS"]).hook())
    assert operator.execute(task_context()[0]) is None
    operator.returns_exit = True
    assert operator.execute(task_context()[0]) == {"tables": {}}


def test_cancelling_a_notebook_leaves_the_others_of_its_job():
    databricks = Databricks(states=["RUNNING", "TERMINATED/CANCELED"])
    operator, execute = follow(databricks)
    with pytest.raises(AirflowFailException, match="ended CANCELED"):
        execute()

    operator.on_kill()

    assert databricks.cancelled == [111]

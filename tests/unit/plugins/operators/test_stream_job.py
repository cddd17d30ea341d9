"""Starting the stream's job: once whoever starts it, its end awaited or its beginning, its own error in Airflow."""

from __future__ import annotations

import json
import logging
from types import SimpleNamespace

import pytest
from airflow.providers.common.compat.sdk import AirflowException, AirflowFailException
from airflow.sdk.exceptions import TaskDeferred

from include.lake.contract import AVAILABLE_NOW, PROCESSING_TIME
from pinterest.hooks.databricks_jobs import DatabricksJobsHook
from pinterest.operators.stream_job import StreamJobOperator

NAME = "0e36c8cd403d.lake_stream"
LOST = "LOST"
"""In place of a result: the cluster was lost."""
CODE = "/Shared/x/0123456789ab/stream"


class Databricks(DatabricksJobsHook):
    """Databricks' Jobs API as calls: jobs, runs and tokens. A run goes through ``states``, one a look."""

    def __init__(self, states=("PENDING", "RUNNING", "TERMINATED/SUCCESS"), counts=None):
        self.states = states
        self.jobs: list[dict] = []
        self.runs: dict[int, dict] = {}
        self.tokens: dict[str, int] = {}
        self.repairs: list[dict] = []
        self.after_repair: list[tuple[str, ...]] = []
        self.before_create = lambda: None
        self.calls: list[tuple[str, dict]] = []
        self.output = {"notebook_output": {"result": json.dumps(counts or {"stream": {"pin": {"records": 3}}})}}

    def _do_api_call(self, endpoint, body=None, wrap_http_errors=True):
        name = endpoint[1].split("/", 2)[-1]
        self.calls.append((name, body or {}))
        return getattr(self, name.replace("/", "_").replace("-", "_"))(body or {})

    def named(self, call):
        return [body for name, body in self.calls if name == call]

    def list(self, body):
        return {"jobs": [job for job in self.jobs if job["settings"]["name"] == body["name"]]}

    def create(self, body):
        self.before_create()
        job = {"job_id": 10 - len(self.jobs), "created_time": len(self.jobs), "settings": body}
        self.jobs.append(job)
        return {"job_id": job["job_id"]}

    def reset(self, body):
        return {}

    def delete(self, body):
        self.jobs = [job for job in self.jobs if job["job_id"] != body["job_id"]]
        return {}

    def run_now(self, body):
        if not isinstance(body, dict) or "job_id" not in body:
            raise AssertionError(body)
        self.calls.append(("run-now", body))
        token = body["idempotency_token"]
        if token not in self.tokens:
            self.tokens[token] = self.add(self.states, body["notebook_params"], job_id=body["job_id"])
        return self.tokens[token]

    def add(self, states, parameters=None, job_id=10, code=CODE):
        run_id = 100 + len(self.runs)
        self.runs[run_id] = {
            "left": [*states],
            "job_id": job_id,
            "run_id": run_id,
            "run_page_url": f"http://databricks/runs/{run_id}",
            "overriding_parameters": {"notebook_params": dict(parameters or {})},
            "tasks": [{"run_id": 1000 + run_id, "task_key": "stream", "notebook_task": {"notebook_path": code}}],
        }
        return run_id

    def view(self, run, look=False):
        if look and len(run["left"]) > 1:
            run["left"].pop(0)
        life, _, result = run["left"][0].partition("/")
        code = "DRIVER_ERROR" if result == LOST else "RUN_EXECUTION_ERROR"
        result = "FAILED" if result == LOST else result
        told = {
            "state": {"life_cycle_state": life, "result_state": result, "state_message": "said"},
            "status": {"state": life, "termination_details": {"code": code, "type": "CLIENT_ERROR"}},
        }
        return {**run, **told, "tasks": [{**task, **told, "start_time": 1} for task in run["tasks"]]}

    def runs_repair(self, body):
        run = self.runs[body["run_id"]]
        assert body.get("latest_repair_id") == (self.repairs[-1]["id"] if self.repairs else None)
        assert body["notebook_params"] == run["overriding_parameters"]["notebook_params"]
        self.repairs.append({"id": 500 + len(self.repairs), "type": "REPAIR"})
        run["left"] = ["PENDING", *self.after_repair.pop(0)]
        return {"repair_id": self.repairs[-1]["id"]}

    def runs_get(self, body):
        if body.get("include_history"):
            return self.view(self.runs[body["run_id"]]) | {"repair_history": [{"type": "ORIGINAL"}, *self.repairs]}
        return self.view(self.runs[body["run_id"]], look=True)

    def runs_list(self, body):
        runs = [self.view(run) for run in reversed(self.runs.values()) if run["job_id"] == body["job_id"]]
        if body.get("active_only"):
            runs = [run for run in runs if run["state"]["life_cycle_state"] in ("PENDING", "RUNNING")]
            for run in runs:
                self.view(self.runs[run["run_id"]], look=True)
        return {"runs": runs[: body["limit"]]}

    def runs_get_output(self, body):
        return self.output

    def runs_cancel(self, body):
        return {}


def launch(databricks, trigger, *, run="run 1", attempt=1, profile="", deferrable=False):
    operator = StreamJobOperator(
        task_id="job",
        job_name=NAME,
        notebook_path=CODE,
        notebook_params={"run_id": run, "trigger": trigger},
        job_cluster={"job_cluster_key": "lake", "new_cluster": {"num_workers": 0}},
        instance_profile_arn=profile,
        trigger=trigger,
        poll_seconds=0,
        deferrable=deferrable,
    )
    operator.__dict__["hook"] = databricks
    pushed = {}
    ti = SimpleNamespace(
        dag_id="d", try_number=attempt, id=f"uuid of {run}", xcom_push=lambda key, value: pushed.update({key: value})
    )
    return operator, lambda: (operator.execute({"ti": ti, "run_id": run}), pushed)


def test_the_first_run_makes_the_job_and_waits_for_its_end():
    databricks = Databricks()
    result, pushed = launch(databricks, AVAILABLE_NOW, profile="arn:aws:iam::0:instance-profile/lake")[1]()

    assert result == {
        "conn_id": "databricks_default",
        "job_id": 10,
        "trigger": AVAILABLE_NOW,
        "run_id": 100,
        "counts": {"stream": {"pin": {"records": 3}}},
    }
    assert pushed == {"run_page_url": "http://databricks/runs/100"}
    (job,) = databricks.named("create")
    assert (job["name"], job["max_concurrent_runs"], job["queue"]) == (NAME, 1, {"enabled": False})
    (task,) = job["tasks"]
    assert task["notebook_task"]["notebook_path"] == CODE
    assert task["notebook_task"]["base_parameters"] == {"run_id": "run 1", "trigger": AVAILABLE_NOW}
    (cluster,) = job["job_clusters"]
    assert task["job_cluster_key"] == cluster["job_cluster_key"]
    assert cluster["new_cluster"]["aws_attributes"] == {"instance_profile_arn": "arn:aws:iam::0:instance-profile/lake"}
    assert databricks.named("run-now")[0]["notebook_params"]["run_id"] == "run 1"


def test_without_a_profile_the_cluster_has_none():
    databricks = Databricks()
    launch(databricks, AVAILABLE_NOW)[1]()

    assert databricks.named("create")[0]["job_clusters"][0]["new_cluster"] == {"num_workers": 0}


def test_the_job_that_is_there_is_brought_to_its_settings():
    databricks = Databricks()
    launch(databricks, AVAILABLE_NOW, run="run 1")[1]()
    result, _ = launch(databricks, AVAILABLE_NOW, run="run 2")[1]()

    assert (result["job_id"], result["run_id"]) == (10, 101)
    assert len(databricks.named("create")) == 1
    assert [(r["job_id"], r["new_settings"]["name"]) for r in databricks.named("reset")] == [("10", NAME)]


def test_two_that_make_the_job_at_once_end_up_with_one():
    databricks = Databricks()

    def other():
        databricks.before_create = lambda: None
        databricks.create({"name": NAME})

    databricks.before_create = other
    result, _ = launch(databricks, AVAILABLE_NOW)[1]()

    assert result["job_id"] == 10
    assert [job["job_id"] for job in databricks.jobs] == [10]


def test_a_retry_takes_over_the_run_that_goes_on():
    databricks = Databricks()
    job = databricks.create({"name": NAME})
    databricks.add(["RUNNING", "TERMINATED/SUCCESS"], {"run_id": "run 1"}, job["job_id"])

    result, _ = launch(databricks, AVAILABLE_NOW, attempt=2)[1]()

    assert result["run_id"] == 100
    assert databricks.named("run-now") == []


def test_the_run_of_another_airflow_run_is_waited_for():
    databricks = Databricks()
    job = databricks.create({"name": NAME})
    databricks.add(["RUNNING", "RUNNING", "TERMINATED/SUCCESS"], {"run_id": "run 0"}, job["job_id"])

    result, _ = launch(databricks, AVAILABLE_NOW)[1]()

    assert result["run_id"] == 101
    assert databricks.runs[100]["left"] == ["TERMINATED/SUCCESS"]


def test_a_run_without_end_is_not_waited_for():
    databricks = Databricks()
    job = databricks.create({"name": NAME})
    databricks.add(["RUNNING"], {"run_id": "run 0", "trigger": PROCESSING_TIME}, job["job_id"])

    with pytest.raises(AirflowException, match=r"run 100 .*all the time.*lake_stream\.trigger is 'available_now'"):
        launch(databricks, AVAILABLE_NOW)[1]()


def test_a_notebook_that_fails_says_why():
    databricks = Databricks(states=("RUNNING", "INTERNAL_ERROR/FAILED"))
    databricks.output = {"error": "StreamError: pin: no stream 'streaming-…-pin'", "error_trace": "Traceback"}

    with pytest.raises(AirflowException, match=r"runs/100\) FAILED: StreamError: pin: no stream"):
        launch(databricks, AVAILABLE_NOW)[1]()


def test_deferred_the_end_of_the_run_is_awaited_in_the_triggerer():
    databricks = Databricks(states=("RUNNING",))
    operator, execute = launch(databricks, AVAILABLE_NOW, deferrable=True)

    with pytest.raises(TaskDeferred) as deferred:
        execute()

    path, arguments = deferred.value.trigger.serialize()
    assert path.endswith(".DatabricksExecutionTrigger")
    assert (arguments["run_id"], arguments["databricks_conn_id"]) == (100, "databricks_default")
    databricks.runs[100]["left"] = ["TERMINATED/SUCCESS"]
    resume = getattr(operator, deferred.value.method_name)
    assert resume({}, {"run_id": 100}, **deferred.value.kwargs) == {
        "conn_id": "databricks_default",
        "job_id": 10,
        "trigger": AVAILABLE_NOW,
        "run_id": 100,
        "counts": {"stream": {"pin": {"records": 3}}},
    }
    databricks.runs[100]["left"] = ["INTERNAL_ERROR/FAILED"]
    databricks.output = {"error": "StreamError: pin"}
    with pytest.raises(AirflowException, match=r"runs/100\) FAILED: StreamError: pin"):
        resume({}, {"run_id": 100}, **deferred.value.kwargs)


def test_a_run_without_end_is_never_deferred():
    databricks = Databricks(states=ENDLESS)

    assert launch(databricks, PROCESSING_TIME, deferrable=True)[1]()[0]["run_id"] == 100


@pytest.mark.parametrize("trigger", [AVAILABLE_NOW, PROCESSING_TIME])
def test_a_run_that_is_skipped_says_what_that_means(trigger):
    databricks = Databricks(states=("SKIPPED/MAXIMUM_CONCURRENT_RUNS_REACHED",))

    with pytest.raises(AirflowException, match=r"skipped run 10.*another run of it"):
        launch(databricks, trigger)[1]()


def test_every_attempt_has_a_token_of_its_own_and_a_repeated_request_has_not():
    databricks = Databricks()
    for run, attempt in (("run 1", 1), ("run 1", 2), ("run 2", 1)):
        launch(databricks, AVAILABLE_NOW, run=run, attempt=attempt)[1]()

    tokens = [body["idempotency_token"] for body in databricks.named("run-now")]
    assert len(set(tokens)) == 3
    assert all(len(token) <= 64 for token in tokens)


def test_a_run_whose_cluster_was_lost_is_repaired_and_awaited_again():
    databricks = Databricks(states=("RUNNING", "INTERNAL_ERROR/LOST"))
    databricks.after_repair = [("RUNNING", "INTERNAL_ERROR/LOST"), ("RUNNING", "TERMINATED/SUCCESS")]

    result, _ = launch(databricks, AVAILABLE_NOW)[1]()

    assert (result["run_id"], result["counts"]) == (100, {"stream": {"pin": {"records": 3}}})
    assert (len(databricks.repairs), len(databricks.tokens)) == (2, 1)


def test_a_cluster_that_is_lost_again_and_again_is_given_up():
    databricks = Databricks(states=("INTERNAL_ERROR/LOST",))
    databricks.after_repair = [("INTERNAL_ERROR/LOST",)] * 2
    databricks.output = {}

    with pytest.raises(AirflowFailException, match=r"runs/100\) FAILED: said"):
        launch(databricks, AVAILABLE_NOW)[1]()
    assert len(databricks.repairs) == 2


def test_a_notebook_that_failed_by_its_own_error_is_not_repaired():
    databricks = Databricks(states=("INTERNAL_ERROR/FAILED",))
    databricks.output = {"error": "StreamError: pin"}

    with pytest.raises(AirflowFailException, match="StreamError: pin"):
        launch(databricks, AVAILABLE_NOW)[1]()
    assert databricks.repairs == []


def test_deferred_a_lost_run_is_repaired_and_awaited_in_the_triggerer_again():
    databricks = Databricks(states=("RUNNING",))
    operator, execute = launch(databricks, AVAILABLE_NOW, deferrable=True)
    with pytest.raises(TaskDeferred) as deferred:
        execute()
    databricks.runs[100]["left"] = ["INTERNAL_ERROR/LOST"]
    databricks.after_repair = [("RUNNING", "TERMINATED/SUCCESS")]

    with pytest.raises(TaskDeferred):
        getattr(operator, deferred.value.method_name)({}, {"run_id": 100}, **deferred.value.kwargs)
    assert len(databricks.repairs) == 1


def test_a_run_that_should_go_on_and_loses_its_cluster_at_once_is_started_again():
    databricks = Databricks(states=("PENDING", "INTERNAL_ERROR/LOST"))
    start = databricks.run_now

    def second_start_succeeds(body):
        databricks.states = ENDLESS if databricks.tokens else databricks.states
        return start(body)

    databricks.run_now = second_start_succeeds
    databricks.output = {}

    assert launch(databricks, PROCESSING_TIME)[1]()[0]["run_id"] == 101


def test_a_kill_cancels_what_is_awaited():
    databricks = Databricks()
    operator, execute = launch(databricks, AVAILABLE_NOW)
    look = databricks.runs_get
    databricks.runs_get = lambda body: (operator.on_kill(), look(body))[1]
    execute()

    assert databricks.named("runs/cancel")[0] == {"run_id": 100}


def test_a_kill_before_or_after_cancels_nothing():
    databricks = Databricks()
    operator, execute = launch(databricks, AVAILABLE_NOW)
    operator.on_kill()
    execute()
    operator.on_kill()

    assert databricks.named("runs/cancel") == []


ENDLESS = ("PENDING", "RUNNING")


def test_a_run_without_end_is_started_and_left_running():
    databricks = Databricks(states=ENDLESS)
    operator, execute = launch(databricks, PROCESSING_TIME)
    result, pushed = execute()
    operator.on_kill()

    assert result == {"conn_id": "databricks_default", "job_id": 10, "trigger": PROCESSING_TIME, "run_id": 100}
    assert pushed == {"run_page_url": "http://databricks/runs/100"}
    assert databricks.named("runs/cancel") == []


def test_the_run_that_goes_on_is_adopted_whoever_started_it(caplog):
    caplog.set_level(logging.INFO)
    databricks = Databricks(states=ENDLESS)
    launch(databricks, PROCESSING_TIME, run="run 1")[1]()
    result, _ = launch(databricks, PROCESSING_TIME, run="run 2")[1]()

    assert result["run_id"] == 100
    assert len(databricks.runs) == 1
    assert "newest code" not in caplog.text


def test_an_adopted_run_of_older_code_is_told(caplog):
    caplog.set_level(logging.INFO)
    databricks = Databricks(states=ENDLESS)
    job = databricks.create({"name": NAME})
    databricks.add(["RUNNING"], {"trigger": PROCESSING_TIME}, job["job_id"], code="/Shared/x/old/stream")

    launch(databricks, PROCESSING_TIME)[1]()

    assert f"/Shared/x/old/stream, and the newest code is {CODE}" in caplog.text


def test_two_starters_that_find_no_run_start_one():
    databricks = Databricks(states=ENDLESS)
    launch(databricks, PROCESSING_TIME, run="run 1")[1]()
    databricks.runs[100]["left"] = ["TERMINATED/CANCELED"]
    newest = databricks.newest_run(10)
    databricks.newest_run = lambda _: newest

    results = [launch(databricks, PROCESSING_TIME, run=run)[1]()[0] for run in ("run 2", "run 3")]

    assert [result["run_id"] for result in results] == [101, 101]


def test_after_a_run_has_ended_another_is_started():
    databricks = Databricks(states=ENDLESS)
    found = []
    for run in ("run 1", "run 2", "run 3"):
        found.append(launch(databricks, PROCESSING_TIME, run=run)[1]()[0]["run_id"])
        databricks.runs[found[-1]]["left"] = ["INTERNAL_ERROR/FAILED"]

    assert found == [100, 101, 102]


def test_a_run_that_ends_by_itself_is_waited_for_before_one_is_started_that_does_not():
    databricks = Databricks(states=ENDLESS)
    job = databricks.create({"name": NAME})
    databricks.add(["RUNNING", "RUNNING", "TERMINATED/SUCCESS"], {"trigger": AVAILABLE_NOW}, job["job_id"])

    result, _ = launch(databricks, PROCESSING_TIME)[1]()

    assert result["run_id"] == 101
    assert databricks.runs[100]["left"] == ["TERMINATED/SUCCESS"]


def test_a_run_that_should_go_on_and_fails_at_once_says_why():
    databricks = Databricks(states=("PENDING", "INTERNAL_ERROR/FAILED"))
    databricks.output = {"error": "ValueError: notebook parameter data_streams is empty"}

    with pytest.raises(AirflowException, match="should go on and has ended FAILED: ValueError: notebook parameter"):
        launch(databricks, PROCESSING_TIME)[1]()

"""Jobs and their runs on the Databricks stand-in, through its API, Airflow's provider and databricks-sdk."""

from __future__ import annotations

import asyncio
from datetime import timedelta

import psutil
import pytest
import requests
from databricks.sdk.errors import NotFound
from databricks.sdk.service.jobs import NotebookTask, SubmitTask
from databricks.sdk.service.sql import StatementState

from tests.lab.databricks_parts import results, task
from tests.lab.lab_parts import wait_until

# runs


def test_tasks_run_after_what_they_depend_on_and_siblings_side_by_side(databricks, notebooks):
    run_id = databricks.submit(
        task("load", "/jobs/exit", base_parameters={"key": "load"}),
        task("pin", "/jobs/exit", "load", base_parameters={"key": "pin"}),
        task("geo", "/jobs/exit", "load", base_parameters={"key": "geo"}),
        task("last", "/jobs/exit", "pin", "geo", base_parameters={"key": "last"}),
    )

    run = databricks.ended(run_id)
    tasks = {view["task_key"]: view for view in run["tasks"]}

    assert run["state"]["result_state"] == "SUCCESS"
    assert set(results(run).values()) == {"SUCCESS"}
    assert tasks["load"]["end_time"] <= min(tasks["pin"]["start_time"], tasks["geo"]["start_time"])
    assert abs(tasks["pin"]["start_time"] - tasks["geo"]["start_time"]) < 1000
    assert max(tasks["pin"]["end_time"], tasks["geo"]["end_time"]) <= tasks["last"]["start_time"]
    outputs = {key: databricks.output(view["run_id"])["notebook_output"] for key, view in tasks.items()}
    assert outputs == {key: {"result": key, "truncated": False} for key in tasks}


def test_a_failed_task_holds_up_what_depends_on_it(databricks, notebooks):
    run_id = databricks.submit(
        task("bad", "/jobs/fail"),
        task("held", "/jobs/exit", "bad"),
        task("anyway", "/jobs/exit", "bad", run_if="ALL_DONE", base_parameters={"key": "x"}),
        task("rescue", "/jobs/exit", "bad", run_if="AT_LEAST_ONE_FAILED", base_parameters={"key": "x"}),
        task("other", "/jobs/exit", base_parameters={"key": "x"}),
        task("not needed", "/jobs/exit", "other", run_if="ALL_FAILED"),
    )

    run = databricks.ended(run_id)

    assert results(run) == {
        "bad": "FAILED",
        "held": "UPSTREAM_FAILED",
        "anyway": "SUCCESS",
        "rescue": "SUCCESS",
        "other": "SUCCESS",
        "not needed": "EXCLUDED",
    }
    assert (run["state"]["life_cycle_state"], run["state"]["result_state"]) == ("INTERNAL_ERROR", "FAILED")
    assert run["state"]["state_message"].startswith("Task bad failed with message: Workload failed")
    output = databricks.output(run["tasks"][0]["run_id"])
    assert output["error"] == "ValueError: broken on purpose"
    assert 'File "/jobs/fail", line 2' in output["error_trace"]


def test_a_notebook_that_does_not_exist_fails_the_task_with_its_path(databricks):
    run = databricks.ended(databricks.submit(task("lost", "/jobs/no such notebook")))

    assert run["tasks"][0]["state"]["life_cycle_state"] == "INTERNAL_ERROR"
    assert "/jobs/no such notebook" in run["tasks"][0]["state"]["state_message"]
    assert run["tasks"][0]["status"]["termination_details"]["code"] == "RESOURCE_NOT_FOUND"


def test_the_first_looks_find_the_run_going_on(databricks, notebooks):
    run_id = databricks.submit(task("quick", "/jobs/exit"))

    assert [databricks.state_of(run_id) for _ in range(2)] == ["RUNNING", "RUNNING"]


def test_cancel_ends_running_and_waiting_tasks(databricks, notebooks):
    run_id = databricks.submit(task("slow", "/jobs/endless"), task("next", "/jobs/exit", "slow"))
    wait_until(lambda: databricks.run(run_id)["tasks"][0]["state"]["life_cycle_state"] == "RUNNING", "slow runs")

    databricks.call("POST", "2.2/jobs/runs/cancel", run_id=run_id)
    run = databricks.ended(run_id)

    assert (run["state"]["life_cycle_state"], run["state"]["result_state"]) == ("TERMINATED", "CANCELED")
    assert results(run) == {"slow": "CANCELED", "next": "CANCELED"}


def test_cancel_of_one_task_leaves_its_siblings(databricks, notebooks):
    run_id = databricks.submit(task("slow", "/jobs/endless"), task("quick", "/jobs/exit", base_parameters={"key": "x"}))
    wait_until(lambda: databricks.run(run_id)["tasks"][0]["state"]["life_cycle_state"] == "RUNNING", "slow runs")

    databricks.call("POST", "2.2/jobs/runs/cancel", run_id=databricks.run(run_id)["tasks"][0]["run_id"])

    assert results(databricks.ended(run_id)) == {"slow": "CANCELED", "quick": "SUCCESS"}


def test_a_cancel_while_the_worker_takes_the_task_leaves_nothing_running(databricks, notebooks, databricks_client):
    """Spark has two cores. What runs there and nobody knows of would hold both for ever."""
    worker = psutil.Process(databricks.worker.part.process.pid)
    worker.suspend()
    try:
        run_id = databricks.submit(task("slow", "/jobs/endless"))
        wait_until(lambda: worker_is_called(databricks), "the stand-in calls the worker")
        databricks.call("POST", "2.2/jobs/runs/cancel", run_id=run_id)
    finally:
        worker.resume()

    assert results(databricks.ended(run_id)) == {"slow": "CANCELED"}
    answer = databricks_client.statement_execution.execute_statement("SELECT 1", "lab", wait_timeout="50s")
    assert answer.status.state == StatementState.SUCCEEDED


def worker_is_called(databricks) -> bool:
    """A connection is open that the worker, suspended, has not accepted."""
    connections = psutil.Process(databricks.part.process.pid).net_connections()
    port = databricks.state.port("spark")
    return any(c.status == psutil.CONN_ESTABLISHED and c.raddr.port == port for c in connections)


def test_a_task_past_its_time_is_timed_out(databricks, notebooks):
    run = databricks.ended(databricks.submit(task("slow", "/jobs/endless", timeout_seconds=1)))

    assert results(run) == {"slow": "TIMEDOUT"}
    assert run["state"]["result_state"] == "FAILED"


def test_repair_runs_again_what_failed_and_keeps_the_rest(databricks, notebooks, tmp_path):
    run_id = databricks.submit(
        task("good", "/jobs/exit", base_parameters={"key": "x"}),
        task("flaky", "/jobs/fail_once", base_parameters={"marker": str(tmp_path / "marker")}),
        task("after", "/jobs/exit", "flaky", "good", base_parameters={"key": "x"}),
    )
    before = databricks.ended(run_id)
    assert results(before) == {"good": "SUCCESS", "flaky": "FAILED", "after": "UPSTREAM_FAILED"}

    databricks.call("POST", "2.2/jobs/runs/repair", run_id=run_id, rerun_all_failed_tasks=True)
    after = databricks.ended(run_id)

    assert set(results(after).values()) == {"SUCCESS"}
    assert after["tasks"][0]["run_id"] == before["tasks"][0]["run_id"]
    history = databricks.run(run_id, include_history=True)
    assert [entry["type"] for entry in history["repair_history"]] == ["ORIGINAL", "REPAIR"]
    assert sorted(view["attempt_number"] for view in history["tasks"]) == [0, 0, 0, 1, 1]


def test_the_same_idempotency_token_is_the_same_run(databricks, notebooks):
    first, again, other = (
        databricks.submit(task("quick", "/jobs/exit"), idempotency_token=token) for token in ("a", "a", "b")
    )

    assert first == again != other


def test_the_run_page_shows_states_errors_and_logs(databricks, notebooks):
    run = databricks.ended(
        databricks.submit(task("bad", "/jobs/fail"), task("good", "/jobs/exit", base_parameters={"key": "<b>"}))
    )

    page = requests.get(run["run_page_url"], timeout=10).text

    for text in ("FAILED", "SUCCESS", "ValueError: broken on purpose", "output of &lt;b&gt;"):
        assert text in page
    assert run["run_page_url"].removeprefix(databricks.host) in requests.get(databricks.host, timeout=10).text


# jobs


def test_a_job_at_its_limit_skips_the_next_run_or_queues_it(databricks, notebooks, databricks_client):
    settings = {"tasks": [task("slow", "/jobs/endless")], "max_concurrent_runs": 1}
    skipping = databricks.call("POST", "2.2/jobs/create", name="skips", **settings)["job_id"]
    queueing = databricks.call("POST", "2.2/jobs/create", name="queues", queue={"enabled": True}, **settings)["job_id"]

    runs = {
        job: [databricks.call("POST", "2.2/jobs/run-now", job_id=job)["run_id"] for _ in range(2)]
        for job in (skipping, queueing)
    }

    assert databricks.run(runs[skipping][1])["state"]["result_state"] == "MAXIMUM_CONCURRENT_RUNS_REACHED"
    assert databricks.state_of(runs[queueing][1]) == "QUEUED"
    databricks.call("POST", "2.2/jobs/runs/cancel", run_id=runs[queueing][0])
    wait_until(lambda: databricks.state_of(runs[queueing][1]) == "RUNNING", "the queued run starts")
    for job in (skipping, queueing):
        databricks_client.jobs.delete(job)
    for run_id in (runs[skipping][0], runs[queueing][1]):
        assert databricks.ended(run_id)["state"]["result_state"] == "CANCELED"


@pytest.mark.parametrize(
    ("tasks", "message"),
    [
        ([task("a", "/n", "b")], "'b', which is not a task"),
        ([task("a", "/n", "b"), task("b", "/n", "a")], "in a circle"),
        ([task("a", "/n"), task("a", "/n")], "not unique"),
        ([task("a", "relative")], "not an absolute workspace path"),
        ([{"task_key": "a", "sql_task": {}}], "notebook_task only"),
        ([task("a", "/n", base_parameters={"list": [1]})], "'list' is not text"),
    ],
)
def test_a_job_that_cannot_run_is_refused(databricks, tasks, message):
    refused = databricks.raw("POST", "2.2/jobs/create", name="wrong", tasks=tasks)

    assert (refused.status_code, refused.json()["error_code"]) == (400, "INVALID_PARAMETER_VALUE")
    assert message in refused.json()["message"]


def test_jobs_through_the_provider(databricks_hook, notebooks, databricks):
    for number in range(3):
        databricks_hook.create_job({"name": f"listed {number}", "tasks": [task("t", "/jobs/exit")]})

    job_id = databricks_hook.find_job_id_by_name("listed 1")
    databricks_hook.reset_job(
        job_id, {"name": "renamed", "tasks": [task("t", "/jobs/exit", base_parameters={"key": "base"})]}
    )
    databricks_hook.update_job(job_id, {"max_concurrent_runs": 2})

    assert databricks_hook.find_job_id_by_name("listed 1") is None
    assert len([job for job in databricks_hook.list_jobs(limit=1) if job["settings"]["name"].startswith("listed")]) == 2
    run_id = databricks_hook.run_now(
        {"job_id": job_id, "notebook_params": {"key": "from the run"}, "idempotency_token": "x1"}
    )
    databricks.ended(run_id)
    assert databricks_hook.get_run_state(run_id).is_successful
    task_run = databricks_hook.get_run_tasks(run_id)[0]["run_id"]
    assert databricks_hook.get_run_output(task_run)["notebook_output"]["result"] == "from the run"


def test_jobs_and_runs_through_the_sdk(databricks_client, notebooks):
    spec = SubmitTask(
        task_key="one", notebook_task=NotebookTask(notebook_path="/jobs/exit", base_parameters={"key": "sdk"})
    )
    run = databricks_client.jobs.submit_and_wait(run_name="through the sdk", tasks=[spec], timeout=timedelta(minutes=2))
    job = databricks_client.jobs.create(name="sdk")

    assert databricks_client.jobs.get_run_output(run.tasks[0].run_id).notebook_output.result == "sdk"
    assert run.run_id in [listed.run_id for listed in databricks_client.jobs.list_runs(completed_only=True)]
    assert [listed.job_id for listed in databricks_client.jobs.list(name="SDK")] == [job.job_id]
    databricks_client.jobs.delete(job.job_id)
    with pytest.raises(NotFound, match="does not exist"):
        databricks_client.jobs.get(job.job_id)


def test_the_asynchronous_hook_reads_the_same_run(databricks_hook, notebooks, databricks):
    run_id = databricks.submit(task("bad", "/jobs/fail"))
    databricks.ended(run_id)

    async def look():
        async with databricks_hook:
            state = await databricks_hook.a_get_run_state(run_id)
            return state, await databricks_hook.a_get_run_output(databricks.run(run_id)["tasks"][0]["run_id"])

    state, output = asyncio.run(look())

    assert (state.life_cycle_state, state.result_state) == ("INTERNAL_ERROR", "FAILED")
    assert output["error"] == "ValueError: broken on purpose"


# access, and what survives


def test_without_the_token_nothing_is_answered(databricks):
    url = f"{databricks.host}/api/2.2/jobs/list"

    assert requests.get(url, timeout=10).status_code == 401
    wrong = requests.get(url, headers={"Authorization": "Bearer wrong"}, timeout=10)
    assert (wrong.status_code, wrong.json()["error_code"]) == (403, "PERMISSION_DENIED")


def test_an_unknown_call_is_named(databricks):
    answer = databricks.raw("POST", "2.2/jobs/no-such-call")

    assert (answer.status_code, answer.json()["error_code"]) == (404, "ENDPOINT_NOT_FOUND")


def test_a_lost_answer_to_run_now_starts_no_second_run(databricks, databricks_hook, notebooks):
    job_id = databricks_hook.create_job({"name": "once", "tasks": [task("t", "/jobs/exit")]})
    fault = {"path": "jobs/run-now", "reset": True, "effect": "after"}
    requests.post(f"{databricks.host}/_lab/faults", json=fault, timeout=10).raise_for_status()

    run_id = databricks_hook.run_now({"job_id": job_id, "idempotency_token": "the same"})

    runs = databricks.call("GET", "2.2/jobs/runs/list", job_id=job_id)["runs"]
    assert [run["run_id"] for run in runs] == [run_id]


def test_runs_go_on_when_the_stand_in_is_killed(databricks, notebooks):
    ended = databricks.ended(databricks.submit(task("before", "/jobs/exit", base_parameters={"key": "kept"})))
    run_id = databricks.submit(
        task("slow", "/jobs/wait"), task("next", "/jobs/exit", "slow", base_parameters={"key": "x"})
    )
    wait_until(lambda: databricks.run(run_id)["tasks"][0]["state"]["life_cycle_state"] == "RUNNING", "slow runs")

    databricks.part.kill()
    databricks.start_again()
    notebooks.touch()

    assert results(databricks.ended(run_id)) == {"slow": "SUCCESS", "next": "SUCCESS"}
    assert databricks.output(ended["tasks"][0]["run_id"])["notebook_output"]["result"] == "kept"

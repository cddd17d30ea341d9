"""The Databricks stand-in, driven by its real clients: Airflow's provider, databricks-sdk and our operators."""

from __future__ import annotations

import asyncio
import json
import uuid
from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta

import psutil
import pytest
import requests
from airflow.providers.common.compat.sdk import AirflowFailException
from airflow.providers.databricks.hooks.databricks import DatabricksHook
from airflow.providers.databricks.operators.databricks import (
    DatabricksNotebookOperator,
    DatabricksSQLStatementsOperator,
    DatabricksSubmitRunOperator,
)
from airflow.providers.databricks.operators.databricks_workflow import DatabricksWorkflowTaskGroup
from airflow.sdk import DAG
from databricks.sdk import WorkspaceClient
from databricks.sdk.core import DatabricksError
from databricks.sdk.errors import NotFound
from databricks.sdk.service.jobs import NotebookTask, SubmitTask
from databricks.sdk.service.sql import StatementState
from databricks.sdk.service.workspace import ImportFormat, Language, ObjectType

from pinterest.operators.databricks_workflow import LaunchWorkflowOperator, NotebookOperator
from pinterest.operators.stream_job import StreamJobOperator
from tests.lab.databricks_parts import notebook, results, task
from tests.lab.lab_parts import is_alive, wait_until

CLUSTER = {"spark_version": "18.x-scala2.13", "node_type_id": "m5d.large", "num_workers": 1}
ENDLESS = "spark.range(10**14).selectExpr('sum(hash(id))').collect()"
EXIT_KEY = "dbutils.notebook.exit(dbutils.widgets.get('key'))"


@pytest.fixture(scope="module")
def notebooks(spark_worker, tmp_path_factory):
    """Notebooks that exit with their widget ``key``, fail, never end, or end when the file this returns is there."""
    signal = tmp_path_factory.mktemp("signal") / "go on"
    waiting = f"import pathlib, time\nwhile not pathlib.Path({str(signal)!r}).exists():\n    time.sleep(0.05)"
    spark_worker.write("/jobs/wait", waiting)
    spark_worker.write("/jobs/exit", "print('output of', dbutils.widgets.get('key'))", EXIT_KEY)
    spark_worker.write("/jobs/fail", "raise ValueError('broken on purpose')")
    spark_worker.write("/jobs/endless", ENDLESS)
    spark_worker.write(
        "/jobs/fail_once",
        """
        import pathlib
        marker = pathlib.Path(dbutils.widgets.get("marker"))
        if not marker.exists():
            marker.touch()
            raise ValueError("the first time")
        dbutils.notebook.exit("second time")
        """,
    )
    return signal


@pytest.fixture
def connection(databricks, monkeypatch):
    value = {
        "conn_type": "databricks",
        "host": "127.0.0.1",
        "schema": "http",
        "port": databricks.state.port("databricks"),
        "password": databricks.token,
    }
    monkeypatch.setenv("AIRFLOW_CONN_DATABRICKS_DEFAULT", json.dumps(value))


@pytest.fixture
def hook(connection):
    return DatabricksHook()


@pytest.fixture
def client(databricks):
    return WorkspaceClient(host=databricks.host, token=databricks.token, auth_type="pat")


class TaskInstance:
    """As much of Airflow's as the operators use."""

    dag_id, task_id, run_id, try_number, map_index = "dag", "task", "run", 1, -1

    def __init__(self) -> None:
        self.id = uuid.uuid4().hex
        self.xcoms = {}

    def xcom_push(self, key, value):
        self.xcoms[key] = value

    def xcom_pull(self, task_ids):
        return self.xcoms[task_ids]


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


def test_a_cancel_while_the_worker_takes_the_task_leaves_nothing_running(databricks, notebooks, client):
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
    answer = client.statement_execution.execute_statement("SELECT 1", "lab", wait_timeout="50s")
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


def test_a_job_at_its_limit_skips_the_next_run_or_queues_it(databricks, notebooks, client):
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
        client.jobs.delete(job)
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


def test_jobs_through_the_provider(hook, notebooks, databricks):
    for number in range(3):
        hook.create_job({"name": f"listed {number}", "tasks": [task("t", "/jobs/exit")]})

    job_id = hook.find_job_id_by_name("listed 1")
    hook.reset_job(job_id, {"name": "renamed", "tasks": [task("t", "/jobs/exit", base_parameters={"key": "base"})]})
    hook.update_job(job_id, {"max_concurrent_runs": 2})

    assert hook.find_job_id_by_name("listed 1") is None
    assert len([job for job in hook.list_jobs(limit=1) if job["settings"]["name"].startswith("listed")]) == 2
    run_id = hook.run_now({"job_id": job_id, "notebook_params": {"key": "from the run"}, "idempotency_token": "x1"})
    databricks.ended(run_id)
    assert hook.get_run_state(run_id).is_successful
    task_run = hook.get_run_tasks(run_id)[0]["run_id"]
    assert hook.get_run_output(task_run)["notebook_output"]["result"] == "from the run"


def test_jobs_and_runs_through_the_sdk(client, notebooks):
    spec = SubmitTask(
        task_key="one", notebook_task=NotebookTask(notebook_path="/jobs/exit", base_parameters={"key": "sdk"})
    )
    run = client.jobs.submit_and_wait(run_name="through the sdk", tasks=[spec], timeout=timedelta(minutes=2))
    job = client.jobs.create(name="sdk")

    assert client.jobs.get_run_output(run.tasks[0].run_id).notebook_output.result == "sdk"
    assert run.run_id in [listed.run_id for listed in client.jobs.list_runs(completed_only=True)]
    assert [listed.job_id for listed in client.jobs.list(name="SDK")] == [job.job_id]
    client.jobs.delete(job.job_id)
    with pytest.raises(NotFound, match="does not exist"):
        client.jobs.get(job.job_id)


def test_the_asynchronous_hook_reads_the_same_run(hook, notebooks, databricks):
    run_id = databricks.submit(task("bad", "/jobs/fail"))
    databricks.ended(run_id)

    async def look():
        async with hook:
            state = await hook.a_get_run_state(run_id)
            return state, await hook.a_get_run_output(databricks.run(run_id)["tasks"][0]["run_id"])

    state, output = asyncio.run(look())

    assert (state.life_cycle_state, state.result_state) == ("INTERNAL_ERROR", "FAILED")
    assert output["error"] == "ValueError: broken on purpose"


# operators


def test_submit_run_operator(connection, notebooks):
    operator = DatabricksSubmitRunOperator(
        task_id="operator",
        tasks=[{"task_key": "t", "notebook_task": {"notebook_path": "/jobs/exit", "base_parameters": {"key": "k"}}}],
        new_cluster=CLUSTER,
        polling_period_seconds=1,
        durable=False,
    )
    instance = TaskInstance()

    operator.execute({"ti": instance, "params": {}})

    assert instance.xcoms["run_id"]
    assert requests.get(instance.xcoms["run_page_url"], timeout=10).ok


def test_notebook_operator_reports_the_error_of_the_notebook(connection, notebooks):
    operator = DatabricksNotebookOperator(
        task_id="operator",
        notebook_path="/jobs/fail",
        source="WORKSPACE",
        new_cluster=CLUSTER,
        polling_period_seconds=1,
    )

    with pytest.raises(Exception, match="broken on purpose"):
        operator.execute({"ti": TaskInstance()})


def test_workflow_task_group(connection, notebooks):
    def operator(name: str) -> DatabricksNotebookOperator:
        return DatabricksNotebookOperator(
            task_id=name,
            notebook_path="/jobs/exit",
            source="WORKSPACE",
            job_cluster_key="cluster",
            polling_period_seconds=1,
        )

    with DAG("workflow", schedule=None):
        group = DatabricksWorkflowTaskGroup(
            group_id="job",
            databricks_conn_id="databricks_default",
            notebook_params={"key": "for all"},
            job_clusters=[{"job_cluster_key": "cluster", "new_cluster": CLUSTER}],
        )
        with group:
            first, second = operator("first"), operator("second")
            first >> second
    launch = group.children["job.launch"]
    instance = TaskInstance()

    for _ in range(2):  # the second time the job exists and is reset
        instance.xcoms["job.launch"] = launch.execute({"ti": instance})
        for step in (first, second):
            step.workflow_run_metadata = None
            step.execute({"ti": instance})


def launching(order: dict[str, tuple[str, ...]], run: str) -> LaunchWorkflowOperator:
    return LaunchWorkflowOperator(
        task_id="launch",
        job_name="ours",
        folder="/jobs",
        order=order,
        notebook_params={"run_id": run, "key": "for all"},
        job_cluster={"job_cluster_key": "cluster", "new_cluster": CLUSTER},
        notebook_timeout=timedelta(minutes=5),
        poll_seconds=0.2,
    )


def test_a_workflow_of_ours_is_followed_notebook_by_notebook(connection, notebooks, databricks):
    context = {"ti": TaskInstance(), "run_id": "run"}

    run = launching({"exit": (), "fail": ("exit",)}, "followed").execute(context)
    NotebookOperator(task_id="exit", notebook="exit", run=run, poll_seconds=0.2).execute(context)
    failing = NotebookOperator(task_id="fail", notebook="fail", run=run, poll_seconds=0.2)

    with pytest.raises(AirflowFailException, match="Notebook fail ended FAILED: ValueError: broken on purpose"):
        failing.execute(context)
    assert requests.get(context["ti"].xcoms["run_page_url"], timeout=10).ok
    tasks = {view["task_key"]: view for view in databricks.run(run["run_id"])["tasks"]}
    assert databricks.output(tasks["exit"]["run_id"])["notebook_output"]["result"] == "for all"


def test_a_retry_of_a_launch_adopts_the_run_and_killing_it_cancels_the_run(connection, notebooks, databricks):
    context, retried = ({"ti": TaskInstance(), "run_id": "run"} for _ in range(2))
    retried["ti"].try_number = 2
    run = launching({"endless": ()}, "adopted").execute(context)
    launch = launching({"endless": ()}, "adopted")

    assert launch.execute(retried) == run
    launch.on_kill()
    with pytest.raises(AirflowFailException, match="Notebook endless ended CANCELED"):
        NotebookOperator(task_id="endless", notebook="endless", run=run, poll_seconds=0.2).execute(context)


def streaming(notebook_name: str, trigger: str) -> StreamJobOperator:
    return StreamJobOperator(
        task_id="job",
        job_name="our stream",
        notebook_path=f"/jobs/{notebook_name}",
        notebook_params={"run_id": "run", "trigger": trigger, "key": '{"stream": {"pin": {"records": 3}}}'},
        job_cluster={"job_cluster_key": "cluster", "new_cluster": CLUSTER},
        instance_profile_arn="",
        trigger=trigger,
        poll_seconds=0.2,
    )


def test_the_stream_job_ends_with_its_counts_or_goes_on_as_one_run(connection, notebooks, databricks):
    context = {"ti": TaskInstance(), "run_id": "run"}

    ended = streaming("exit", "available_now").execute(context)
    first, second = (streaming("endless", "processing_time").execute(context) for _ in range(2))

    assert ended["counts"] == {"stream": {"pin": {"records": 3}}}
    assert first == second != ended
    databricks.call("POST", "2.2/jobs/runs/cancel", run_id=first["run_id"])
    assert databricks.ended(first["run_id"])["state"]["result_state"] == "CANCELED"


def test_sql_statements_operator(connection):
    operator = DatabricksSQLStatementsOperator(
        task_id="operator",
        statement="SELECT 1",
        warehouse_id="lab",
        polling_period_seconds=1,
        timeout=120,
        do_xcom_push=False,
    )

    operator.execute({"ti": TaskInstance()})


# workspace


def test_a_notebook_and_the_library_beside_it(client, databricks):
    folder = "/Shared/pinterest-pipeline/abc123"
    client.workspace.mkdirs(f"{folder}/pinterest_lake")
    source = notebook("import pinterest_lake", "dbutils.notebook.exit(pinterest_lake.NAME)")
    client.workspace.upload(f"{folder}/load", source.encode(), format=ImportFormat.SOURCE, language=Language.PYTHON)
    client.workspace.upload(f"{folder}/pinterest_lake/__init__.py", b"NAME = 'the lake'\n", format=ImportFormat.AUTO)

    objects = {info.path: info for info in client.workspace.list(folder, recursive=True)}

    assert objects[f"{folder}/load"].object_type == ObjectType.NOTEBOOK
    assert objects[f"{folder}/load"].language == Language.PYTHON
    assert objects[f"{folder}/pinterest_lake/__init__.py"].object_type == ObjectType.FILE
    assert client.workspace.download(f"{folder}/load").read().decode() == source
    run = databricks.ended(databricks.submit(task("load", f"{folder}/load")))
    assert databricks.output(run["tasks"][0]["run_id"])["notebook_output"]["result"] == "the lake"
    client.workspace.delete(folder, recursive=True)
    with pytest.raises(DatabricksError, match="doesn't exist"):
        client.workspace.get_status(folder)


def test_auto_tells_a_notebook_by_its_first_line(client):
    client.workspace.mkdirs("/Shared/auto")

    client.workspace.upload("/Shared/auto/note.py", notebook("x = 1").encode(), format=ImportFormat.AUTO)
    client.workspace.upload("/Shared/auto/file.py", b"x = 1\n", format=ImportFormat.AUTO)

    kinds = {info.path: info.object_type for info in client.workspace.list("/Shared/auto")}
    assert kinds == {"/Shared/auto/note": ObjectType.NOTEBOOK, "/Shared/auto/file.py": ObjectType.FILE}


def test_the_workspace_refuses_what_databricks_refuses(client):
    client.workspace.mkdirs("/Shared/rules")
    client.workspace.upload("/Shared/rules/n", b"x = 1", language=Language.PYTHON)

    for path, options, message in [
        ("/Shared/rules/n", {"language": Language.PYTHON}, "already exists"),
        ("/Shared/no folder/n", {"language": Language.PYTHON}, "parent folder"),
        ("/Shared/rules/m", {}, "language"),
        ("/Shared/../../escaped", {"language": Language.PYTHON}, "not an absolute workspace path"),
    ]:
        with pytest.raises(DatabricksError, match=message):
            client.workspace.upload(path, b"x = 2", **options)
    with pytest.raises(DatabricksError, match="not empty"):
        client.workspace.delete("/Shared/rules")
    client.workspace.upload("/Shared/rules/n", b"x = 3", language=Language.PYTHON, overwrite=True)
    assert client.workspace.download("/Shared/rules/n").read().decode().endswith("x = 3")


# SQL


def test_statements_through_the_sdk(client):
    answer = client.statement_execution.execute_statement(
        warehouse_id=next(iter(client.warehouses.list())).id,
        statement="""
            SELECT 1 AS i, 'text' AS s, NULL AS n, true AS b, 1.50 AS d, DATE '2020-02-29' AS day,
                   TIMESTAMP '2020-02-29 12:30:00' AS t, array(1, 2) AS a, 8 AS i
        """,
    )

    assert answer.status.state == StatementState.SUCCEEDED
    columns = [(column.name, column.type_name.value) for column in answer.manifest.schema.columns]
    assert columns == [
        ("i", "INT"),
        ("s", "STRING"),
        ("n", "NULL"),
        ("b", "BOOLEAN"),
        ("d", "DECIMAL"),
        ("day", "DATE"),
        ("t", "TIMESTAMP"),
        ("a", "ARRAY"),
        ("i", "INT"),
    ]
    row = ["1", "text", None, "true", "1.50", "2020-02-29", "2020-02-29T12:30:00.000Z", "[1,2]", "8"]
    assert answer.result.data_array == [row]
    assert answer.manifest.total_row_count == 1


def test_a_statement_goes_on_after_its_wait_and_can_be_canceled(client):
    endless = "SELECT sum(hash(id)) FROM range(100000000000000)"

    answer = client.statement_execution.execute_statement(endless, "lab", wait_timeout="0s")
    assert answer.status.state in (StatementState.PENDING, StatementState.RUNNING)
    client.statement_execution.cancel_execution(answer.statement_id)

    def state():
        return client.statement_execution.get_statement(answer.statement_id).status.state

    wait_until(lambda: state() == StatementState.CANCELED, "the statement is canceled")


@pytest.mark.parametrize(
    ("statement", "schema", "message"),
    [
        ("SELECT nothing", None, "UNRESOLVED_COLUMN"),
        ("SELEC 1", None, "PARSE_SYNTAX_ERROR"),
        ("SELECT 1", "no_such_schema", "SCHEMA_NOT_FOUND"),
        ("SELECT repeat(id, 1000000) FROM range(40)", None, "byte limit exceeded"),
    ],
)
def test_a_statement_that_cannot_be_answered_fails_with_the_reason(client, statement, schema, message):
    answer = client.statement_execution.execute_statement(statement, "lab", schema=schema, wait_timeout="50s")

    assert answer.status.state == StatementState.FAILED
    assert message in answer.status.error.message


# access, and what survives


def test_without_the_token_nothing_is_answered(databricks):
    url = f"{databricks.host}/api/2.2/jobs/list"

    assert requests.get(url, timeout=10).status_code == 401
    wrong = requests.get(url, headers={"Authorization": "Bearer wrong"}, timeout=10)
    assert (wrong.status_code, wrong.json()["error_code"]) == (403, "PERMISSION_DENIED")


def test_an_unknown_call_is_named(databricks):
    answer = databricks.raw("POST", "2.2/jobs/no-such-call")

    assert (answer.status_code, answer.json()["error_code"]) == (404, "ENDPOINT_NOT_FOUND")


def test_a_lost_answer_to_run_now_starts_no_second_run(databricks, hook, notebooks):
    job_id = hook.create_job({"name": "once", "tasks": [task("t", "/jobs/exit")]})
    fault = {"path": "jobs/run-now", "reset": True, "effect": "after"}
    requests.post(f"{databricks.host}/_lab/faults", json=fault, timeout=10).raise_for_status()

    run_id = hook.run_now({"job_id": job_id, "idempotency_token": "the same"})

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


LOST_ONCE = """
import pathlib
marker = pathlib.Path(dbutils.widgets.get("marker"))
if not marker.exists():
    marker.touch()
    spark.range(10**14).selectExpr('sum(hash(id))').collect()
dbutils.notebook.exit('{"stream": {"pin": {"records": 3}}}')
"""


def test_a_killed_worker_loses_its_runs_which_their_tasks_repair_and_leaves_its_tables_and_no_jvm(
    connection, databricks, notebooks, tmp_path
):
    worker = databricks.worker
    worker.write(
        "/killed/write",
        "spark.sql('CREATE SCHEMA IF NOT EXISTS killed')",
        "spark.range(5).write.mode('overwrite').saveAsTable('killed.numbers')",
    )
    worker.write("/killed/read", "dbutils.notebook.exit(spark.table('killed.numbers').count())")
    worker.write("/jobs/lost_once", LOST_ONCE)
    assert worker.run("/killed/write")["state"] == "SUCCESS"
    jvm = worker.jvm
    run_id = databricks.submit(task("slow", "/jobs/endless"))
    batch, stream = tmp_path / "batch", tmp_path / "stream"
    context = {"ti": TaskInstance(), "run_id": "run"}
    launch = launching({"lost_once": (), "exit": ("lost_once",)}, "lost")
    launch.notebook_params = {**launch.notebook_params, "marker": str(batch)}
    run = launch.execute(context)
    stream_job = streaming("lost_once", "available_now")
    stream_job.notebook_params = {**stream_job.notebook_params, "marker": str(stream)}

    def follow_batch():
        for name in ("lost_once", "exit"):
            NotebookOperator(task_id=name, notebook=name, run=run, poll_seconds=0.2).execute(context)

    with ThreadPoolExecutor(2) as pool:
        batch_followed = pool.submit(follow_batch)
        stream_followed = pool.submit(stream_job.execute, {"ti": TaskInstance(), "run_id": "run"})
        wait_until(lambda: batch.exists() and stream.exists(), "both notebooks run")
        wait_until(lambda: databricks.run(run_id)["tasks"][0]["state"]["life_cycle_state"] == "RUNNING", "slow runs")

        worker.part.kill()
        failed = databricks.ended(run_id)
        next_run = databricks.submit(task("next", "/jobs/exit", base_parameters={"key": "x"}))
        assert databricks.run(next_run)["tasks"][0]["state"]["life_cycle_state"] == "PENDING"
        worker.start_again()
        batch_followed.result(120)
        streamed = stream_followed.result(120)

    assert not is_alive(jvm)
    [lost] = failed["tasks"]
    assert lost["state"]["life_cycle_state"] == "INTERNAL_ERROR"
    assert (failed["state"]["result_state"], lost["state"]["result_state"]) == ("FAILED", "FAILED")
    details = lost["status"]["termination_details"]
    assert (details["code"], details["type"]) == ("DRIVER_ERROR", "INTERNAL_ERROR")
    assert "worker ended or was restarted" in databricks.output(lost["run_id"])["error"]
    assert results(databricks.ended(next_run)) == {"next": "SUCCESS"}
    assert worker.run("/killed/read")["result"] == "5"

    assert streamed["counts"] == {"stream": {"pin": {"records": 3}}}
    for repaired in (run["run_id"], streamed["run_id"]):
        history = databricks.run(repaired, include_history=True)
        assert [entry["type"] for entry in history["repair_history"]] == ["ORIGINAL", "REPAIR"]
        assert set(results(databricks.run(repaired)).values()) == {"SUCCESS"}

"""The operators that run notebooks and SQL, the provider's and ours, against the Databricks stand-in."""

from __future__ import annotations

import uuid
from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta

import pytest
import requests
from airflow.providers.common.compat.sdk import AirflowFailException
from airflow.providers.databricks.operators.databricks import (
    DatabricksNotebookOperator,
    DatabricksSQLStatementsOperator,
    DatabricksSubmitRunOperator,
)
from airflow.providers.databricks.operators.databricks_workflow import DatabricksWorkflowTaskGroup
from airflow.sdk import DAG

from pinterest.operators.databricks_workflow import LaunchWorkflowOperator, NotebookOperator
from pinterest.operators.stream_job import StreamJobOperator
from tests.lab.databricks_parts import results, task
from tests.lab.lab_parts import is_alive, wait_until

CLUSTER = {"spark_version": "18.x-scala2.13", "node_type_id": "m5d.large", "num_workers": 1}


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


def test_submit_run_operator(databricks_connection, notebooks):
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


def test_notebook_operator_reports_the_error_of_the_notebook(databricks_connection, notebooks):
    operator = DatabricksNotebookOperator(
        task_id="operator",
        notebook_path="/jobs/fail",
        source="WORKSPACE",
        new_cluster=CLUSTER,
        polling_period_seconds=1,
    )

    with pytest.raises(Exception, match="broken on purpose"):
        operator.execute({"ti": TaskInstance()})


def test_workflow_task_group(databricks_connection, notebooks):
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


def test_a_workflow_of_ours_is_followed_notebook_by_notebook(databricks_connection, notebooks, databricks):
    context = {"ti": TaskInstance(), "run_id": "run"}

    run = launching({"exit": (), "fail": ("exit",)}, "followed").execute(context)
    NotebookOperator(task_id="exit", notebook="exit", run=run, poll_seconds=0.2).execute(context)
    failing = NotebookOperator(task_id="fail", notebook="fail", run=run, poll_seconds=0.2)

    with pytest.raises(AirflowFailException, match="Notebook fail ended FAILED: ValueError: broken on purpose"):
        failing.execute(context)
    assert requests.get(context["ti"].xcoms["run_page_url"], timeout=10).ok
    tasks = {view["task_key"]: view for view in databricks.run(run["run_id"])["tasks"]}
    assert databricks.output(tasks["exit"]["run_id"])["notebook_output"]["result"] == "for all"


def test_a_retry_of_a_launch_adopts_the_run_and_killing_it_cancels_the_run(
    databricks_connection, notebooks, databricks
):
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


def test_the_stream_job_ends_with_its_counts_or_goes_on_as_one_run(databricks_connection, notebooks, databricks):
    context = {"ti": TaskInstance(), "run_id": "run"}

    ended = streaming("exit", "available_now").execute(context)
    first, second = (streaming("endless", "processing_time").execute(context) for _ in range(2))

    assert ended["counts"] == {"stream": {"pin": {"records": 3}}}
    assert first == second != ended
    databricks.call("POST", "2.2/jobs/runs/cancel", run_id=first["run_id"])
    assert databricks.ended(first["run_id"])["state"]["result_state"] == "CANCELED"


def test_sql_statements_operator(databricks_connection):
    operator = DatabricksSQLStatementsOperator(
        task_id="operator",
        statement="SELECT 1",
        warehouse_id="lab",
        polling_period_seconds=1,
        timeout=120,
        do_xcom_push=False,
    )

    operator.execute({"ti": TaskInstance()})


LOST_ONCE = """
import pathlib
marker = pathlib.Path(dbutils.widgets.get("marker"))
if not marker.exists():
    marker.touch()
    spark.range(10**14).selectExpr('sum(hash(id))').collect()
dbutils.notebook.exit('{"stream": {"pin": {"records": 3}}}')
"""


def test_a_killed_worker_loses_its_runs_which_their_tasks_repair_and_leaves_its_tables_and_no_jvm(
    databricks_connection, databricks, notebooks, tmp_path
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

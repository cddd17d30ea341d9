"""The Spark worker and the Databricks stand-in as processes, and notebooks to run on them."""

from __future__ import annotations

import textwrap
import uuid
from pathlib import Path
from typing import Any

import requests

from lab.state import State
from tests.lab.lab_parts import Part, start_cloud, wait_until

RUN_DEADLINE = 300

# For a few rows, planning a query and compiling it cost far more than running it. The Spark tests compile, too.
LITTLE_PLANNING = """
spark.sql.codegen.wholeStage false
spark.sql.codegen.factoryMode NO_CODEGEN
spark.sql.adaptive.enabled false
spark.sql.shuffle.partitions 1
"""


def plan_little(state: State) -> None:
    """Spark workers that are started on this state from now on neither compile nor adapt queries."""
    state.path("spark-defaults.conf").write_text(LITTLE_PLANNING)


def start_spark(state: State) -> Part:
    python = state.install / "envs" / "spark" / "bin" / "python"
    assert python.exists(), f"{python} is missing; run: .venv/bin/python -m lab setup"
    health = f"http://127.0.0.1:{state.port('spark')}/_lab/health"
    return Part(state, [str(python), "-m", "lab.spark_worker"], health, deadline=RUN_DEADLINE)


ENDLESS = "spark.range(10**14).selectExpr('sum(hash(id))').collect()"
EXIT_KEY = "dbutils.notebook.exit(dbutils.widgets.get('key'))"
FAIL_ONCE = """
import pathlib
marker = pathlib.Path(dbutils.widgets.get("marker"))
if not marker.exists():
    marker.touch()
    raise ValueError("the first time")
dbutils.notebook.exit("second time")
"""
WAIT = """
import pathlib, time
while not pathlib.Path({signal!r}).exists():
    time.sleep(0.05)
"""


class SparkWorker:
    """The worker, that a test may kill and start again, and its own API."""

    def __init__(self, state: State) -> None:
        self.state = state
        plan_little(state)
        self.part = start_spark(state)
        self._url = f"http://127.0.0.1:{state.port('spark')}"
        self._headers = {"Authorization": f"Bearer {state.secret('databricks_token')}"}

    def start_again(self) -> None:
        self.part = start_spark(self.state)

    @property
    def jvm(self) -> int:
        return int(self.state.path("lake", "jvm.pid").read_text())

    def write(self, path: str, *cells: str) -> str:
        """A notebook in the workspace; returns its path."""
        file = self.state.path("workspace", path.lstrip("/"))
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(notebook(*cells))
        return path

    def start(self, path: str, log: str = "test.log", **parameters: str) -> str:
        work = {"id": uuid.uuid4().hex, "path": path, "parameters": parameters, "log": log}
        requests.post(f"{self._url}/notebooks", json=work, headers=self._headers, timeout=30).raise_for_status()
        return work["id"]

    def look(self, work: str) -> dict[str, Any]:
        return requests.get(f"{self._url}/executions/{work}", headers=self._headers, timeout=30).json()

    def result(self, work: str) -> dict[str, Any]:
        """The view of the work once it has ended."""
        wait_until(lambda: self.look(work)["state"] not in ("PENDING", "RUNNING"), "the work ends", RUN_DEADLINE)
        return self.look(work)

    def run(self, path: str, **parameters: str) -> dict[str, Any]:
        return self.result(self.start(path, **parameters))

    def cancel(self, work: str) -> None:
        requests.post(f"{self._url}/executions/{work}/cancel", headers=self._headers, timeout=30).raise_for_status()

    def log(self, name: str) -> str:
        return self.state.path("logs", "databricks", name).read_text()


class Databricks:
    """The stand-in, that a test may kill and start again, and plain calls of its API."""

    def __init__(self, state: State, worker: SparkWorker) -> None:
        self.state = state
        self.worker = worker
        self.host = f"http://127.0.0.1:{state.port('databricks')}"
        self.token = state.secret("databricks_token")
        self.part = start_cloud(state, "databricks")

    def start_again(self) -> None:
        self.part = start_cloud(self.state, "databricks")

    def call(self, method: str, path: str, **arguments: Any) -> dict[str, Any]:
        response = self.raw(method, path, **arguments)
        assert response.ok, response.text
        return response.json()

    def raw(self, method: str, path: str, **arguments: Any) -> requests.Response:
        headers = {"Authorization": f"Bearer {self.token}"}
        return requests.request(method, f"{self.host}/api/{path}", json=arguments, headers=headers, timeout=60)

    def submit(self, *tasks: dict[str, Any], **settings: Any) -> int:
        return self.call("POST", "2.2/jobs/runs/submit", run_name="test", tasks=[*tasks], **settings)["run_id"]

    def run(self, run_id: int, **arguments: Any) -> dict[str, Any]:
        return self.call("GET", "2.2/jobs/runs/get", run_id=run_id, **arguments)

    def state_of(self, run_id: int) -> str:
        return self.run(run_id)["state"]["life_cycle_state"]

    def ended(self, run_id: int) -> dict[str, Any]:
        """The run once it has ended."""
        wait_until(
            lambda: self.state_of(run_id) in ("TERMINATED", "INTERNAL_ERROR", "SKIPPED"), "the run ends", RUN_DEADLINE
        )
        return self.run(run_id)

    def output(self, run_id: int) -> dict[str, Any]:
        return self.call("GET", "2.2/jobs/runs/get-output", run_id=run_id)


def notebook(*cells: str) -> str:
    body = "\n# COMMAND ----------\n".join(textwrap.dedent(cell).strip("\n") for cell in cells)
    return f"# Databricks notebook source\n{body}\n"


def task(key: str, path: str, *after: str, **fields: Any) -> dict[str, Any]:
    return {
        "task_key": key,
        "notebook_task": {"notebook_path": path, "base_parameters": fields.pop("base_parameters", {})},
        "depends_on": [{"task_key": other} for other in after],
        **fields,
    }


def results(run: dict[str, Any]) -> dict[str, str]:
    return {task["task_key"]: task["state"].get("result_state") for task in run["tasks"]}


def write_jobs(worker: SparkWorker, signal: Path) -> None:
    """Notebooks under ``/jobs`` that do what their names say.

    ``exit`` exits with its widget ``key``; ``wait`` ends when the file ``signal`` is there.
    """
    worker.write("/jobs/wait", WAIT.format(signal=str(signal)))
    worker.write("/jobs/exit", "print('output of', dbutils.widgets.get('key'))", EXIT_KEY)
    worker.write("/jobs/fail", "raise ValueError('broken on purpose')")
    worker.write("/jobs/endless", ENDLESS)
    worker.write("/jobs/fail_once", FAIL_ONCE)

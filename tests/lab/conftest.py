"""Parts of the lab that many tests share, in a state folder of their own."""

from __future__ import annotations

import json
import os
import shutil
import zipfile
from collections.abc import Generator, Iterator
from pathlib import Path

import pytest
from airflow.providers.databricks.hooks.databricks import DatabricksHook
from databricks.sdk import WorkspaceClient

from lab import lifecycle
from lab.progress import Reporter
from lab.state import CHECKOUT, State
from lab.supervision import Supervisor
from mwaa import package
from tests.lab.databricks_parts import Databricks, SparkWorker, plan_little, write_jobs
from tests.lab.http_backend import Backend, running_backend
from tests.lab.lab_parts import running, start_aws
from tests.lab.pipeline_runs import ENTITIES, FIRST, SECOND, Pipeline, Run

OWN_STATE = Path(__file__).parents[2] / ".lab" / "test-state"


@pytest.hookimpl(tryfirst=True)
def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Mark the tests that use the whole lab. Whole runs come after the others, and the lab's own end comes last."""
    for item in items:
        if "lab" in getattr(item, "fixturenames", ()):
            item.add_marker("whole_lab")
    items.sort(key=lambda item: ("end_of_lab" in item.fixturenames, "pipeline" in item.fixturenames))


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(item: pytest.Item) -> Generator[None, pytest.TestReport, pytest.TestReport]:
    """What the services of the whole lab wrote last stands below a failed test's output."""
    report = yield
    lab = getattr(item, "funcargs", {}).get("lab")
    if report.failed and lab is not None:
        report.sections += [(f"end of {log.name}", end_of(log)) for log in lab_logs(lab)]
    return report


def lab_logs(lab: State) -> list[Path]:
    rest_proxy = lab.path("client_machine", "home", "kafka-rest", "kafka-rest.log")
    logs = [*(lab.log(name) for name in ("supervisord", "cloud", "aws", "connect")), rest_proxy]
    return [log for log in logs if log.exists()]


def end_of(log: Path, lines: int = 10, width: int = 300) -> str:
    return "\n".join(line[:width] for line in log.read_text(errors="replace").splitlines()[-lines:])


@pytest.fixture(scope="session")
def lab() -> Iterator[State]:
    """A whole lab, up: the one that LAB_STATE names, else one that only tests use. Its data outlives the session.

    It is stopped at the end unless it was up before.
    """
    lab = State.open(Path(os.environ.get("LAB_STATE", OWN_STATE)))
    was_up = Supervisor(lab).is_alive()
    if lab.root == OWN_STATE:
        plan_little(lab)
    lifecycle.up(lab, Reporter())
    yield lab
    if was_up:
        lifecycle.up(lab, Reporter(quiet=True))
    else:
        lifecycle.down(lab, Reporter(quiet=True))


@pytest.fixture(scope="session")
def pipeline(lab) -> Pipeline:
    return Pipeline(lab)


@pytest.fixture(scope="session")
def first_run(pipeline) -> Run:
    return pipeline.run_as_a_user("pinterest_pipeline", posts=FIRST)


@pytest.fixture(scope="session")
def mwaa_home(tmp_path_factory) -> Path:
    """A folder as MWAA makes it of the package: ``dags`` synchronized, ``plugins.zip`` unzipped."""
    home, built = tmp_path_factory.mktemp("airflow"), tmp_path_factory.mktemp("package") / "mwaa"
    package.build(CHECKOUT, built)
    shutil.copytree(built / "dags", home / "dags")
    with zipfile.ZipFile(built / "plugins.zip") as archive:
        archive.extractall(home / "plugins")
    return home


@pytest.fixture(scope="session")
def second_run(pipeline, first_run, mwaa_home) -> Run:
    """From the package for MWAA. A shard of every data stream is split before it."""
    for entity in ENTITIES:
        pipeline.split_a_shard(entity)
    return pipeline.run_on_mwaa("pinterest_pipeline", mwaa_home, posts=SECOND)


@pytest.fixture(scope="session")
def state(tmp_path_factory) -> State:
    return State.open(root=tmp_path_factory.mktemp("state"))


@pytest.fixture(scope="session")
def aws(state) -> Iterator[State]:
    """ministack, answering at the state's port."""
    with running(start_aws(state)):
        yield state


@pytest.fixture
def backend() -> Iterator[Backend]:
    with running_backend() as backend:
        yield backend


@pytest.fixture(scope="session")
def spark_worker(state) -> Iterator[SparkWorker]:
    worker = SparkWorker(state)
    yield worker
    worker.part.stop()


@pytest.fixture(scope="session")
def databricks(state, spark_worker) -> Iterator[Databricks]:
    databricks = Databricks(state, spark_worker)
    yield databricks
    databricks.part.stop()


@pytest.fixture(scope="session")
def notebooks(spark_worker, tmp_path_factory) -> Path:
    """Notebooks that exit with their widget ``key``, fail, never end, or end when the file this returns is there."""
    signal = tmp_path_factory.mktemp("signal") / "go on"
    write_jobs(spark_worker, signal)
    return signal


@pytest.fixture
def databricks_connection(databricks, monkeypatch) -> None:
    value = {
        "conn_type": "databricks",
        "host": "127.0.0.1",
        "schema": "http",
        "port": databricks.state.port("databricks"),
        "password": databricks.token,
    }
    monkeypatch.setenv("AIRFLOW_CONN_DATABRICKS_DEFAULT", json.dumps(value))


@pytest.fixture
def databricks_hook(databricks_connection) -> DatabricksHook:
    return DatabricksHook()


@pytest.fixture
def databricks_client(databricks) -> WorkspaceClient:
    return WorkspaceClient(host=databricks.host, token=databricks.token, auth_type="pat")

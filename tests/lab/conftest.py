"""Parts of the lab that many tests share, in a state folder of their own."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from databricks_parts import Databricks, SparkWorker
from http_backend import Backend, running_backend
from lab_parts import running, start_aws

from lab.state import State


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

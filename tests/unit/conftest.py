"""Airflow in a folder of its own, no way to a real account (set before the first import of airflow), and no sockets."""

from __future__ import annotations

import atexit
import os
import shutil
import socket
import tempfile
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]

AIRFLOW_HOME = tempfile.mkdtemp(prefix="airflow-test-")
atexit.register(shutil.rmtree, AIRFLOW_HOME, ignore_errors=True)

os.environ.update(
    {
        "AIRFLOW_HOME": AIRFLOW_HOME,
        "AIRFLOW__CORE__DAGS_FOLDER": str(ROOT / "dags"),
        "AIRFLOW__CORE__PLUGINS_FOLDER": str(ROOT / "plugins"),
        "AIRFLOW__CORE__LOAD_EXAMPLES": "False",
        "_AIRFLOW_PROCESS_CONTEXT": "client",
        "AWS_ACCESS_KEY_ID": "test",
        "AWS_SECRET_ACCESS_KEY": "test",
        "AWS_DEFAULT_REGION": "us-east-1",
        "AWS_EC2_METADATA_DISABLED": "true",
    }
)


@pytest.fixture(scope="module", autouse=True)
def no_sockets():
    """A unit test that listens or connects fails, also where the code under test would only log the error."""
    refused: list[str] = []

    def refuse(_self: socket.socket, address: object) -> None:
        refused.append(str(address))
        raise AssertionError(f"a unit test opens a socket to {address}: it belongs in tests/local")

    with pytest.MonkeyPatch.context() as patch:
        for name in ("bind", "connect", "connect_ex"):
            patch.setattr(socket.socket, name, refuse)
        yield refused


@pytest.fixture(autouse=True)
def _no_socket_was_refused(no_sockets):
    no_sockets.clear()
    yield
    assert not no_sockets, f"sockets to {', '.join(no_sockets)}: this test belongs in tests/local"

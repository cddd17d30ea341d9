"""Airflow in a folder of its own: the environment is set before the first import of airflow."""

from __future__ import annotations

import atexit
import os
import shutil
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
        "AIRFLOW__LOGGING__LOGGING_LEVEL": "WARNING",
        "_AIRFLOW_PROCESS_CONTEXT": "client",
    }
)


@pytest.fixture(scope="session")
def dag_bag():
    """Every DAG of the project, parsed as Airflow parses it, with Variables and Connections out of reach."""
    from unittest import mock

    from airflow.dag_processing.dagbag import BundleDagBag

    def refuse(*_args, **_kwargs):
        raise AssertionError("a Variable or Connection was read while a DAG file was parsed")

    with (
        mock.patch("airflow.sdk.Variable.get", refuse),
        mock.patch("airflow.sdk.Connection.get", refuse),
        mock.patch("airflow.sdk.bases.hook.BaseHook.get_connection", refuse),
    ):
        return BundleDagBag(dag_folder=str(ROOT / "dags"), bundle_path=ROOT / "dags", bundle_name="dags-folder")

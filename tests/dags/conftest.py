"""The project's DAGs, as Airflow parses them."""

from __future__ import annotations

import pytest

from tests.isolated_airflow import ROOT, isolate_airflow

isolate_airflow()


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

"""The job of a DAG gives its notebooks the parameters that ``contract.json`` names."""

from __future__ import annotations

import json

from tests.isolated_airflow import ROOT

PARAMETERS = json.loads((ROOT / "spark" / "pinterest_lake" / "contract.json").read_text())["parameters"]


def test_the_stream_notebook_gets_its_parameters(dag_bag):
    job = dag_bag.dags["pinterest_pipeline"].get_task("stream.lake_stream.job")

    assert set(job.notebook_params) == {*PARAMETERS["lake"], *PARAMETERS["stream"]}


def test_the_batch_notebooks_get_their_parameters(dag_bag):
    [launch] = [
        task for task in dag_bag.dags["pinterest_pipeline"].tasks if task.task_id == "batch.lake_batch.job.launch"
    ]

    assert set(launch.notebook_params) == {*PARAMETERS["lake"], *PARAMETERS["batch"]}


def test_the_check_notebook_gets_its_parameters(dag_bag):
    launch = dag_bag.dags["pinterest_pipeline"].get_task("provision.lake_check.launch")

    assert set(launch.notebook_params) == {*PARAMETERS["lake"], *PARAMETERS["check"]}


def test_the_replay_notebook_gets_its_parameters(dag_bag):
    launch = dag_bag.dags["pinterest_replay"].get_task("lake_replay.launch")

    assert set(launch.notebook_params) == {*PARAMETERS["lake"], *PARAMETERS["replay"]}

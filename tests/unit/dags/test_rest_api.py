"""The stage ``rest_api``: its order, and the template files that Airflow finds."""

from __future__ import annotations

import re
from datetime import datetime

import pytest
from airflow.sdk import DAG

from pinterest.dag_defaults import TEMPLATES
from pinterest_stages.rest_api import rest_api
from tests.unit.kinesis_resources import METHODS

with DAG("stage", schedule=None, start_date=datetime(2026, 1, 1), template_searchpath=str(TEMPLATES)) as dag:
    rest_api()


def test_resources_wait_for_what_they_name():
    upstream = dag.get_task("rest_api.resources").upstream_task_ids

    assert upstream == {f"rest_api.{name}" for name in ("backend", "api", "kinesis_role", "validation")}


@pytest.mark.parametrize("task_id", ["rest_api.resources", "rest_api.deployment"])
def test_templates_are_files_that_airflow_finds(task_id):
    task = dag.get_task(task_id)
    named = re.findall(
        r"rest_api/\w+\.vtl",
        repr([getattr(task, name) for name in ("paths", "content") if name in task.template_fields]),
    )

    assert len(named) == len(METHODS)
    assert all(name.endswith(tuple(task.template_ext)) and (TEMPLATES / name).exists() for name in named)

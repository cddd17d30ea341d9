from __future__ import annotations

import json
from importlib.metadata import version
from types import SimpleNamespace
from typing import Any

import pytest
from airflow.sdk import Asset

from include.posting.source_connection import LastingSourceError
from pinterest.operators import environment_check
from pinterest.operators.environment_check import EnvironmentCheckOperator
from tests.builders import variable

CODE = "code 12345678.9abcdef0"
ASSET = Asset("pinterest_check")
DATABRICKS = {"conn_type": "databricks", "host": "https://dbc.cloud.databricks.com", "password": "0f2c9a"}
SOURCE = {"conn_type": "mysql", "host": "db", "login": "reader", "schema": "pinterest_data"}


class Aws:
    def __init__(self, **arguments: Any) -> None:
        assert arguments == {"aws_conn_id": "aws_default", "client_type": "sts", "region_name": "us-east-1"}
        self.account_id = "123456789012"


class Databricks:
    refuses = ""

    def __init__(self, conn_id: str) -> None:
        assert conn_id == "databricks_default"

    def children(self, folder: str) -> list[str]:
        if self.refuses:
            raise RuntimeError(self.refuses)
        return []


class Source:
    says = ""

    def __enter__(self) -> Source:
        return self

    def __exit__(self, *_: object) -> None:
        pass

    def check(self) -> list[str]:
        if self.says:
            raise LastingSourceError(self.says)
        return []


@pytest.fixture(autouse=True)
def whole(monkeypatch) -> None:
    """Everything is there and answers."""
    monkeypatch.delenv("AWS_REGION", raising=False)
    monkeypatch.setenv("AIRFLOW_VAR_PINTEREST_PIPELINE", json.dumps(variable()))
    monkeypatch.setenv("AIRFLOW_CONN_DATABRICKS_DEFAULT", json.dumps(DATABRICKS))
    monkeypatch.setenv("AIRFLOW_CONN_PINTEREST_SOURCE", json.dumps(SOURCE))
    monkeypatch.setattr(environment_check, "AwsBaseHook", Aws)
    monkeypatch.setattr(environment_check, "DatabricksWorkspaceHook", Databricks)
    monkeypatch.setattr(environment_check, "source_tables", lambda _: Source())


def check() -> dict[str, Any]:
    event = SimpleNamespace(extra={})
    operator = EnvironmentCheckOperator(task_id="environment", code=CODE, asset=ASSET)
    found = operator.execute({"outlet_events": {ASSET: event}})
    assert event.extra == found
    return found


def problems() -> list[str]:
    found = check()["findings"]
    assert all(one["fix"] for one in found)
    return [one["problem"] for one in found]


def test_where_everything_is_there_nothing_is_found_and_versions_are_told():
    found = check()

    assert found["findings"] == []
    assert found["code"] == CODE
    pinned = ("apache-airflow-providers-databricks", "apache-airflow-providers-ssh", "pymysql")
    assert {name: found["versions"][name] for name in pinned} == {name: version(name) for name in pinned}


def test_a_wrong_key_of_the_variable_is_named_beside_what_else_is_wrong(monkeypatch):
    monkeypatch.setenv("AIRFLOW_VAR_PINTEREST_PIPELINE", json.dumps(variable(kafkaa={})))
    monkeypatch.delenv("AIRFLOW_CONN_PINTEREST_SOURCE")

    first, second = problems()

    assert first.startswith("Airflow Variable 'pinterest_pipeline': kafkaa: Extra inputs are not permitted")
    assert second == "connection pinterest_source is missing"


def test_a_missing_variable_is_named(monkeypatch):
    monkeypatch.delenv("AIRFLOW_VAR_PINTEREST_PIPELINE")

    assert problems() == ["Airflow Variable 'pinterest_pipeline' is not set; see docs/settings.md"]


def test_another_region_than_the_environments_is_named(monkeypatch):
    monkeypatch.setenv("AWS_REGION", "eu-west-1")

    assert problems() == ["the environment is in eu-west-1, and the Variable's region is us-east-1"]


def test_a_connection_of_another_type_is_named(monkeypatch):
    monkeypatch.setenv("AIRFLOW_CONN_DATABRICKS_DEFAULT", json.dumps({**DATABRICKS, "conn_type": "http"}))

    assert problems() == ["connection databricks_default is of the type 'http'"]


def test_what_does_not_answer_is_named_with_its_own_words(monkeypatch):
    monkeypatch.setattr(Databricks, "refuses", "403 Forbidden")
    monkeypatch.setattr(Source, "says", "Access denied for user 'reader'")

    assert problems() == [
        "connection databricks_default does not answer as it should: RuntimeError: 403 Forbidden",
        "connection pinterest_source does not answer as it should: LastingSourceError: Access denied for user 'reader'",
    ]


def test_a_secret_in_an_error_is_masked(monkeypatch):
    from airflow.sdk.log import mask_secret

    monkeypatch.setattr(Databricks, "refuses", "nobody knows canary-5b1d0f")
    mask_secret("canary-5b1d0f")

    [problem] = problems()

    assert "canary-5b1d0f" not in problem
    assert problem.endswith("nobody knows ***")

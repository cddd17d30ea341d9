from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from importlib.metadata import version
from types import SimpleNamespace
from typing import Any, ClassVar

import pytest
from airflow.sdk import Asset

from include.doctor.remark import Finding, Later, Remark
from pinterest.doctor.account import Account
from pinterest.operators import environment_check
from pinterest.operators.environment_check import EnvironmentCheckOperator
from tests.builders import variable

CODE = "code 12345678.9abcdef0"
ASSET = Asset("pinterest_check")
DATABRICKS = {"conn_type": "databricks", "host": "https://dbc.cloud.databricks.com", "password": "0f2c9a"}
SOURCE = {"conn_type": "mysql", "host": "db", "login": "reader", "schema": "pinterest_data"}


class Doctor:
    """The doctor's own checks, which have tests of their own."""

    says: ClassVar[dict[str, Any]] = {}

    @staticmethod
    def check(name: str) -> Callable[[Account], Iterator[Remark]]:
        def look(account: Account) -> Iterator[Remark]:
            assert account.settings.region == "us-east-1"
            said = Doctor.says.get(name)
            if isinstance(said, Exception):
                raise said
            yield from said or ()

        look.__name__ = name
        return look


@pytest.fixture(autouse=True)
def whole(monkeypatch) -> None:
    """Everything is there and answers."""
    monkeypatch.delenv("AWS_REGION", raising=False)
    monkeypatch.setenv("AIRFLOW_VAR_PINTEREST_PIPELINE", json.dumps(variable()))
    monkeypatch.setenv("AIRFLOW_CONN_DATABRICKS_DEFAULT", json.dumps(DATABRICKS))
    monkeypatch.setenv("AIRFLOW_CONN_PINTEREST_SOURCE", json.dumps(SOURCE))
    monkeypatch.setattr(Doctor, "says", {})
    for name in ("of_aws", "LOOKED_AT"):
        looks = Doctor.check(name) if name == "of_aws" else tuple(map(Doctor.check, ("database", "databricks")))
        monkeypatch.setattr(environment_check, name, looks)


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

    assert first == "connection pinterest_source is missing"
    assert second.startswith("Airflow Variable 'pinterest_pipeline': kafkaa: Extra inputs are not permitted")


def test_a_missing_variable_is_named(monkeypatch):
    monkeypatch.delenv("AIRFLOW_VAR_PINTEREST_PIPELINE")

    assert problems() == ["Airflow Variable 'pinterest_pipeline' is not set; see docs/settings.md"]


def test_another_region_than_the_environments_is_named(monkeypatch):
    monkeypatch.setenv("AWS_REGION", "eu-west-1")

    assert problems() == ["the environment is in eu-west-1, and the Variable's region is us-east-1"]


def test_a_connection_of_another_type_is_named(monkeypatch):
    monkeypatch.setenv("AIRFLOW_CONN_DATABRICKS_DEFAULT", json.dumps({**DATABRICKS, "conn_type": "http"}))

    assert problems() == ["connection databricks_default: its type is 'http'"]


def test_the_doctors_findings_are_found_and_what_is_not_there_yet_is_none():
    Doctor.says = {
        "database": [Later("a table"), Finding("the tables are empty", "load their rows")],
        "databricks": RuntimeError("403 Forbidden"),
    }

    assert problems() == ["the tables are empty", "databricks: RuntimeError: 403 Forbidden"]


def test_what_aws_refuses_is_found():
    Doctor.says = {"of_aws": RuntimeError("ExpiredToken")}

    assert problems() == ["aws: RuntimeError: ExpiredToken"]


def test_a_secret_in_an_error_is_masked():
    from airflow.sdk.log import mask_secret

    Doctor.says = {"databricks": RuntimeError("nobody knows canary-5b1d0f")}
    mask_secret("canary-5b1d0f")

    [problem] = problems()

    assert problem.endswith("nobody knows ***")

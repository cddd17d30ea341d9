"""What the doctor says of a Databricks workspace: each thing that the settings name, for the user who logs in."""

from __future__ import annotations

from types import SimpleNamespace

import pytest
from airflow.providers.databricks.exceptions import DatabricksApiError

from include.lake.job import RUNTIME
from pinterest.doctor import workspace
from tests.builders import settings

ALL = {
    "catalog": "main",
    "schema": "lake",
    "policy_id": "P1",
    "warehouse_id": "w1",
    "kinesis": {"service_credential": "kinesis"},
}
CATALOG, SCHEMA = "2.1/unity-catalog/catalogs/main", "2.1/unity-catalog/schemas/main.lake"
CREDENTIAL = "2.1/unity-catalog/credentials/kinesis"
POLICY, WAREHOUSE = "2.0/policies/clusters/get", "2.0/sql/warehouses/w1"


class Workspace:
    """Databricks' API as calls. ``refuses`` has the status of each endpoint that refuses."""

    def __init__(self):
        self.refuses = {}
        self.asked = []
        self.answers = {
            "2.0/preview/scim/v2/Me": {"userName": "airflow"},
            "2.1/clusters/spark-versions": {"versions": [{"key": RUNTIME}]},
            CREDENTIAL: {"purpose": "SERVICE"},
        }

    def __call__(self, **_):
        return self

    def call(self, method, endpoint, arguments=None):
        assert method == "GET"
        self.asked.append(endpoint)
        if endpoint in self.refuses:
            raise DatabricksApiError("refused", http_status_code=self.refuses[endpoint])
        return self.answers.get(endpoint, {})


@pytest.fixture
def there(monkeypatch):
    there = Workspace()
    monkeypatch.setattr(workspace, "DatabricksApiHook", there)
    monkeypatch.setattr(workspace, "connection", lambda _: SimpleNamespace(host="dbc-1.cloud.databricks.com"))
    return there


def said(**here):
    account = SimpleNamespace(settings=settings(databricks=here))
    return [f"{one.problem}; {one.fix}" for one in workspace.databricks(account)]


def test_a_workspace_that_has_everything_is_well(there):
    assert said(**ALL) == []
    assert {CATALOG, SCHEMA, CREDENTIAL, POLICY, WAREHOUSE} <= {*there.asked}


def test_what_the_settings_do_not_name_is_not_asked_for(there):
    assert said(catalog="hive_metastore") == []
    assert there.asked == ["2.0/preview/scim/v2/Me", "2.1/clusters/spark-versions"]


@pytest.mark.parametrize(
    ("endpoint", "status", "problem"),
    [
        (CATALOG, 404, "databricks.catalog: airflow sees no catalog main (404); .*GRANT USE CATALOG"),
        (CATALOG, 403, "databricks.catalog: airflow sees no catalog main (403)"),
        (SCHEMA, 403, "databricks.schema: airflow may not use the schema main.lake"),
        (CREDENTIAL, 404, "databricks.kinesis.service_credential: airflow sees no credential kinesis (404)"),
        (POLICY, 400, "databricks.policy_id: airflow may use no compute policy P1 (400)"),
        (WAREHOUSE, 404, "the workspace has no SQL warehouse w1"),
    ],
)
def test_what_is_missing_or_not_permitted_is_named_with_its_fix(there, endpoint, status, problem):
    there.refuses = {endpoint: status}

    (finding,) = said(**ALL)

    before, _, after = problem.partition(".*")
    assert finding.startswith(before)
    assert after in finding


def test_a_schema_that_is_missing_is_made_by_a_run(there):
    there.refuses = {SCHEMA: 404}

    assert said(**ALL) == []


def test_a_storage_credential_does_not_read_kinesis(there):
    there.answers[CREDENTIAL] = {"purpose": "STORAGE"}

    (finding,) = said(**ALL)

    assert "kinesis is for STORAGE" in finding


def test_an_answer_that_may_pass_is_no_finding(there):
    there.refuses = {CATALOG: 503}

    with pytest.raises(DatabricksApiError):
        said(**ALL)

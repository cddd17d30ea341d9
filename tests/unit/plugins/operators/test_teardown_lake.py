"""What a teardown removes on Databricks: jobs with their runs, code, and tables."""

from __future__ import annotations

import json
from typing import Any

import pytest
from airflow.providers.amazon.aws.hooks.base_aws import AwsGenericHook

from include.lake.contract import all_tables
from pinterest.operators import teardown, teardown_lake
from pinterest.operators.teardown_lake import RemoveCodeOperator, RemoveJobsOperator, RemoveTablesOperator
from tests.builders import BUCKET, USER_ID, settings
from tests.unit.account_in_memory import provisioned
from tests.unit.plugins.operators.test_teardown import context

FOLDER = "/Shared/pinterest-pipeline"
LAKE = {"catalog": "main", "schema_name": "pinterest"}


class Workspace:
    """Jobs, runs, folders and tables in memory, in place of the three hooks."""

    def __init__(self) -> None:
        ours, theirs = f"{FOLDER}/0123456789ab", f"{FOLDER}/ba9876543210"
        self.jobs = {1: f"{USER_ID}.lake_stream", 2: f"{USER_ID}.pinterest_batch", 3: "another.lake_stream"}
        self.notebooks = {1: f"{ours}/stream", 2: f"{ours}/load", 3: f"{theirs}/stream"}
        self.folders = [ours, theirs, f"{FOLDER}/0123456789cd", f"{FOLDER}/their notes"]
        self.tables = {name: f"id of {name}" for name in all_tables(USER_ID)} | {"theirs": "x"}
        self.writes: list[str] = []

    def __call__(self, _: str) -> Workspace:
        return self

    def list_jobs(self, expand_tasks: bool = False) -> list[dict[str, Any]]:
        tasks = {one: [{"notebook_task": {"notebook_path": path}}] for one, path in self.notebooks.items()}
        return [
            {"job_id": one, "settings": {"name": name, **({"tasks": tasks[one]} if expand_tasks else {})}}
            for one, name in self.jobs.items()
        ]

    def active_runs(self, job_id: int) -> list[dict[str, Any]]:
        return [{"run_id": 77}] if job_id == 1 else []

    def remove_job(self, job_id: int) -> None:
        self.writes.append(f"job {job_id}")
        del self.jobs[job_id]

    def children(self, path: str) -> list[str]:
        return [one for one in self.folders if one.startswith(f"{path}/")]

    def delete(self, path: str, recursive: bool = False) -> None:
        self.writes.append(path)
        self.folders = [one for one in self.folders if one != path]

    def query(self, statement: str, warehouse_id: str | None) -> list[list[str | None]]:
        table = statement.split("`")[1]
        if statement.startswith("DROP TABLE IF EXISTS main.pinterest."):
            self.writes.append(table)
            self.tables.pop(table, None)
            return []
        if table not in self.tables:
            raise teardown_lake.SqlError(f"FAILED: [TABLE_OR_VIEW_NOT_FOUND] {table}")
        return [["delta", self.tables[table]]]


@pytest.fixture
def workspace(monkeypatch) -> Workspace:
    made = Workspace()
    for hook in ("DatabricksJobsHook", "DatabricksWorkspaceHook", "DatabricksWarehouseHook"):
        monkeypatch.setattr(teardown_lake, hook, made)
    monkeypatch.setattr(teardown, "settings", settings)
    return made


@pytest.fixture
def account(monkeypatch):
    account = provisioned()
    monkeypatch.setattr(AwsGenericHook, "get_client_type", lambda hook, **_: account.client(hook.client_type))
    return account


def remembered(tables: dict[str, str]) -> bytes:
    return json.dumps({"topics": {}, "lake": {**LAKE, "tables": tables}}).encode()


def test_jobs_of_ours_go_with_their_runs(workspace, capsys):
    jobs = RemoveJobsOperator(task_id="jobs", stage="databricks")

    assert jobs.execute(context()) == [f"job {USER_ID}.lake_stream", f"job {USER_ID}.pinterest_batch"]
    assert workspace.jobs == {3: "another.lake_stream"}
    assert "canceled: 77" in capsys.readouterr().out
    assert jobs.execute(context()) == []
    assert workspace.writes == ["job 1", "job 2"]


def test_code_goes_unless_a_job_of_others_runs_it(workspace, capsys):
    code = RemoveCodeOperator(task_id="code", stage="databricks")

    assert code.execute(context()) == [f"{FOLDER}/0123456789ab", f"{FOLDER}/0123456789cd"]
    assert workspace.folders == [f"{FOLDER}/ba9876543210", f"{FOLDER}/their notes"]
    assert f"kept: {FOLDER}/ba9876543210, which the job another.lake_stream runs" in capsys.readouterr().out
    assert code.execute(context()) == []


def test_an_empty_folder_goes_with_the_code(workspace):
    workspace.folders = [f"{FOLDER}/0123456789ab"]

    RemoveCodeOperator(task_id="code").execute(context())

    assert workspace.writes == [f"{FOLDER}/0123456789ab", FOLDER]


@pytest.mark.parametrize("params", [{"dry_run": True}, {"keep": ["databricks"]}, {"only_expired": True}])
@pytest.mark.parametrize("operator", [RemoveJobsOperator, RemoveCodeOperator])
def test_jobs_and_code_stay_otherwise(workspace, operator, params):
    operator(task_id="t", stage="databricks").execute(context(**params))

    assert workspace.writes == []


def drop(**params) -> list[str]:
    return RemoveTablesOperator(task_id="tables").execute(context(**params))


def test_tables_go_only_with_the_buckets_name(workspace, account):
    account.objects[f"landing/{USER_ID}.json"] = remembered({"pin": "id of pin"})

    assert drop() == []
    assert len(drop(delete_data_of=BUCKET, dry_run=True)) == len(all_tables(USER_ID))
    assert workspace.writes == []
    assert len(drop(delete_data_of=BUCKET)) == len(all_tables(USER_ID))
    assert workspace.tables == {"theirs": "x"}
    assert drop(delete_data_of=BUCKET) == []


def test_a_table_that_no_run_wrote_stays(workspace, account, capsys):
    account.objects[f"landing/{USER_ID}.json"] = remembered({"pin": "id of pin", "geo": "another id"})

    drop(delete_data_of=BUCKET)

    assert workspace.tables == {"theirs": "x", "geo": "id of geo"}
    assert "kept: table main.pinterest.geo is not the one that earlier runs wrote" in capsys.readouterr().out


@pytest.mark.parametrize("bucket", [True, False])
def test_a_lake_that_no_run_remembers_stays(workspace, account, bucket):
    if not bucket:
        account.listed["bucket"].clear()

    assert drop(delete_data_of=BUCKET) == []
    assert workspace.writes == []

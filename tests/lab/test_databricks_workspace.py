"""The Databricks stand-in's workspace and SQL warehouse, driven by databricks-sdk."""

from __future__ import annotations

import pytest
from databricks.sdk.core import DatabricksError
from databricks.sdk.errors import NotFound
from databricks.sdk.service.sql import StatementState
from databricks.sdk.service.workspace import ImportFormat, Language, ObjectType

from tests.lab.databricks_parts import notebook, task
from tests.lab.lab_parts import wait_until

# workspace


def test_a_notebook_and_the_library_beside_it(databricks_client, databricks):
    folder = "/Shared/pinterest-pipeline/abc123"
    databricks_client.workspace.mkdirs(f"{folder}/pinterest_lake")
    source = notebook("import pinterest_lake", "dbutils.notebook.exit(pinterest_lake.NAME)")
    databricks_client.workspace.upload(
        f"{folder}/load", source.encode(), format=ImportFormat.SOURCE, language=Language.PYTHON
    )
    databricks_client.workspace.upload(
        f"{folder}/pinterest_lake/__init__.py", b"NAME = 'the lake'\n", format=ImportFormat.AUTO
    )

    objects = {info.path: info for info in databricks_client.workspace.list(folder, recursive=True)}

    assert objects[f"{folder}/load"].object_type == ObjectType.NOTEBOOK
    assert objects[f"{folder}/load"].language == Language.PYTHON
    assert objects[f"{folder}/pinterest_lake/__init__.py"].object_type == ObjectType.FILE
    assert databricks_client.workspace.download(f"{folder}/load").read().decode() == source
    run = databricks.ended(databricks.submit(task("load", f"{folder}/load")))
    assert databricks.output(run["tasks"][0]["run_id"])["notebook_output"]["result"] == "the lake"
    databricks_client.workspace.delete(folder, recursive=True)
    with pytest.raises(DatabricksError, match="doesn't exist"):
        databricks_client.workspace.get_status(folder)


def test_auto_tells_a_notebook_by_its_first_line(databricks_client):
    databricks_client.workspace.mkdirs("/Shared/auto")

    databricks_client.workspace.upload("/Shared/auto/note.py", notebook("x = 1").encode(), format=ImportFormat.AUTO)
    databricks_client.workspace.upload("/Shared/auto/file.py", b"x = 1\n", format=ImportFormat.AUTO)

    kinds = {info.path: info.object_type for info in databricks_client.workspace.list("/Shared/auto")}
    assert kinds == {"/Shared/auto/note": ObjectType.NOTEBOOK, "/Shared/auto/file.py": ObjectType.FILE}


def test_the_workspace_refuses_what_databricks_refuses(databricks_client):
    databricks_client.workspace.mkdirs("/Shared/rules")
    databricks_client.workspace.upload("/Shared/rules/n", b"x = 1", language=Language.PYTHON)

    for path, options, message in [
        ("/Shared/rules/n", {"language": Language.PYTHON}, "already exists"),
        ("/Shared/no folder/n", {"language": Language.PYTHON}, "parent folder"),
        ("/Shared/rules/m", {}, "language"),
        ("/Shared/../../escaped", {"language": Language.PYTHON}, "not an absolute workspace path"),
    ]:
        with pytest.raises(DatabricksError, match=message):
            databricks_client.workspace.upload(path, b"x = 2", **options)
    with pytest.raises(DatabricksError, match="not empty"):
        databricks_client.workspace.delete("/Shared/rules")
    databricks_client.workspace.upload("/Shared/rules/n", b"x = 3", language=Language.PYTHON, overwrite=True)
    assert databricks_client.workspace.download("/Shared/rules/n").read().decode().endswith("x = 3")


# Unity Catalog


def test_the_one_catalog_has_the_schemas_that_were_made(databricks_client, databricks):
    databricks.worker.write("/jobs/make_schema", "spark.sql('CREATE SCHEMA IF NOT EXISTS unity')")
    assert databricks.worker.run("/jobs/make_schema")["state"] == "SUCCESS"

    assert databricks_client.catalogs.get("spark_catalog").name == "spark_catalog"
    assert databricks_client.schemas.get("spark_catalog.unity").full_name == "spark_catalog.unity"
    for get, name in [
        (databricks_client.catalogs.get, "main"),
        (databricks_client.schemas.get, "spark_catalog.nothing"),
        (databricks_client.credentials.get_credential, "kinesis"),
        (databricks_client.cluster_policies.get, "P1"),
    ]:
        with pytest.raises(NotFound, match=name):
            get(name)


# SQL


def test_statements_through_the_sdk(databricks_client):
    answer = databricks_client.statement_execution.execute_statement(
        warehouse_id=next(iter(databricks_client.warehouses.list())).id,
        statement="""
            SELECT 1 AS i, 'text' AS s, NULL AS n, true AS b, 1.50 AS d, DATE '2020-02-29' AS day,
                   TIMESTAMP '2020-02-29 12:30:00' AS t, array(1, 2) AS a, 8 AS i
        """,
    )

    assert answer.status.state == StatementState.SUCCEEDED
    columns = [(column.name, column.type_name.value) for column in answer.manifest.schema.columns]
    assert columns == [
        ("i", "INT"),
        ("s", "STRING"),
        ("n", "NULL"),
        ("b", "BOOLEAN"),
        ("d", "DECIMAL"),
        ("day", "DATE"),
        ("t", "TIMESTAMP"),
        ("a", "ARRAY"),
        ("i", "INT"),
    ]
    row = ["1", "text", None, "true", "1.50", "2020-02-29", "2020-02-29T12:30:00.000Z", "[1,2]", "8"]
    assert answer.result.data_array == [row]
    assert answer.manifest.total_row_count == 1


def test_a_statement_goes_on_after_its_wait_and_can_be_canceled(databricks_client):
    endless = "SELECT sum(hash(id)) FROM range(100000000000000)"

    answer = databricks_client.statement_execution.execute_statement(endless, "lab", wait_timeout="0s")
    assert answer.status.state in (StatementState.PENDING, StatementState.RUNNING)
    databricks_client.statement_execution.cancel_execution(answer.statement_id)

    def state():
        return databricks_client.statement_execution.get_statement(answer.statement_id).status.state

    wait_until(lambda: state() == StatementState.CANCELED, "the statement is canceled")


@pytest.mark.parametrize(
    ("statement", "schema", "message"),
    [
        ("SELECT nothing", None, "UNRESOLVED_COLUMN"),
        ("SELEC 1", None, "PARSE_SYNTAX_ERROR"),
        ("SELECT 1", "no_such_schema", "SCHEMA_NOT_FOUND"),
        ("SELECT repeat(id, 1000000) FROM range(40)", None, "byte limit exceeded"),
    ],
)
def test_a_statement_that_cannot_be_answered_fails_with_the_reason(databricks_client, statement, schema, message):
    answer = databricks_client.statement_execution.execute_statement(
        statement, "lab", schema=schema, wait_timeout="50s"
    )

    assert answer.status.state == StatementState.FAILED
    assert message in answer.status.error.message

"""bin/query, as a user types it."""

from __future__ import annotations

import json
import os
import shlex
import subprocess
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
CONNECTION = "AIRFLOW_CONN_DATABRICKS_DEFAULT"
VARIABLE = "AIRFLOW_VAR_PINTEREST_PIPELINE"


@pytest.fixture
def environment(databricks):
    return {
        CONNECTION: json.dumps(
            {
                "conn_type": "databricks",
                "host": "127.0.0.1",
                "schema": "http",
                "port": databricks.state.port("databricks"),
                "password": databricks.token,
            }
        ),
        VARIABLE: json.dumps({"databricks": {"catalog": "spark_catalog", "schema": "queried"}}),
    }


@pytest.fixture
def query(tmp_path, environment):
    def run(*arguments: str, stdin: str = "", **changed: str) -> subprocess.CompletedProcess[str]:
        file = tmp_path / "airflow.env"
        file.write_text("".join(f"{name}={shlex.quote(text)}\n" for name, text in (environment | changed).items()))
        variables = {"PATH": os.environ["PATH"], "ENV_FILE": str(file)}
        return subprocess.run(
            [ROOT / "bin" / "query", *arguments],
            input=stdin,
            env=variables,
            capture_output=True,
            text=True,
            timeout=120,
        )

    return run


@pytest.fixture(scope="module", autouse=True)
def table(spark_worker):
    path = spark_worker.write(
        "/query/table",
        "spark.sql('CREATE SCHEMA IF NOT EXISTS queried')",
        "rows = [(1, 'a,b', None), (2, 'say \"hi\"', 2.5)]",
        "spark.createDataFrame(rows, 'ind int, title string, score double')"
        ".write.mode('overwrite').saveAsTable('queried.pin')",
    )
    assert spark_worker.run(path)["state"] == "SUCCESS"


def test_prints_csv_with_a_header_and_nothing_else(query):
    done = query("select * from pin order by ind")

    assert (done.returncode, done.stderr) == (0, "")
    assert done.stdout == 'ind,title,score\n1,"a,b",\n2,"say ""hi""",2.5\n'


def test_counts(query):
    assert query("select count(*) as n from pin;").stdout == "n\n2\n"


def test_reads_the_statement_from_stdin(query):
    assert query("-", stdin="select 40 + 2 as answer\n").stdout == "answer\n42\n"


def test_no_row_is_a_header_alone(query):
    assert query("select ind from pin where ind > 9").stdout == "ind\n"


def test_a_statement_that_fails_says_why_and_exits_1(query):
    done = query("select nothing from pin")

    assert (done.returncode, done.stdout) == (1, "")
    assert "UNRESOLVED_COLUMN" in done.stderr


def test_before_there_is_a_schema_it_answers_what_needs_none(query):
    early = {VARIABLE: json.dumps({"databricks": {"catalog": "spark_catalog", "schema": "not_yet"}})}

    schemas = query("show schemas", **early)
    assert schemas.returncode == 0
    assert "queried\n" in schemas.stdout
    assert schemas.stderr == (
        "bin/query: the schema not_yet does not exist (a run of the pipeline creates it), so names without a schema "
        "are in `default`\n"
    )
    assert query("select count(*) as n from queried.pin", **early).stdout == "n\n2\n"
    missing = query("select * from pin", **early)
    assert (missing.returncode, missing.stdout) == (1, "")
    assert "TABLE_OR_VIEW_NOT_FOUND" in missing.stderr
    refused = query("create table pin (ind int)", **early)
    assert (refused.returncode, refused.stderr) == (
        1,
        "bin/query: the schema not_yet does not exist (a run of the pipeline creates it)\n",
    )


def test_a_connection_written_as_a_url_works_too(query, databricks):
    url = f"databricks://:{databricks.token}@127.0.0.1:{databricks.state.port('databricks')}?schema=http"

    assert query("select 1 as one", **{CONNECTION: url}).stdout == "one\n1\n"


def test_a_wrong_token_is_named_and_never_shown(query, environment):
    connection = json.loads(environment[CONNECTION]) | {"password": "wrong-token"}

    done = query("select 1", **{CONNECTION: json.dumps(connection)})

    assert (done.returncode, done.stdout) == (2, "")
    assert "403" in done.stderr
    assert "wrong-token" not in done.stderr


def test_an_unknown_warehouse_is_named(query, environment):
    connection = json.loads(environment[CONNECTION]) | {"extra": {"http_path": "/sql/1.0/warehouses/abc123"}}

    done = query("select 1", **{CONNECTION: json.dumps(connection)})

    assert done.returncode == 2
    assert "abc123" in done.stderr


def test_a_warehouse_that_does_not_answer_exits_3(query, environment):
    connection = json.loads(environment[CONNECTION]) | {"port": 1, "extra": {"http_path": "/sql/1.0/warehouses/lab"}}

    done = query("select 1", **{CONNECTION: json.dumps(connection)})

    assert done.returncode == 3
    assert "does not answer" in done.stderr


@pytest.mark.parametrize(
    ("changed", "message"),
    [
        ({VARIABLE: "{"}, f"{VARIABLE} is not JSON"),
        ({CONNECTION: '{"conn_type": "databricks"}'}, "has no host"),
        ({CONNECTION: '{"host": "h"}'}, "has no token"),
    ],
)
def test_wrong_settings_are_named_and_exit_2(query, changed, message):
    done = query("select 1", **changed)

    assert (done.returncode, done.stdout) == (2, "")
    assert message in done.stderr


def test_without_a_statement_it_says_what_it_needs(query):
    done = query()

    assert done.returncode == 2
    assert "one argument" in done.stderr


def test_a_reader_that_stops_early_is_no_error(query, environment, tmp_path):
    query("select 1")
    command = f"{ROOT}/bin/query 'select id from range(200000)' | head -1"
    variables = {"PATH": os.environ["PATH"], "ENV_FILE": str(tmp_path / "airflow.env")}

    done = subprocess.run(["bash", "-c", command], env=variables, capture_output=True, text=True, timeout=120)

    assert (done.stdout, done.stderr) == ("id\n", "")

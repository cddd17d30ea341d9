"""The Spark worker: what a notebook sees, how it fails, how it is stopped, and what a killed worker leaves behind."""

from __future__ import annotations

import json

import pytest
import requests

from tests.lab.lab_parts import wait_until

ENDLESS_SPARK = "spark.range(10**14).selectExpr('sum(hash(id))').collect()"


@pytest.fixture(autouse=True, scope="module")
def secrets(state):
    for name in ("databricks_access_key_id", "aws_secret_access_key"):
        state.secret(name)


def test_a_notebook_runs_cell_by_cell_and_exits_with_a_value(spark_worker):
    path = spark_worker.write(
        "/cells/all",
        "# MAGIC %md\n# MAGIC # A title",
        "# MAGIC %run ./setup",
        "# MAGIC %sql\n# MAGIC SELECT explode(sequence(1, 4)) AS n",
        "total = sum(row.n for row in _sqldf.collect())",
        "try:\n    dbutils.notebook.exit(f'{from_setup} {total}')\nexcept Exception:\n    pass",
        "raise AssertionError('a cell after the exit ran')",
    )
    spark_worker.write("/cells/setup", "from_setup = 'set up'")

    result = spark_worker.run(path)

    assert (result["state"], result["result"]) == ("SUCCESS", "set up 10")


def test_widgets_take_the_parameters_of_the_run(spark_worker):
    path = spark_worker.write(
        "/widgets/one",
        """
        dbutils.widgets.text("schema", "default")
        dbutils.widgets.dropdown("mode", "fast", ["fast", "slow"])
        values = [dbutils.widgets.get(name) for name in ("schema", "mode", "undeclared")]
        dbutils.notebook.exit(",".join(values))
        """,
    )

    assert spark_worker.run(path, schema="mine", undeclared="given")["result"] == "mine,fast,given"
    assert "No input widget named undeclared" in spark_worker.run(path)["error"]


def test_a_failure_names_the_line_of_the_notebook(spark_worker):
    path = spark_worker.write("/errors/one", "first = 1", "def divide():\n    return first / 0\ndivide()")

    result = spark_worker.run(path)

    assert result["state"] == "FAILED"
    assert result["error"] == "ZeroDivisionError: division by zero"
    assert 'File "/errors/one", line 5' in result["error_trace"]
    assert "return first / 0" in result["error_trace"]
    assert "spark_worker" not in result["error_trace"]


def test_a_failure_of_spark_is_told_without_java_frames(spark_worker):
    path = spark_worker.write("/errors/sql", "spark.sql('SELECT nothing FROM range(3)').collect()")

    result = spark_worker.run(path)

    assert "UNRESOLVED_COLUMN" in result["error"]
    assert "\tat " not in result["error_trace"]


@pytest.mark.parametrize("path", ["/errors/absent", "/../secrets.json", "/errors"])
def test_what_is_not_a_notebook_of_the_workspace_is_not_found(spark_worker, path):
    result = spark_worker.run(path)

    assert result["state"] == "FAILED"
    assert f'Unable to access the notebook "{path}"' in result["not_found"]


def test_a_table_without_a_format_is_delta(spark_worker):
    path = spark_worker.write(
        "/tables/one",
        "spark.sql('CREATE SCHEMA IF NOT EXISTS formats')",
        "spark.range(3).write.mode('overwrite').saveAsTable('formats.saved')",
        "spark.sql('CREATE OR REPLACE TABLE formats.created (id INT)')",
        """
        formats = [spark.sql(f"DESCRIBE DETAIL formats.{name}").first().format for name in ("saved", "created")]
        dbutils.notebook.exit(",".join(formats))
        """,
    )

    assert spark_worker.run(path)["result"] == "delta,delta"


def test_notebooks_of_two_folders_import_their_own_library_at_the_same_time(spark_worker):
    for version in ("one", "two"):
        spark_worker.write(f"/versions/{version}/main", "import lake\ndbutils.notebook.exit(lake.tables.VERSION)")
        package = spark_worker.state.path("workspace", "versions", version, "lake")
        package.mkdir()
        (package / "__init__.py").write_text("from lake import tables\n")
        (package / "tables.py").write_text(f"VERSION = {version!r}\n")

    versions = ["one", "two", "one", "two", "two", "one"]
    started = [spark_worker.start(f"/versions/{version}/main") for version in versions]

    assert [spark_worker.result(work)["result"] for work in started] == versions


def test_a_library_that_was_uploaded_again_is_read_again(spark_worker):
    spark_worker.write("/again/main", "import changing\ndbutils.notebook.exit(changing.VALUE)")
    module = spark_worker.state.path("workspace", "again", "changing.py")

    module.write_text("VALUE = 'aaa'\n")
    before = spark_worker.run("/again/main")["result"]
    module.write_text("VALUE = 'bbb'\n")

    assert (before, spark_worker.run("/again/main")["result"]) == ("aaa", "bbb")


def test_secrets_are_given_to_the_notebook_and_hidden_in_what_it_shows(spark_worker):
    value = spark_worker.state.secret("aws_secret_access_key")
    path = spark_worker.write(
        "/secrets/one",
        """
        value = dbutils.secrets.get("pinterest", "aws_secret_access_key")
        print("whole", value)
        print("in pieces ", end="")
        for letter in value:
            print(letter, end="")
        print()
        print("length", len(value))
        raise ValueError(f"with {value}")
        """,
    )

    result = spark_worker.result(spark_worker.start(path, log="secrets.log"))
    log = spark_worker.log("secrets.log")

    assert log.splitlines()[:3] == ["whole [REDACTED]", "in pieces [REDACTED]", f"length {len(value)}"]
    assert result["error"] == "ValueError: with [REDACTED]"
    assert value not in log + json.dumps(result)


def test_a_notebook_without_keys_spoils_no_later_one(spark_worker):
    read = "spark.read.text('s3a://bucket/absent').collect()"
    keys = "for name in ('access.key', 'secret.key'):\n    spark.conf.set(f'fs.s3a.bucket.bucket.{name}', 'given')"
    no_waiting = "spark.conf.set('fs.s3a.attempts.maximum', '1')\nspark.conf.set('fs.s3a.retry.limit', '0')"
    without = spark_worker.run(spark_worker.write("/keys/without", no_waiting, read))
    given = spark_worker.run(spark_worker.write("/keys/given", no_waiting, keys, read))

    assert "NoAwsCredentialsException" in without["error"]
    assert "NoAwsCredentialsException" not in given["error"]


def test_each_notebook_logs_what_it_and_its_threads_print(spark_worker):
    path = spark_worker.write(
        "/logs/one",
        """
        from concurrent.futures import ThreadPoolExecutor
        name = dbutils.widgets.get("name")
        print("main", name)
        with ThreadPoolExecutor(2) as pool:
            list(pool.map(lambda n: print("thread", n, name), [1, 2]))
        """,
    )

    for work in [spark_worker.start(path, log=f"{name}.log", name=name) for name in ("left", "right")]:
        spark_worker.result(work)

    assert sorted(spark_worker.log("left.log").splitlines()) == ["main left", "thread 1 left", "thread 2 left"]
    assert sorted(spark_worker.log("right.log").splitlines()) == ["main right", "thread 1 right", "thread 2 right"]


def test_sessions_do_not_share_views_or_settings(spark_worker):
    spark_worker.write(
        "/sessions/first",
        "spark.range(1).createOrReplaceTempView('mine')\nspark.conf.set('spark.sql.shuffle.partitions', '77')",
    )
    spark_worker.write(
        "/sessions/second",
        "kept = spark.catalog.tableExists('mine'), spark.conf.get('spark.sql.shuffle.partitions')",
        "dbutils.notebook.exit(str(kept))",
    )

    spark_worker.run("/sessions/first")

    assert spark_worker.run("/sessions/second")["result"] == "(False, '1')", "1 is what the tests' labs start with"


@pytest.mark.parametrize(
    "cell",
    [
        pytest.param(ENDLESS_SPARK, id="a query"),
        pytest.param("while True:\n    pass", id="a loop in Python"),
        pytest.param(
            f"while True:\n    try:\n        {ENDLESS_SPARK}\n    except Exception:\n        pass", id="stubborn"
        ),
    ],
)
def test_cancel_stops_the_work(spark_worker, cell):
    path = spark_worker.write("/cancel/one", "print('begun')", cell)
    work = spark_worker.start(path, log=f"cancel-{hash(cell)}.log")
    wait_until(lambda: spark_worker.look(work)["state"] == "RUNNING", "the notebook runs")

    spark_worker.cancel(work)

    assert spark_worker.result(work)["state"] == "CANCELED"


def test_a_job_that_reaches_spark_after_the_cancel_is_refused(spark_worker, tmp_path):
    """What a cancelled thread had asked for, and nobody waits for any more, would hold a core for ever."""
    path = spark_worker.write(
        "/cancel/late",
        """
        import pathlib, time
        from pyspark import InheritableThread

        folder = pathlib.Path(dbutils.widgets.get("folder"))

        def late():
            while not (folder / "go on").exists():
                time.sleep(0.01)
            try:
                told = f"counted {len(spark.range(10).collect())}"
            except Exception as error:
                told = str(error)
            (folder / "part").write_text(told)
            (folder / "part").rename(folder / "told")

        InheritableThread(target=late).start()
        (folder / "begun").touch()
        while True:
            pass
        """,
    )
    work = spark_worker.start(path, folder=str(tmp_path))
    wait_until((tmp_path / "begun").exists, "the thread waits")
    spark_worker.cancel(work)
    assert spark_worker.result(work)["state"] == "CANCELED"

    (tmp_path / "go on").touch()
    wait_until((tmp_path / "told").exists, "the late job is answered")

    assert "cancelled" in (tmp_path / "told").read_text()


def test_a_caller_without_the_token_is_refused(spark_worker):
    url = f"http://127.0.0.1:{spark_worker.state.port('spark')}"

    for token in ("", "Bearer wrong"):
        refused = requests.post(f"{url}/notebooks", json={}, headers={"Authorization": token}, timeout=10)
        assert refused.status_code == 403

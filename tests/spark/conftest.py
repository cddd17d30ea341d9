"""One local Spark session with Delta for all tests; a schema of its own for each lake; a bucket that is a folder."""

from __future__ import annotations

import itertools
import json
import os
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
sys.path[:0] = [str(ROOT / "spark"), str(ROOT / "tests"), str(Path(__file__).parent)]

from bucket import Bucket  # noqa: E402
from pyspark.sql import SparkSession  # noqa: E402

INSTALL = Path(os.environ.get("LAB_INSTALL", ROOT / ".lab" / "install"))
SCHEMAS = (f"lake_{number}" for number in itertools.count())


@pytest.fixture(scope="session")
def spark(tmp_path_factory):
    jars = sorted(map(str, (INSTALL / "jars" / "spark").glob("*.jar")))
    if not jars:
        pytest.exit(f"no Spark jars in {INSTALL / 'jars' / 'spark'}: run `make test`, or set LAB_INSTALL", returncode=4)
    if (INSTALL / "java" / "bin" / "java").exists():
        os.environ["JAVA_HOME"] = str(INSTALL / "java")
    os.environ |= {"PYSPARK_PYTHON": sys.executable, "SPARK_LOCAL_IP": "127.0.0.1", "TZ": "America/New_York"}
    scratch = tmp_path_factory.mktemp("spark")
    session = (
        SparkSession.builder.master("local[2]")
        .config(
            map={
                "spark.jars": ",".join(jars),
                "spark.driver.memory": "1g",
                "spark.driver.host": "127.0.0.1",
                "spark.driver.bindAddress": "127.0.0.1",
                "spark.driver.extraJavaOptions": (
                    f"-Dderby.system.home={scratch} -Duser.timezone=America/New_York -XX:+UseParallelGC "
                    "-XX:TieredStopAtLevel=1 -XX:ReservedCodeCacheSize=512m"  # level 1 alone has room for 48 MB of code
                ),
                "spark.local.dir": str(scratch),
                "spark.sql.warehouse.dir": str(scratch / "warehouse"),
                "spark.ui.enabled": "false",
                "spark.sql.ui.explainMode": "simple",
                "spark.ui.showConsoleProgress": "false",
                "spark.sql.shuffle.partitions": "2",
                "spark.sql.codegen.cache.maxEntries": "2000",
                "spark.sql.session.timeZone": "America/New_York",
                "spark.sql.extensions": "io.delta.sql.DeltaSparkSessionExtension",
                "spark.sql.catalog.spark_catalog": "org.apache.spark.sql.delta.catalog.DeltaCatalog",
                "spark.databricks.delta.snapshotPartitions": "1",
                # Else every commit of a JVM that is not on UTC reads the table's state back.
                "spark.databricks.delta.allFilesInCrc.verificationMode.forceOnNonUTC.enabled": "false",
            }
        )
        .getOrCreate()
    )
    session.sparkContext.setLogLevel("OFF")
    yield session
    jvm = session.sparkContext._gateway.proc
    session.stop()
    jvm.stdin.close()
    jvm.wait(30)


@pytest.fixture
def bare_lake(spark):
    """A lake without tables, in a session of its own as every notebook has."""
    from pinterest_lake.tables import Lake

    lake = Lake(spark.newSession(), "spark_catalog", next(SCHEMAS))
    lake.create_schema()
    yield lake
    lake.spark.sql(f"DROP SCHEMA {lake.schema} CASCADE")


@pytest.fixture
def lake(bare_lake):
    """An empty lake."""
    bare_lake.create()
    return bare_lake


@pytest.fixture
def bucket(tmp_path):
    return Bucket(tmp_path / "bucket")


@pytest.fixture(scope="session")
def real_rows():
    """449 posts as the source has them: {stream: rows}, in the order of their keys."""
    folder = ROOT / "lab" / "source" / "real_rows"
    tables = {"pin": "pinterest_data", "geo": "geolocation_data", "user": "user_data"}
    return {
        stream: [json.loads(text) for text in (folder / f"{table}.jsonl").read_text(encoding="utf-8").splitlines()]
        for stream, table in tables.items()
    }

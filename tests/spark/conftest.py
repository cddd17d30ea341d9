"""One local Spark session with Delta for all tests, and one lake for the tests of a module."""

from __future__ import annotations

import itertools
import json
import os
import sys
from pathlib import Path

import pytest
from pyspark.sql import SparkSession

from pinterest_lake.tables import Lake
from tests.spark.bucket import Bucket

ROOT = Path(__file__).parents[2]
INSTALL = Path(os.environ.get("LAB_INSTALL", ROOT / ".lab" / "install"))
SCHEMAS = (f"lake_{number}" for number in itertools.count())

# For a few rows, planning a query and compiling it cost far more than running it.
LITTLE_PLANNING = {
    "spark.sql.codegen.wholeStage": "false",
    "spark.sql.codegen.factoryMode": "NO_CODEGEN",
    "spark.sql.adaptive.enabled": "false",
    "spark.sql.shuffle.partitions": "1",
}
AS_BY_DEFAULT = {
    "spark.sql.codegen.wholeStage": "true",
    "spark.sql.codegen.factoryMode": "FALLBACK",
    "spark.sql.adaptive.enabled": "true",
    "spark.sql.shuffle.partitions": "2",
}


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
                "spark.sql.codegen.cache.maxEntries": "2000",
                "spark.sql.session.timeZone": "America/New_York",
                "spark.sql.extensions": "io.delta.sql.DeltaSparkSessionExtension",
                "spark.sql.catalog.spark_catalog": "org.apache.spark.sql.delta.catalog.DeltaCatalog",
                "spark.databricks.delta.snapshotPartitions": "1",
                "spark.default.parallelism": "1",
                **LITTLE_PLANNING,
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
def compiling_sessions(spark):
    """Makes sessions that compile queries and adapt them as they run, as Spark does by default."""

    def new_session():
        session = spark.newSession()
        for name, value in AS_BY_DEFAULT.items():
            session.conf.set(name, value)
        return session

    return new_session


@pytest.fixture(scope="module")
def bare_lake(spark):
    """A lake without tables, in a session of its own as every notebook has."""
    lake = Lake(spark.newSession(), "spark_catalog", next(SCHEMAS))
    lake.create_schema()
    yield lake
    lake.spark.sql(f"DROP SCHEMA {lake.schema} CASCADE")


@pytest.fixture(scope="module")
def lake(bare_lake):
    """The lake of a module's tests: they keep apart by entity, partition and ``ind``."""
    bare_lake.create()
    return bare_lake


@pytest.fixture(scope="module")
def new_bucket(tmp_path_factory):
    """Makes an empty bucket."""
    return lambda: Bucket(tmp_path_factory.mktemp("bucket"))


@pytest.fixture
def bucket(new_bucket):
    return new_bucket()


@pytest.fixture(scope="session")
def real_rows():
    """449 posts as the source has them: {entity: rows}, in the order of their keys."""
    folder = ROOT / "lab" / "source" / "real_rows"
    tables = {"pin": "pinterest_data", "geo": "geolocation_data", "user": "user_data"}
    return {
        entity: [json.loads(text) for text in (folder / f"{table}.jsonl").read_text(encoding="utf-8").splitlines()]
        for entity, table in tables.items()
    }

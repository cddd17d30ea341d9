"""A Spark session configured as the lab's worker configures it, and what its JVM has used."""

from __future__ import annotations

import os
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from pyspark.sql import SparkSession

from benchmarks import INSTALL


@contextmanager
def spark_session(folder: Path) -> Iterator[SparkSession]:
    """A session on two cores, with its lake in ``<folder>/lake``. Its JVM ends with it."""
    if (INSTALL / "java" / "bin" / "java").exists():
        os.environ["JAVA_HOME"] = str(INSTALL / "java")
    os.environ |= {"PYSPARK_PYTHON": sys.executable, "SPARK_LOCAL_IP": "127.0.0.1"}
    jars = sorted(map(str, (INSTALL / "jars" / "spark").glob("*.jar")))
    if not jars:
        raise SystemExit(f"no Spark jars in {INSTALL / 'jars' / 'spark'}: run `make test`, or set LAB_INSTALL")
    scratch = folder / "lake" / "scratch"
    scratch.mkdir(parents=True)
    configuration = {
        "spark.jars": ",".join(jars),
        "spark.driver.memory": "2g",
        "spark.driver.host": "127.0.0.1",
        "spark.driver.bindAddress": "127.0.0.1",
        "spark.driver.extraJavaOptions": f"-Dderby.system.home={scratch} -Duser.timezone=UTC -XX:+UseParallelGC",
        "spark.local.dir": str(scratch),
        "spark.sql.warehouse.dir": str(folder / "lake" / "warehouse"),
        "spark.ui.enabled": "false",
        "spark.sql.ui.explainMode": "simple",
        "spark.ui.showConsoleProgress": "false",
        "spark.default.parallelism": "2",
        "spark.sql.shuffle.partitions": "4",
        "spark.sql.session.timeZone": "UTC",
        "spark.sql.codegen.cache.maxEntries": "2000",
        "spark.sql.extensions": "io.delta.sql.DeltaSparkSessionExtension",
        "spark.sql.catalog.spark_catalog": "org.apache.spark.sql.delta.catalog.DeltaCatalog",
        "spark.databricks.delta.snapshotPartitions": "2",
    }
    spark = SparkSession.builder.master("local[2]").config(map=configuration).getOrCreate()
    spark.sparkContext.setLogLevel("ERROR")
    try:
        yield spark
    finally:
        jvm = spark.sparkContext._gateway.proc
        spark.stop()
        jvm.stdin.close()
        jvm.wait(30)


def peak_mb(spark: SparkSession) -> float:
    """The most memory the JVM has held, from the kernel; 0 where there is no /proc."""
    pid = spark.sparkContext._jvm.java.lang.ProcessHandle.current().pid()
    status = Path(f"/proc/{pid}/status")
    lines = status.read_text().splitlines() if status.exists() else []
    return next((int(line.split()[1]) / 1024 for line in lines if line.startswith("VmHWM")), 0.0)


def cpu_seconds(spark: SparkSession) -> float:
    """What the JVM has used of all cores: on a shared machine it says more than the clock."""
    return spark.sparkContext._jvm.java.lang.ProcessHandle.current().info().totalCpuDuration().get().toMillis() / 1000

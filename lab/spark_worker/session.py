"""The Spark session: Delta on the lab's S3, a Hive metastore in an embedded Derby database."""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

from pyspark.sql import SparkSession

from lab.state import State

LOGGING = Path(__file__).with_name("log4j2.properties")
NOT_OURS = ("SPARK_HOME", "SPARK_CONF_DIR", "PYSPARK_SUBMIT_ARGS", "PYSPARK_DRIVER_PYTHON", "HADOOP_CONF_DIR")


def open_session(state: State) -> SparkSession:
    """Start the JVM and return its session. First ends a JVM left by a killed worker, since it still holds Derby."""
    lake = state.path("lake")
    lake.mkdir(parents=True, exist_ok=True)
    end_leftover_jvm(lake)
    scratch = lake / "scratch"
    shutil.rmtree(scratch, ignore_errors=True)
    scratch.mkdir()
    for name in NOT_OURS:
        os.environ.pop(name, None)
    os.environ |= {
        "JAVA_HOME": str(state.install / "java"),
        "PYSPARK_PYTHON": sys.executable,
        "SPARK_LOCAL_IP": "127.0.0.1",
        "AWS_ENDPOINT_URL_KINESIS": f"http://127.0.0.1:{state.port('aws')}",
    }
    builder = SparkSession.builder.master("local[2]").appName("lab").enableHiveSupport()
    settings = configuration(state, lake, scratch) | own_settings(state.path("spark-defaults.conf"))
    session = builder.config(map=settings).getOrCreate()
    jvm_pid_file(lake).write_text(str(jvm_process(session).pid))
    return session


def configuration(state: State, lake: Path, scratch: Path) -> dict[str, bool | float | int | str | None]:
    jars = state.install / "jars" / "spark"
    if not any(jars.glob("delta-spark*.jar")):
        raise SystemExit(f"{jars} has no Delta jar: run `make lab`, which installs what is missing")
    s3a = "spark.hadoop.fs.s3a"
    return {
        "spark.driver.extraClassPath": f"{jars}/*",
        "spark.driver.memory": "2g",
        "spark.driver.extraJavaOptions": " ".join(
            [
                f"-Dlog4j2.configurationFile={LOGGING.as_uri()}",
                f"-Dderby.system.home={lake}",
                f"-Dderby.stream.error.file={state.log('derby')}",
                f"-Djava.io.tmpdir={scratch}",
                "-Xss16m",  # Spark applies a recursive pattern to the error of a stopped batch, however long it is
                "-XX:ReservedCodeCacheSize=512m",  # Spark compiles code for every query, and the worker runs for days
                "-Duser.timezone=UTC",  # as on Databricks; in another zone Delta rereads a table after every commit
                "-XX:TieredStopAtLevel=1",  # the lab's data are small: better code would cost more than it saves
                "-XX:+UseParallelGC -XX:MinHeapFreeRatio=10 -XX:MaxHeapFreeRatio=30",  # on two cores, G1 costs a fifth
            ]
        ),
        "spark.cleaner.periodicGC.interval": "1min",  # the heap shrinks only after a full collection
        "spark.driver.host": "127.0.0.1",
        "spark.driver.bindAddress": "127.0.0.1",
        "spark.local.dir": str(scratch),
        "spark.ui.enabled": "false",
        "spark.sql.ui.explainMode": "simple",  # else every query is described for a UI, even without one
        "spark.ui.showConsoleProgress": "false",
        "spark.default.parallelism": "2",
        "spark.sql.shuffle.partitions": "4",
        "spark.sql.session.timeZone": "UTC",
        "spark.sql.sources.default": "delta",
        "spark.sql.extensions": "io.delta.sql.DeltaSparkSessionExtension",
        "spark.sql.catalog.spark_catalog": "org.apache.spark.sql.delta.catalog.DeltaCatalog",
        "spark.databricks.delta.snapshotPartitions": "2",
        "spark.sql.warehouse.dir": str(lake / "warehouse"),
        "spark.hadoop.javax.jdo.option.ConnectionURL": f"jdbc:derby:;databaseName={lake / 'metastore'};create=true",
        f"{s3a}.endpoint": f"http://127.0.0.1:{state.port('aws')}",
        f"{s3a}.endpoint.region": "us-east-1",
        f"{s3a}.path.style.access": "true",
        f"{s3a}.connection.ssl.enabled": "false",
        f"{s3a}.aws.credentials.provider": "org.apache.hadoop.fs.s3a.SimpleAWSCredentialsProvider",
    }


def own_settings(file: Path) -> dict[str, str]:
    """What a user has written for this lab, a ``name value`` a line as Spark has it; it goes before the lab's own."""
    if not file.exists():
        return {}
    lines = [line.split(maxsplit=1) for line in file.read_text().splitlines()]
    return {line[0]: line[1].strip() for line in lines if len(line) == 2 and not line[0].startswith("#")}


def close_session(session: SparkSession, grace: float = 5) -> None:
    """End the JVM: by its own shutdown, or by force after ``grace`` seconds."""
    jvm = jvm_process(session)
    assert jvm.stdin is not None, "PySpark holds the JVM by its stdin"
    jvm.stdin.close()
    try:
        jvm.wait(grace)
    except subprocess.TimeoutExpired:
        jvm.kill()
        jvm.wait()


def jvm_process(session: SparkSession) -> subprocess.Popen[bytes]:
    gateway = session.sparkContext._gateway
    assert gateway is not None, "a session that was opened has a JVM"
    process: subprocess.Popen[bytes] = gateway.proc
    return process


def java(session: SparkSession) -> Any:
    """The JVM's packages."""
    assert session._jvm is not None, "a session that was opened has a JVM"
    return session._jvm


def jvm_pid_file(lake: Path) -> Path:
    return lake / "jvm.pid"


def end_leftover_jvm(lake: Path, timeout: float = 10) -> None:
    """Kill an earlier worker's JVM if it is still running. Its own exit, on a closed stdin, may take seconds."""
    try:
        pid = int(jvm_pid_file(lake).read_text())
    except (FileNotFoundError, ValueError):
        return
    deadline = time.monotonic() + timeout
    while str(lake) in command_line(pid):
        if time.monotonic() > deadline:
            raise SystemExit(f"An earlier Spark JVM (pid {pid}) holds {lake} and cannot be stopped: stop it by hand")
        os.kill(pid, signal.SIGKILL)
        time.sleep(0.1)


def command_line(pid: int) -> str:
    return subprocess.run(["ps", "-ww", "-p", str(pid), "-o", "command="], capture_output=True, text=True).stdout

"""How fast records of the data streams become rows: a backlog drained, and records taken as they come.

- three: one query per data stream, as the notebook runs them
- one: one query over the three data streams
- peers: the usual notebook: three queries that append what they parse, no MERGE and no quarantine

Each shape has a process, a warm-up, a Kinesis and a lake of its own. Rows are made from the real ones, with new keys.
Run it with the Spark environment's Python: ``python -m benchmarks.stream``. Prints a table, then one line of JSON.
"""

from __future__ import annotations

import argparse
import json
import os
import subprocess
import tempfile
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Protocol
from urllib.request import urlopen

import boto3
from pyspark.sql import SparkSession

from benchmarks import INSTALL, ROOT
from benchmarks.real_rows import KEYS, TABLES, USER_ID, real_rows
from benchmarks.shapes import Table, measure_apart
from benchmarks.spark_session import cpu_seconds, peak_mb, spark_session
from benchmarks.usual_notebooks import append
from lab.spark_worker.kinesis_source import KinesisSource
from lab.state import State
from pinterest_lake import stream_tables
from pinterest_lake.stream_job import StreamJob
from pinterest_lake.stream_query import CONFIGURATION, Query
from pinterest_lake.tables import Lake

DATA_STREAMS = {entity: f"streaming-{USER_ID}-{entity}" for entity in TABLES}
SHAPES = ("three", "one", "peers")
WARM_UP = 3_000
PUT = 500
INTERVAL = 5
A_SECOND = 300
COLUMNS = {
    "shape": "<6",
    "records": ">8",
    "seconds": ">8.1f",
    "CPU s": ">6.0f",
    "records/s": ">9.0f",
    "peak MB": ">8.0f",
    "p50 s": ">6.1f",
    "p99 s": ">6.1f",
}
SHOWN = ("records", "seconds", "cpu_seconds", "records_per_second", "peak_mb", "p50_seconds", "p99_seconds")


class Run(Protocol):
    """Take what is there and return, or (``continuous``) go on until that moment."""

    def __call__(self, *, continuous: bool, until: float = 0) -> None: ...


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--records", type=int, default=200_000, help="the backlog over three data streams")
    parser.add_argument("--seconds", type=int, default=120, help="how long records come, after a warm-up as long")
    parser.add_argument("--shapes", nargs="+", choices=SHAPES, default=[*SHAPES])
    parser.add_argument("--measure", choices=SHAPES, help=argparse.SUPPRESS)
    parser.add_argument("--folder", help=argparse.SUPPRESS)
    given = parser.parse_args()
    if given.measure:
        print(json.dumps(measure(given.measure, Path(given.folder), given.records, given.seconds)))
        return
    figures: dict[str, float] = {}
    table = Table(COLUMNS)
    size = ["--records", str(given.records), "--seconds", str(given.seconds)]
    for shape in given.shapes:
        with tempfile.TemporaryDirectory(prefix="bench-stream-") as folder:
            measured = measure_apart("benchmarks.stream", shape, "--folder", folder, *size)
        table.row(shape, *(measured[name] for name in SHOWN))
        figures |= {f"{shape}_{name}": value for name, value in measured.items()}
    print(json.dumps({"benchmark": "stream", "interval_seconds": INTERVAL, **figures}))


def measure(shape: str, folder: Path, records: int, seconds: int) -> dict[str, float]:
    """Warm up, drain the backlog, then take records as they come."""
    each = records // len(DATA_STREAMS)
    with kinesis(folder) as client, spark_session(folder) as base:
        spark = base.newSession()
        spark.dataSource.register(KinesisSource)
        run = RUNS[shape](spark, folder)
        for name in DATA_STREAMS.values():
            client.create_stream(StreamName=name, ShardCount=2)
        for batch in range(3):
            put(client, range(batch * WARM_UP, (batch + 1) * WARM_UP))
            run(continuous=False)
        first = 3 * WARM_UP
        put(client, range(first, first + each))
        began, cpu = time.monotonic(), cpu_seconds(base)
        run(continuous=False)
        took, cpu = time.monotonic() - began, cpu_seconds(base) - cpu
        waits = latencies(spark, client, run, first + each, seconds)
        return {
            "records": each * len(DATA_STREAMS),
            "seconds": round(took, 1),
            "cpu_seconds": round(cpu, 1),
            "records_per_second": round(each * len(DATA_STREAMS) / took),
            "p50_seconds": round(waits[len(waits) // 2], 2),
            "p99_seconds": round(waits[int(len(waits) * 0.99)], 2),
            "live_records": len(waits),
            "peak_mb": round(peak_mb(base)),
        }


def latencies(spark, client, run, first: int, seconds: int) -> list[float]:
    """From put to committed, sorted: of records put one second's worth at a time while the queries run."""
    stop = threading.Event()
    putting = threading.Thread(target=put_for, args=(client, first, 2 * seconds, stop))
    putting.start()
    try:
        since = time.time() + seconds
        run(continuous=True, until=since + seconds + 4 * INTERVAL)
    finally:
        stop.set()
        putting.join()
    return sorted(committed - arrived for arrived, committed in commits(spark) if since <= arrived < since + seconds)


def put_for(client, first: int, seconds: int, stop: threading.Event) -> None:
    each = A_SECOND // len(DATA_STREAMS)
    for second in range(seconds):
        due = time.monotonic() + 1
        put(client, range(first + second * each, first + (second + 1) * each))
        if stop.wait(max(0, due - time.monotonic())):
            return


def commits(spark) -> Iterator[tuple[float, float]]:
    """Arrival and commit of every row, by the time Delta notes with the version that added the row's file."""
    for entity in DATA_STREAMS:
        location = spark.sql(f"DESCRIBE DETAIL {lake_table(entity)}").first().location.removeprefix("file:")
        log = Path(location) / "_delta_log"
        noted = {}
        for commit in sorted(log.glob("*.json")):
            actions = [json.loads(line) for line in commit.read_text().splitlines()]
            moment = next(action["commitInfo"]["timestamp"] for action in actions if "commitInfo" in action) / 1000
            for action in actions:
                if action.get("add", {}).get("dataChange"):
                    noted[action["add"]["path"]] = moment
        for path, moment in noted.items():
            rows = spark.read.parquet(f"{log.parent}/{path}").selectExpr("unix_millis(_arrived_at) / 1000 AS arrived")
            yield from ((float(row.arrived), moment) for row in rows.collect())


def ours(spark, folder: Path, groups: list[list[str]]) -> Run:
    lake = Lake(spark, "spark_catalog", "pinterest")
    stream_tables.create(lake, USER_ID, DATA_STREAMS)
    for name, value in CONFIGURATION.items():
        spark.conf.set(name, value)

    def run(*, continuous: bool, until: float = 0) -> None:
        job = StreamJob(
            lake=lake,
            run_id="bench",
            user_id=USER_ID,
            data_streams=DATA_STREAMS,
            checkpoints=f"file://{folder}/checkpoints",
            region="us-east-1",
            trigger="processing_time" if continuous else "available_now",
            interval_seconds=INTERVAL,
        )
        queries = [Query(job, {entity: DATA_STREAMS[entity] for entity in group}) for group in groups]
        for query in queries:
            query.start()
        wait([query.running for query in queries], until)

    return run


def peers(spark, folder: Path) -> Run:
    def run(*, continuous: bool, until: float = 0) -> None:
        trigger = {"processingTime": f"{INTERVAL} seconds"} if continuous else {"availableNow": True}
        running = [
            append(spark, entity, name, lake_table(entity), checkpoint=f"{folder}/checkpoints/{name}", trigger=trigger)
            for entity, name in DATA_STREAMS.items()
        ]
        wait(running, until)

    spark.sql("CREATE SCHEMA IF NOT EXISTS spark_catalog.pinterest")
    spark.conf.set("spark.sql.streaming.triggerAvailableNowWrapper.enabled", "true")
    return run


def lake_table(entity: str) -> str:
    return f"spark_catalog.pinterest.{stream_tables.stream_table(USER_ID, entity)}"


RUNS: dict[str, Callable[[SparkSession, Path], Run]] = {
    "three": lambda spark, folder: ours(spark, folder, [[entity] for entity in DATA_STREAMS]),
    "one": lambda spark, folder: ours(spark, folder, [[*DATA_STREAMS]]),
    "peers": peers,
}


def wait(queries, until: float) -> None:
    """Until the queries end by themselves, or until that moment."""
    for query in queries:
        if not until:
            query.awaitTermination()
        elif query.awaitTermination(max(1, int(until - time.time()))):
            raise SystemExit("a query ended too early")
    for query in queries:
        query.stop()


@contextmanager
def kinesis(folder: Path):
    """The lab's AWS, on state of its own."""
    state = State.open(folder / "state", INSTALL)
    url = f"http://127.0.0.1:{state.port('aws')}"
    command = [str(INSTALL / "envs" / "ministack" / "bin" / "python"), "-m", "lab.aws.server"]
    environment = {**os.environ, **state.environment(), "PYTHONPATH": str(ROOT)}
    with (
        (folder / "aws.log").open("wb") as log,
        subprocess.Popen(command, cwd=ROOT, env=environment, stdout=log, stderr=log) as process,
    ):
        try:
            await_answer(f"{url}/_lab/health")
            os.environ |= {
                "AWS_ENDPOINT_URL_KINESIS": url,
                "AWS_ACCESS_KEY_ID": "anything",
                "AWS_SECRET_ACCESS_KEY": "anything",
            }
            yield boto3.client("kinesis", region_name="us-east-1")
        finally:
            process.terminate()


def await_answer(url: str) -> None:
    deadline = time.monotonic() + 30
    while True:
        try:
            urlopen(url, timeout=2).close()
            return
        except OSError:
            if time.monotonic() > deadline:
                raise
            time.sleep(0.1)


def put(client, keys: range) -> None:
    """A row of each entity for every key."""
    for entity, name in DATA_STREAMS.items():
        templates = real_rows(entity)
        for start in range(keys.start, keys.stop, PUT):
            records = [
                {
                    "Data": json.dumps(templates[key % len(templates)] | {KEYS[entity]: key}).encode(),
                    "PartitionKey": str(key),
                }
                for key in range(start, min(start + PUT, keys.stop))
            ]
            answer = client.put_records(StreamName=name, Records=records)
            assert answer["FailedRecordCount"] == 0


if __name__ == "__main__":
    main()

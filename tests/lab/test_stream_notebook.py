"""The ``stream`` notebook as the job runs it, on the emulated Kinesis and the lab's Spark: runs, faults, restarts."""

from __future__ import annotations

import json
import shutil
import uuid
from pathlib import Path

import pytest

from include.positions.kinesis import ShardPosition, with_records
from tests.lab.databricks_parts import RUN_DEADLINE
from tests.lab.lab_parts import client, wait_until

SPARK = Path(__file__).parents[2] / "spark"
USER_ID = "0e36c8cd403d"
STREAMS = ("pin", "geo", "user")
COUNTS = ("batches", "records", "inserted", "updated", "superseded", "quarantined")


@pytest.fixture(scope="module")
def kinesis(aws):
    for name in ("databricks_access_key_id", "aws_secret_access_key"):
        aws.secret(name)
    client(aws, "s3").create_bucket(Bucket="stream-bucket")
    return client(aws, "kinesis")


@pytest.fixture(scope="module")
def s3(aws, kinesis):
    return client(aws, "s3")


class Runs:
    """Runs of the notebook over data streams, a schema and checkpoints of their own."""

    def __init__(self, worker, kinesis) -> None:
        self.worker, self.kinesis = worker, kinesis
        self.acknowledged = []
        self.name = f"s{uuid.uuid4().hex[:8]}"
        folder = worker.state.path("workspace", self.name)
        shutil.copytree(SPARK / "pinterest_lake", folder / "pinterest_lake", ignore=shutil.ignore_patterns("__*__"))
        shutil.copy(SPARK / "notebooks" / "stream.py", folder / "stream")
        self.streams = {stream: f"{self.name}-{stream}" for stream in STREAMS}
        for name in self.streams.values():
            kinesis.create_stream(StreamName=name, ShardCount=1)

    def start(self, **parameters):
        given = {
            "run_id": "run",
            "user_id": USER_ID,
            "catalog": "spark_catalog",
            "schema": self.name,
            "storage": "secret_scope",
            "secret_scope": "pinterest",
            "credentials_table": "",
            "region": "us-east-1",
            "data_streams": json.dumps(self.streams),
            "checkpoints": f"s3a://stream-bucket/{self.name}",
            "trigger": "available_now",
            "interval_seconds": "1",
        }
        return self.worker.start(f"/{self.name}/stream", log=f"{self.name}.log", **(given | parameters))

    def run(self, **parameters):
        result = self.worker.result(self.start(**parameters))
        assert result["state"] == "SUCCESS", result["error"]
        self.told = json.loads(result["result"])
        return {stream: tuple(counts[name] for name in COUNTS) for stream, counts in self.told["stream"].items()}

    def put(self, first, count, stream="geo", title="of"):
        """Rows with keys ``first`` to ``first + count``; geo's by default."""
        records = [
            {"Data": json.dumps({"ind": ind, "country": f"{title} {ind}"}).encode(), "PartitionKey": str(ind)}
            for ind in range(first, first + count)
        ]
        for start in range(0, count, 500):
            answer = self.kinesis.put_records(StreamName=self.streams[stream], Records=records[start : start + 500])
            assert answer["FailedRecordCount"] == 0
            self.acknowledged += answer["Records"]

    def progress(self, s3, run_id):
        """Store what has been put since the last time as the progress of a run, and return its address."""
        positions = [ShardPosition(one["ShardId"], int(one["SequenceNumber"])) for one in self.acknowledged]
        ranges = with_records([], positions)
        self.acknowledged = []
        shards = {"geo": [one.model_dump() for one in ranges]}
        key = f"posting/{self.name}/{run_id}.stream.json"
        entities = {stream: {"shards": shards.get(stream, [])} for stream in STREAMS}
        s3.put_object(Bucket="stream-bucket", Key=key, Body=json.dumps({"entities": entities}))
        return f"s3a://stream-bucket/{key}"

    def query(self, statement):
        cell = f"rows = spark.sql({statement.replace('$', self.name)!r}).collect()"
        path = self.worker.write(f"/{self.name}/query", cell, "import json\ndbutils.notebook.exit(json.dumps(rows))")
        result = self.worker.run(path)
        assert result["state"] == "SUCCESS", result["error"]
        return json.loads(result["result"])

    def stored(self):
        table = f"$.`{USER_ID}_geo_table`"
        return self.query(f"SELECT count(*), count(DISTINCT ind), count(DISTINCT _sequence_number) FROM {table}")[0]


@pytest.fixture
def runs(spark_worker, kinesis):
    return Runs(spark_worker, kinesis)


def test_runs_take_what_came_since_the_last_also_across_a_split_and_tell_what_was_committed_of_theirs(runs, s3):
    runs.put(0, 700)
    first = {"run_id": "r1", "progress": runs.progress(s3, "manual__2026-01-01T00:00:00.5+00:00")}
    assert runs.run(**first) == {"pin": (0,) * 6, "geo": (1, 700, 700, 0, 0, 0), "user": (0,) * 6}
    (batch,), (committed,) = runs.told["batches"], runs.told["committed"]
    assert (batch["source"], batch["records"], batch["inserted"]) == (runs.streams["geo"], 700, 700)
    assert (committed["source"], committed["records"]) == (runs.streams["geo"], 700)
    assert runs.run(**first)["geo"] == (0,) * 6
    assert (runs.told["batches"], runs.told["committed"]) == ([batch], [committed])

    runs.put(700, 50)
    stream = runs.streams["geo"]
    shard = runs.kinesis.list_shards(StreamName=stream)["Shards"][0]
    half = str(int(shard["HashKeyRange"]["EndingHashKey"]) // 2)
    runs.kinesis.split_shard(StreamName=stream, ShardToSplit=shard["ShardId"], NewStartingHashKey=half)
    wait_until(
        lambda: (
            runs.kinesis.describe_stream_summary(StreamName=stream)["StreamDescriptionSummary"]["StreamStatus"]
            == "ACTIVE"
        ),
        "the shard is split",
    )
    runs.put(740, 100, title="newer")

    assert runs.run(run_id="r2", progress=runs.progress(s3, "r2"))["geo"] == (1, 150, 140, 0, 10, 0)
    assert [(one["records"], one["superseded"], len(one["shards"])) for one in runs.told["batches"]] == [(150, 10, 3)]
    assert len(runs.told["committed"]) == 3
    assert runs.stored() == [840, 840, 840]
    counted = "SELECT sum(records), sum(size(shards)) FROM $.stream_batches"
    assert runs.query(counted) == [[850, 4]]


def test_a_missing_data_stream_is_named_and_the_others_are_read(runs):
    runs.put(0, 5)
    runs.kinesis.delete_stream(StreamName=runs.streams["pin"])

    result = runs.worker.result(runs.start())

    assert result["state"] == "FAILED"
    assert f"pin: Kinesis has no data stream '{runs.streams['pin']}' in us-east-1" in result["error"]
    assert runs.stored() == [5, 5, 5]


def test_a_continuous_run_takes_rows_until_it_is_cancelled_and_a_second_says_so(runs):
    work = runs.start(trigger="processing_time")
    runs.put(0, 5)
    wait_until(lambda: runs.worker.look(work)["state"] == "RUNNING", "the notebook runs")
    wait_until(lambda: batches(runs), "the first batch is committed", RUN_DEADLINE)

    second = runs.worker.result(runs.start())
    assert second["state"] == "FAILED"
    assert "another query reads" in second["error"]
    assert runs.worker.look(work)["state"] == "RUNNING"

    runs.put(5, 5)
    wait_until(lambda: batches(runs) == 2, "the second batch is committed", RUN_DEADLINE)
    runs.worker.cancel(work)
    assert runs.worker.result(work)["state"] == "CANCELED"
    runs.put(10, 5)
    runs.run()
    assert runs.stored() == [15, 15, 15]
    assert runs.query("SELECT sum(records), sum(inserted) FROM $.stream_batches") == [[15, 15]]


def test_a_worker_killed_in_mid_batch_loses_and_repeats_nothing(runs):
    runs.put(0, 2000)
    work = runs.start(trigger="processing_time")
    log = runs.worker.state.path("lake", "warehouse", f"{runs.name}.db", f"{USER_ID}_geo_table", "_delta_log")
    wait_until((log / f"{1:020}.json").exists, "the first MERGE is committed", RUN_DEADLINE)
    assert runs.worker.look(work)["state"] == "RUNNING"

    runs.worker.part.kill()
    runs.worker.start_again()
    runs.put(2000, 300)
    runs.run()

    assert runs.stored() == [2300, 2300, 2300]
    told = "SELECT sum(records), sum(inserted), sum(superseded) FROM $.stream_batches WHERE stream = 'geo'"
    assert runs.query(told) == [[2300, 2300, 0]]


def batches(runs) -> int:
    """How many there are, without a turn of the worker."""
    log = runs.worker.state.path("lake", "warehouse", f"{runs.name}.db", "stream_batches", "_delta_log")
    return len([*log.glob("*.json")][1:])

"""The stream notebook's share of a run: its parameters, the lake, the data streams and how they may be read."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Literal

from pyspark.sql import SparkSession

from pinterest_lake.storage import keys, open_bucket
from pinterest_lake.tables import Lake

PARAMETERS = {
    "run_id": "",
    "user_id": "",
    "catalog": "hive_metastore",
    "schema": "pinterest",
    "storage": "instance_profile",
    "secret_scope": "pinterest",
    "credentials_table": "/user/hive/warehouse/authentication_credentials",
    "region": "us-east-1",
    "streams": "",
    "checkpoints": "",
    "trigger": "available_now",
    "interval_seconds": "5",
}
NEEDED = ("run_id", "user_id", "streams", "checkpoints")
TRIGGERS = ("available_now", "processing_time")


@dataclass(frozen=True)
class StreamJob:
    """``streams`` are the names of the Kinesis streams, by stream. ``checkpoints`` is the folder that holds one for
    each. ``credentials`` are options of the Kinesis source; none where the cluster may read it already."""

    lake: Lake
    run_id: str
    user_id: str
    streams: Mapping[str, str]
    checkpoints: str
    region: str
    trigger: Literal["available_now", "processing_time"] = "available_now"
    interval_seconds: int = 5
    credentials: Mapping[str, str] = field(default_factory=dict, repr=False)

    @classmethod
    def of_notebook(cls, spark: SparkSession, dbutils: Any) -> StreamJob:
        """Read the notebook's widgets, which the job's parameters fill."""
        for name, default in PARAMETERS.items():
            dbutils.widgets.text(name, default)
        given = {name: dbutils.widgets.get(name) for name in PARAMETERS}
        missing = [name for name in NEEDED if not given[name]]
        if missing:
            raise ValueError(f"notebook parameter {' and '.join(missing)} is empty; start the notebook from the DAG")
        if given["trigger"] not in TRIGGERS:
            raise ValueError(f"notebook parameter trigger: got {given['trigger']!r}, expected {' or '.join(TRIGGERS)}")
        access = {name: given[name] for name in ("secret_scope", "credentials_table")}
        checkpoints = open_bucket(spark, dbutils, given["checkpoints"], mode=given["storage"], **access)
        pair = keys(spark, dbutils, given["storage"], **access)
        return cls(
            lake=Lake(spark, given["catalog"], given["schema"]),
            run_id=given["run_id"],
            user_id=given["user_id"],
            streams=json.loads(given["streams"]),
            checkpoints=checkpoints.rstrip("/"),
            region=given["region"],
            trigger=given["trigger"],
            interval_seconds=int(given["interval_seconds"]),
            credentials=dict(zip(("awsAccessKey", "awsSecretKey"), pair, strict=True)) if pair else {},
        )

"""The stream notebook's share of a run: its parameters, the lake, the data streams and how they may be read."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from pyspark.sql import SparkSession

from pinterest_lake import widgets
from pinterest_lake.contract import TRIGGERS
from pinterest_lake.storage import keys, open_bucket
from pinterest_lake.tables import Lake


@dataclass(frozen=True)
class StreamJob:
    """What the notebook is given.

    ``data_streams`` holds the names of the Kinesis data streams, by entity. ``checkpoints`` is the folder with one
    checkpoint per data stream, each in a folder of its own (``checkpoint_names``, by entity; by default the data
    stream's name). ``trigger`` is ``available_now`` (take what is there and end) or ``processing_time`` (commit every
    ``interval_seconds``, until canceled). ``tables`` has the Delta ids that the tables must have, as far as they are
    known. ``progress`` is the address of what the run has posted; empty if nobody asks what became of it.
    ``credentials`` are options of the Kinesis source; empty if the cluster may read it already.
    """

    lake: Lake
    run_id: str
    user_id: str
    data_streams: Mapping[str, str]
    checkpoints: str
    region: str
    checkpoint_names: Mapping[str, str] = field(default_factory=dict)
    tables: Mapping[str, str] = field(default_factory=dict)
    progress: str = ""
    trigger: str = "available_now"
    interval_seconds: int = 5
    credentials: Mapping[str, str] = field(default_factory=dict, repr=False)

    @classmethod
    def of_notebook(cls, spark: SparkSession, dbutils: Any) -> StreamJob:
        """Read the notebook's widgets, which the job's parameters fill.

        Raises ValueError if a parameter is missing or wrong.
        """
        given = widgets.read(dbutils, "stream")
        if given["trigger"] not in TRIGGERS:
            raise ValueError(f"notebook parameter trigger: got {given['trigger']!r}, expected {' or '.join(TRIGGERS)}")
        access = {name: given[name] for name in ("secret_scope", "credentials_table")}
        checkpoints = open_bucket(spark, dbutils, given["checkpoints"], mode=given["storage"], **access)
        progress = given["progress"] and open_bucket(spark, dbutils, given["progress"], mode=given["storage"], **access)
        credentials = {"serviceCredential": given["service_credential"]}
        if not given["service_credential"]:
            pair = keys(spark, dbutils, given["storage"], **access)
            credentials = dict(zip(("awsAccessKey", "awsSecretKey"), pair, strict=True)) if pair else {}
        return cls(
            lake=Lake(spark, given["catalog"], given["schema"]),
            run_id=given["run_id"],
            user_id=given["user_id"],
            data_streams=json.loads(given["data_streams"]),
            checkpoints=checkpoints.rstrip("/"),
            region=given["region"],
            checkpoint_names=json.loads(given["checkpoint_names"]),
            tables=json.loads(given["tables"]),
            progress=progress,
            trigger=given["trigger"],
            interval_seconds=int(given["interval_seconds"]),
            credentials=credentials,
        )

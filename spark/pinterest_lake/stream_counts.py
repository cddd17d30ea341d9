"""What ``stream_batches`` holds of a run, read from the table as it is stored once the run's queries have ended.

Airflow counts a run by it, and so needs nothing else on Databricks that reads tables.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from pyspark.sql import Column, Row, SparkSession
from pyspark.sql import functions as F

from pinterest_lake.contract import SEQUENCE_NUMBER_DIGITS
from pinterest_lake.session_settings import interpreted
from pinterest_lake.stream_job import StreamJob
from pinterest_lake.stream_tables import BATCHES
from pinterest_lake.tables import Lake

FIGURES = ("records", "inserted", "updated", "superseded", "quarantined")

type Ranges = Mapping[str, Sequence[Mapping[str, str]]]
"""By data stream: ``shard_id`` of a shard, ``first`` and ``last`` sequence number of a run's records in it."""


class ProgressError(ValueError):
    """The address or the content of a run's posting progress is not what posting writes."""


def of_notebook(job: StreamJob) -> dict[str, list[dict[str, Any]]]:
    """:func:`of_run` for the run that the job is started for; nothing if it is not told what that run has posted."""
    if not job.progress:
        return {}
    return of_run(job.lake, job.run_id, read_ranges(job.lake.spark, job.progress, job.data_streams))


def read_ranges(spark: SparkSession, uri: str, data_streams: Mapping[str, str]) -> Ranges:
    """What a run has put into the data streams, which are by entity, from its posting progress.

    Raises ProgressError if that is not what posting writes.
    """
    text = spark.read.text(uri, wholetext=True).first()
    again = "run the stage posting_stream again"
    try:
        entities = json.loads(text.value if text else "")["entities"]
        return {
            name: [{key: one[key] for key in ("shard_id", "first", "last")} for one in entities[entity]["shards"]]
            for entity, name in data_streams.items()
        }
    except (KeyError, TypeError) as error:
        raise ProgressError(f"posting progress {uri!r}: {error} is missing; {again}") from error
    except ValueError as error:
        raise ProgressError(f"posting progress {uri!r} is not JSON: {error}; {again}") from error


def of_run(lake: Lake, run_id: str, posted: Ranges) -> dict[str, list[dict[str, Any]]]:
    """``batches``: those that hold any record of these ranges or that the run has committed, consecutive ones as one.
    ``committed``: how far every shard of the ranges has been committed, by whichever run.

    Both are as long as the run has shards, and gaps between its batches; not as long as it took.
    """
    with interpreted(lake.spark):
        return {"batches": folded(_batches(lake, run_id, posted)), "committed": _committed(lake, posted)}


def folded(rows: Iterable[Row]) -> list[dict[str, Any]]:
    """The rows in order, with each series of consecutive batches of one query and one run as one of ``batches``.

    There is nothing between two consecutive batches: together they hold what is between their lowest and highest
    sequence number of a shard.
    """
    done: list[dict[str, Any]] = []
    for row in rows:
        batch = {**row.asDict(recursive=True), "batches": 1}
        if done and _follows(done[-1], batch):
            _add(done[-1], batch)
        else:
            done.append(batch)
    return done


def _follows(before: Mapping[str, Any], batch: Mapping[str, Any]) -> bool:
    same = all(before[name] == batch[name] for name in ("source", "query_id", "run_id"))
    return same and bool(before["batch_id"] + before["batches"] == batch["batch_id"])


def _add(before: dict[str, Any], batch: Mapping[str, Any]) -> None:
    before["batches"] += 1
    for name in FIGURES:
        before[name] += batch[name]
    shards = {shard["shard_id"]: shard for shard in before["shards"]}
    for shard in batch["shards"]:
        known = shards.setdefault(shard["shard_id"], shard)
        if known is not shard:
            known["first"] = min(known["first"], shard["first"], key=int)
            known["last"] = max(known["last"], shard["last"], key=int)
            known["records"] += shard["records"]
    before["shards"] = [shards[shard_id] for shard_id in sorted(shards)]


def _batches(lake: Lake, run_id: str, posted: Ranges) -> list[Row]:
    chosen = F.lit(False)
    for data_stream, ranges in posted.items():
        held = F.col("run_id") == run_id
        for one in ranges:
            held |= _hold_any(one)
        chosen |= (F.col("source") == data_stream) & held
    columns = ("source", "query_id", "batch_id", *FIGURES, "shards", "run_id")
    return lake.table(BATCHES).where(chosen).select(*columns).orderBy("source", "query_id", "batch_id").collect()


def _hold_any(one: Mapping[str, str]) -> Column:
    """Whether a batch's shards may hold a record of this range."""
    first, last = (one[name].zfill(SEQUENCE_NUMBER_DIGITS) for name in ("first", "last"))
    return F.exists(
        "shards",
        lambda shard: (
            (shard["shard_id"] == one["shard_id"])
            & (_number(shard["last"]) >= first)
            & (_number(shard["first"]) <= last)
        ),
    )


def _committed(lake: Lake, posted: Ranges) -> list[dict[str, Any]]:
    places = [f"{data_stream}/{one['shard_id']}" for data_stream, ranges in posted.items() for one in ranges]
    shards = lake.table(BATCHES).select("source", "committed_at", F.explode("shards").alias("shard"))
    of_shard = (
        shards.where(F.concat_ws("/", "source", "shard.shard_id").isin(places))
        .groupBy("source", "shard.shard_id")
        .agg(
            F.max(_number(F.col("shard.last"))).alias("last"),
            F.sum("shard.records").alias("records"),
            F.max(F.unix_millis("committed_at")).alias("at"),
        )
    )
    return [row.asDict() for row in of_shard.orderBy("source", "shard_id").collect()]


def _number(text: Column) -> Column:
    """A sequence number, which is text, so that texts are in the order of the numbers."""
    return F.lpad(text, SEQUENCE_NUMBER_DIGITS, "0")

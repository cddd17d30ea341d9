"""One micro-batch into the lake, once, however often it is tried.

The order of the commits ensures it: new rows, rows whose keys are stored (the greater sequence number wins),
quarantine, then the batch's own row in ``stream_batches``. Spark repeats a batch until all of them are done: a second
try finds nothing left to merge, the table's history says what the first one merged, and the appends recognize their
batch by its number. New rows have a commit of their own because an append costs half as much as a MERGE.
"""

from __future__ import annotations

from collections.abc import Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from datetime import UTC
from typing import Any, cast

from pyspark import inheritable_thread_target
from pyspark.sql import DataFrame, Row
from pyspark.sql import functions as F
from pyspark.sql.types import StructType

from pinterest_lake.conflicts import committed
from pinterest_lake.contract import SEQUENCE_NUMBER_DIGITS
from pinterest_lake.quarantine import entries
from pinterest_lake.schemas import STREAM_BATCHES, STREAM_LINEAGE, VALUES
from pinterest_lake.stream_records import in_order, ranked, refusals
from pinterest_lake.stream_tables import BATCHES, stream_table
from pinterest_lake.tables import QUARANTINED, Lake

COMMIT_MARK = "spark.databricks.delta.commitInfo.userMetadata"
SAME_RECORD = """
    stored.stream = '{entity}' AND stored.stream = row.stream AND stored.offset IS NULL
    AND stored.topic = row.topic AND stored.object = row.object
"""
IS_NEWER = f"""
    lpad(row._sequence_number, {SEQUENCE_NUMBER_DIGITS}, '0')
    > lpad(stored._sequence_number, {SEQUENCE_NUMBER_DIGITS}, '0')
"""


@dataclass(frozen=True)
class Batch:
    """A micro-batch of a streaming query. ``data_streams`` holds the names of the data streams it reads, by entity.
    ``may_be_replayed``: an earlier run may have tried it, and committed a part. ``may_be_known``: another query, with
    an earlier checkpoint, may have read the same records."""

    lake: Lake
    user_id: str
    run_id: str
    data_streams: Mapping[str, str]
    query_id: str
    number: int
    may_be_replayed: bool
    may_be_known: bool = False

    @property
    def mark(self) -> str:
        return f"stream batch {self.number} of {self.query_id}"


@dataclass(frozen=True)
class Figures:
    """What became of a batch's records of one entity: each is in exactly one of the last four."""

    records: int
    inserted: int
    updated: int
    superseded: int
    quarantined: int


def store(batch: Batch, rows: Mapping[str, DataFrame]) -> dict[str, Figures]:
    """Write the batch's cleaned records, given by entity; return what became of them, by entity. An entity without
    records is left out. Trying the batch again changes nothing and returns the same."""
    lake = batch.lake
    lake.spark.conf.set(COMMIT_MARK, batch.mark)
    if len(rows) == 1:
        done = [_store_entity(batch, entity, rows[entity]) for entity in rows]
    else:
        in_thread = inheritable_thread_target(lambda entity: _store_entity(batch, entity, rows[entity]))
        with ThreadPoolExecutor(len(rows)) as pool:
            done = [*pool.map(in_thread, rows)]
    told = [row for row in done if row is not None]
    if told:
        described = lake.rows(told, STREAM_BATCHES).withColumn("committed_at", F.current_timestamp())
        _append_once(batch, described, BATCHES, writer=batch.query_id)
    names = Figures.__dataclass_fields__
    return {row["stream"]: Figures(**{name: row[name] for name in names}) for row in told}


def _store_entity(batch: Batch, entity: str, cleaned: DataFrame) -> dict[str, Any] | None:
    data_stream = batch.data_streams[entity]
    rows = ranked(cleaned).localCheckpoint(eager=False)
    shards = _by_shard(rows)
    if not shards:
        return None
    valid = sum(shard.valid for shard in shards)
    records_in = sum(shard.records for shard in shards)
    inserted, updated = _keep_newest(batch, rows, entity, shards) if valid else (0, 0)
    if records_in > valid:
        refused = entries(refusals(rows, entity, data_stream), entity, batch.run_id)
        if batch.may_be_known:
            batch.lake.insert_missing(QUARANTINED, refused, on=SAME_RECORD.format(entity=entity))
        else:
            _append_once(batch, refused, QUARANTINED, writer=f"{batch.query_id}/{entity}")
    return {
        "stream": entity,
        "source": data_stream,
        "query_id": batch.query_id,
        "batch_id": batch.number,
        "records": records_in,
        "inserted": inserted,
        "updated": updated,
        "superseded": valid - inserted - updated,
        "quarantined": records_in - valid,
        "shards": [
            {"shard_id": shard._shard_id, "first": shard.first, "last": shard.last, "records": shard.records}
            for shard in shards
        ],
        "last_arrival": max(shard.last_arrival for shard in shards).astimezone(UTC).isoformat(),
        "run_id": batch.run_id,
        "committed_at": None,
    }


def _by_shard(rows: DataFrame) -> list[Row]:
    number = in_order("_sequence_number")
    of_shard = rows.groupBy("_shard_id").agg(
        F.count("*").alias("records"),
        F.count_if("_valid").alias("valid"),
        F.count_if("_newest").alias("newest"),
        F.min_by("_sequence_number", number).alias("first"),
        F.max_by("_sequence_number", number).alias("last"),
        F.max("_arrived_at").alias("last_arrival"),
        F.min("ind").alias("lowest"),
        F.max("ind").alias("highest"),
    )
    return sorted(of_shard.collect(), key=lambda shard: shard._shard_id)


def _keep_newest(batch: Batch, rows: DataFrame, entity: str, shards: list[Row]) -> tuple[int, int]:
    """How many rows the batch has inserted, and how many updated, in all its tries: its commits tell."""
    table = stream_table(batch.user_id, entity)
    lake = batch.lake
    lowest = min(shard.lowest for shard in shards if shard.valid)
    highest = max(shard.highest for shard in shards if shard.valid)
    same_key = f"stored.ind = row.ind AND stored.ind BETWEEN {lowest} AND {highest}"
    columns = StructType.fromDDL(f"{VALUES[entity]}, {STREAM_LINEAGE}")
    newest = rows.where("_newest").select(*cast("StructType", columns).names)
    inserted = lake.insert_missing(table, newest, same_key, mark=batch.mark)
    updated = _updated_before(batch, table) if batch.may_be_replayed else 0
    if inserted < sum(shard.newest for shard in shards):
        updated += lake.update(table, newest, same_key, when=IS_NEWER)
    return inserted, updated


def _updated_before(batch: Batch, table: str) -> int:
    """What an earlier try of this batch updated before it was cut short."""
    return sum(int(metrics["numTargetRowsUpdated"]) for metrics in batch.lake.commits(table, "MERGE", batch.mark))


def _append_once(batch: Batch, rows: DataFrame, table: str, *, writer: str) -> None:
    """Append, unless ``writer`` has already appended this batch or a later one."""
    once = {"txnAppId": writer, "txnVersion": str(batch.number)}
    append = rows.write.format("delta").mode("append").options(**once)
    committed(lambda: append.saveAsTable(batch.lake.name(table)))

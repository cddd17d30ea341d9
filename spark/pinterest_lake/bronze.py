"""Load: the records in a run's S3 objects into bronze, once per (topic, partition, offset)."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from itertools import pairwise
from typing import Any

from pyspark.sql import DataFrame
from pyspark.sql import functions as F

from pinterest_lake.manifest import Held, Landed, LandedObject, Manifest, PartitionRange
from pinterest_lake.quarantine import dead_letters, quarantine
from pinterest_lake.records import positioned
from pinterest_lake.refusals import unreadable
from pinterest_lake.tables import Lake, bronze_table

POSITION = ["topic", "partition", "offset"]
OBJECTS = "file STRING, object STRING, first BIGINT, last BIGINT"


def load_all(lake: Lake, manifest: Manifest, run_id: str) -> dict[str, dict[str, Any]]:
    """Load every entity of the manifest, side by side; return counts by entity."""
    with ThreadPoolExecutor(len(manifest.topics)) as pool:
        return dict(pool.map(lambda entity: (entity, load(lake, manifest, entity, run_id)), manifest.topics))


def load(lake: Lake, manifest: Manifest, entity: str, run_id: str) -> dict[str, Any]:
    """Store one entity's lines; return what bronze holds of this run afterwards, and which part of it is new.

    A line belongs to the run by its offset, not by its object, which may have been rewritten since the manifest.
    A rerun stores nothing twice.
    """
    landed = manifest.topics[entity]
    inserted = _store(lake, manifest, entity, run_id) if landed.objects else 0
    # One row per position: if the commit inserted as many rows as the run has positions, the table need not be read.
    is_whole = inserted == landed.size and not landed.has_empty
    stored = landed.whole if is_whole else _stored(lake, landed, entity)
    records_in = sum(held.lines for held in stored)
    return {
        "records_in": records_in,
        "inserted": inserted,
        "already_stored": records_in - inserted,
        "first": _positions({held.partition: held.first for held in stored}),
        "last": _positions({held.partition: held.last for held in stored}),
        "quarantined": _quarantine(lake, manifest, entity, run_id, records_in),
    }


def bookmark(manifest: Manifest) -> dict[str, dict[str, dict[str, Any]]]:
    """Where the next run's listing starts now that this run is stored, by topic and partition."""
    return {
        landed.topic: {
            str(one.partition): {"next_offset": one.stop, "object": _last_object(one)} for one in landed.ranges
        }
        for landed in manifest.topics.values()
    }


def _store(lake: Lake, manifest: Manifest, entity: str, run_id: str) -> int:
    landed = manifest.topics[entity]
    lines = landed.relabeled(positioned(_lines(lake, manifest, landed.objects), entity))
    held = lines.where(landed.held & F.col("offset").between(F.col("first"), F.col("last")))
    if _may_repeat(landed):
        held = held.dropDuplicates(POSITION)
    rows = held.select(
        *POSITION,
        "kafka_time",
        "ind",
        "object",
        "record",
        "raw",
        F.current_timestamp().alias("ingested_at"),
        F.lit(run_id).alias("run_id"),
    )
    first = min(one.start for one in landed.ranges)
    last = max(one.stop for one in landed.ranges) - 1
    return lake.insert_missing(
        bronze_table(entity),
        rows,
        on=f"""
            stored.topic = row.topic AND stored.partition = row.partition AND stored.offset = row.offset
            AND stored.offset BETWEEN {first} AND {last}
        """,
    )


def _lines(lake: Lake, manifest: Manifest, objects: tuple[LandedObject, ...]) -> DataFrame:
    """Every line of the objects, with the object's key and the offsets it held when it was listed.

    Only a line feed ends a line: a title may contain a carriage return or U+2028.
    """
    text = lake.spark.read.text([manifest.uri(landed.key) for landed in objects], lineSep="\n")
    listed = [
        {
            "file": landed.file_name,
            "object": landed.key,
            "first": landed.first_offset,
            "last": landed.last_offset,
        }
        for landed in objects
    ]
    return (
        text.select(F.col("value").alias("line"), F.col("_metadata.file_name").alias("file"))
        .where(F.col("line") != "")
        .join(F.broadcast(lake.rows(listed, OBJECTS)), "file")
        .drop("file")
    )


def _may_repeat(landed: Landed) -> bool:
    """Whether two lines may have one offset: objects overlap, or do not hold exactly one line per offset."""
    for one in landed.ranges:
        objects = sorted(one.objects, key=lambda landed: landed.first_offset)
        if any(landed.lines != landed.last_offset - landed.first_offset + 1 for landed in objects):
            return True
        if any(earlier.last_offset >= later.first_offset for earlier, later in pairwise(objects)):
            return True
    return False


def _stored(lake: Lake, landed: Landed, entity: str) -> list[Held]:
    """What bronze holds of the run."""
    held = lake.table(bronze_table(entity)).where(landed.held)
    span = F.min("offset").alias("first"), F.max("offset").alias("last")
    rows = held.groupBy("partition").agg(F.count("*").alias("lines"), *span).orderBy("partition").collect()
    return [Held(row.partition, row.lines, row.first, row.last) for row in rows]


def _quarantine(lake: Lake, manifest: Manifest, entity: str, run_id: str, stored: int) -> int:
    """Keep dead letters and lines without a position; return how many this run has, new or not.

    Only an object whose lines are not all in bronze can contain such a line.
    """
    count = 0
    suspects = _not_fully_stored(lake, manifest.topics[entity], entity, stored)
    if suspects:
        broken = positioned(_lines(lake, manifest, suspects), entity).where(F.col("offset").isNull()).persist()
        count += broken.count()
        quarantine(lake, unreadable(broken), entity, run_id)
        broken.unpersist()
    if manifest.dead_letters:
        letters = (
            manifest.topics[entity].relabeled(dead_letters(lake, manifest, manifest.dead_letters, entity)).persist()
        )
        count += letters.count()
        quarantine(lake, letters, entity, run_id)
        letters.unpersist()
    return count


def _not_fully_stored(lake: Lake, landed: Landed, entity: str, stored: int) -> tuple[LandedObject, ...]:
    if stored == sum(listed.lines for listed in landed.objects):
        return ()
    held = lake.table(bronze_table(entity)).where(landed.held)
    lines = {row.object: row["count"] for row in held.groupBy("object").count().collect()}
    return tuple(listed for listed in landed.objects if lines.get(listed.key, 0) != listed.lines)


def _positions(offsets: dict[int, int]) -> str | None:
    """The first or last offset of every partition: ``p0@12 p1@7``."""
    return " ".join(f"p{partition}@{offset}" for partition, offset in offsets.items()) or None


def _last_object(covered: PartitionRange) -> str | None:
    return max(covered.objects, key=lambda landed: landed.first_offset).key if covered.objects else None

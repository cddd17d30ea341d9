"""Refused records, kept whole: nothing that was sent is lost, and each position is kept once."""

from __future__ import annotations

from pyspark.sql import DataFrame
from pyspark.sql import functions as F

from pinterest_lake.manifest import Manifest
from pinterest_lake.records import as_text
from pinterest_lake.tables import QUARANTINED, Lake

DEAD_LETTER = """
    entity STRING, stream STRING, topic STRING, partition INT, offset BIGINT, reason STRING, message STRING,
    raw_base64 STRING
"""


def quarantine(lake: Lake, refused: DataFrame, entity: str, run_id: str) -> None:
    """Keep records (topic, partition, offset, object, raw, reason, message) that are not there yet.

    A record is identified by its position; without a readable one, by its object and text.
    """
    rows = entries(refused, entity, run_id).dropDuplicates(["topic", "partition", "offset", "object", "raw"])
    lake.insert_missing(
        QUARANTINED,
        rows,
        on=f"""
            stored.stream = '{entity}' AND stored.stream = row.stream AND stored.topic <=> row.topic
            AND stored.partition <=> row.partition AND stored.offset <=> row.offset
            AND (row.offset IS NOT NULL OR (stored.object = row.object AND stored.raw = row.raw))
        """,
    )


def entries(refused: DataFrame, entity: str, run_id: str) -> DataFrame:
    """Refused records as rows of the table."""
    return refused.select(
        F.lit(entity).alias("stream"),
        "topic",
        "partition",
        "offset",
        "object",
        "raw",
        "reason",
        "message",
        F.current_timestamp().alias("first_seen"),
        F.lit(0).alias("replays"),
        F.lit(run_id).alias("run_id"),
    )


def dead_letters(lake: Lake, manifest: Manifest, key: str, entity: str) -> DataFrame:
    """This entity's records that the S3 sink could not take, as the landing stage left them in the object ``key``.

    Landing once called the entity ``stream``: files of earlier runs are read, too.
    """
    letters = lake.spark.read.schema(DEAD_LETTER).json(manifest.uri(key))
    return letters.where(F.coalesce("entity", "stream") == entity).select(
        "topic",
        "partition",
        "offset",
        F.lit(key).alias("object"),
        as_text(F.unbase64("raw_base64")).alias("raw"),
        "reason",
        "message",
    )

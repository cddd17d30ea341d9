"""Records of a data stream, as Spark's Kinesis source gives them, through the batch's own parsing and cleaning.

Every record stays, one row each: what may not pass has no values, but its text.
"""

from __future__ import annotations

from pyspark.sql import Column, DataFrame, Window
from pyspark.sql import functions as F

from pinterest_lake.cleaning import CLEAN
from pinterest_lake.records import as_text, is_valid, parsed
from pinterest_lake.refusals import explained
from pinterest_lake.schemas import SOURCES

POSITION = {
    "shardId": "_shard_id",
    "sequenceNumber": "_sequence_number",
    "approximateArrivalTimestamp": "_arrived_at",
}
DIGITS = 64  # a sequence number has 56 digits at most; texts of one length sort as the numbers they say


def cleaned(records: DataFrame, stream: str) -> DataFrame:
    """The columns of the stream's table, and ``_valid``, ``_refused`` (the text of a record that is not valid).

    It holds for a stream as for a batch of it. Done on the stream, Spark analyses these many columns once, and not for
    every batch.
    """
    position = [F.col(name).alias(column) for name, column in POSITION.items()]
    lines = parsed(records.select(*position, as_text(F.col("data")).alias("raw")), stream)
    key = SOURCES[stream].key
    judged = lines.withColumn("_valid", is_valid(stream)).withColumn(key, F.when(F.col("_valid"), F.col(key)))
    refused = F.when(~F.col("_valid"), F.col("raw")).alias("_refused")
    return CLEAN[stream](judged, keep=(*POSITION.values(), "_valid", refused))


def ranked(rows: DataFrame) -> DataFrame:
    """Cleaned records with ``_newest``: true for the one of each ``ind`` that counts."""
    latest_first = Window.partitionBy("ind").orderBy(in_order("_sequence_number").desc())
    return rows.withColumn("_newest", F.col("_valid") & (F.row_number().over(latest_first) == 1))


def refusals(rows: DataFrame, stream: str, source: str) -> DataFrame:
    """What ``quarantine`` keeps of the cleaned records that may not pass."""
    refused = rows.where("NOT _valid").select(*POSITION.values(), F.col("_refused").alias("raw"))
    return explained(parsed(refused, stream), stream).select(
        F.lit(source).alias("topic"),
        F.lit(None).cast("int").alias("partition"),
        F.lit(None).cast("bigint").alias("offset"),
        F.concat("_shard_id", F.lit("@"), "_sequence_number").alias("object"),
        "raw",
        "reason",
        "message",
    )


def in_order(sequence_number: str) -> Column:
    """Sequence numbers as texts that sort as numbers do. A key's later record has the greater one, also after its
    shard was split or merged."""
    return F.lpad(sequence_number, DIGITS, "0")

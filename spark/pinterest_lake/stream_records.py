"""Records of a data stream, as Spark's Kinesis source gives them, through the batch's own reading and cleaning.

Every record stays, one row each: a refused one has no values, only itself.
"""

from __future__ import annotations

from pyspark.sql import Column, DataFrame, Window
from pyspark.sql import functions as F

from pinterest_lake.cleaning import CLEAN
from pinterest_lake.contract import SEQUENCE_NUMBER_DIGITS
from pinterest_lake.records import as_text, read, with_record
from pinterest_lake.refusals import explained, is_valid
from pinterest_lake.schemas import FIELDS

POSITION = {
    "shardId": "_shard_id",
    "sequenceNumber": "_sequence_number",
    "approximateArrivalTimestamp": "_arrived_at",
}
REFUSED = {"record": "_record", "raw": "_raw"}


def cleaned(records: DataFrame, entity: str) -> DataFrame:
    """The columns of the entity's stream table, then ``_valid``, and of a refused record itself
    (``_record`` and ``_raw``).

    Works on a stream as on a batch. Applied to the stream, Spark analyzes these many columns once, not for every batch.
    """
    position = [F.col(name).alias(column) for name, column in POSITION.items()]
    texts = records.select(*position, as_text(F.col("data")).alias("raw"))
    lines = read(with_record(texts), entity)
    key = FIELDS[entity].key
    judged = lines.withColumn("_valid", is_valid(entity)).withColumn(key, F.when(F.col("_valid"), F.col(key)))
    refused = [F.when(~F.col("_valid"), F.col(name)).alias(column) for name, column in REFUSED.items()]
    return CLEAN[entity](judged, keep=(*POSITION.values(), "_valid", *refused))


def ranked(rows: DataFrame) -> DataFrame:
    """Cleaned records with ``_newest``: true for the one record of each ``ind`` that counts."""
    latest_first = Window.partitionBy("ind").orderBy(in_order("_sequence_number").desc())
    return rows.withColumn("_newest", F.col("_valid") & (F.row_number().over(latest_first) == 1))


def refusals(rows: DataFrame, entity: str, data_stream: str) -> DataFrame:
    """What ``quarantine`` keeps of the refused ones among cleaned records."""
    itself = [F.col(column).alias(name) for name, column in REFUSED.items()]
    refused = rows.where("NOT _valid").select(*POSITION.values(), *itself)
    return explained(read(refused, entity), entity).select(
        F.lit(data_stream).alias("topic"),
        F.lit(None).cast("int").alias("partition"),
        F.lit(None).cast("bigint").alias("offset"),
        F.concat("_shard_id", F.lit("@"), "_sequence_number").alias("object"),
        "raw",
        "reason",
        "message",
    )


def in_order(sequence_number: str) -> Column:
    """Sequence numbers as texts of one length (they have 56 digits at most), which sort as the numbers do.

    A key's later record has the greater number, even after its shard was split or merged.
    """
    return F.lpad(sequence_number, SEQUENCE_NUMBER_DIGITS, "0")

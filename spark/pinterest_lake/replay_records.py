"""Which records of the batch route count, and what silver would say of them.

Bronze holds every record as it was sent. Those that quarantine holds, too, count by what quarantine says of them: a
refused one does not, a released one does, with its correction if it has one.
"""

from __future__ import annotations

from pyspark.sql import Column, DataFrame
from pyspark.sql import functions as F

from pinterest_lake.conflicts import committed
from pinterest_lake.records import with_record
from pinterest_lake.replay_choice import position
from pinterest_lake.schemas import BRONZE, QUARANTINE
from pinterest_lake.silver import IS_NEWER, cleaned
from pinterest_lake.tables import QUARANTINED, Lake, bronze_table, columns_of, silver_table

PLACE = ["topic", "partition", "offset"]
SAME_PLACE = """
    stored._topic <=> row._topic AND stored._partition <=> row._partition AND stored._offset <=> row._offset
"""
NOT_OLDER = f"(({IS_NEWER}) OR ({SAME_PLACE}))"
AS_SEEN = """
    stored._topic <=> row._seen_topic AND stored._partition <=> row._seen_partition
    AND stored._offset <=> row._seen_offset AND stored._run_id <=> row._seen_run_id
"""
"""Nobody has written the stored row since it was compared."""


def quarantined(lake: Lake, entity: str) -> DataFrame:
    """This entity's rows of quarantine, with their ``position``; none if there is no such table. A table of an earlier
    version knows no released ones."""
    if not lake.exists(QUARANTINED):
        return lake.rows([], QUARANTINE).withColumn("position", position())
    rows = lake.table(QUARANTINED).where(F.col("stream") == entity)
    there = {name.lower() for name in rows.columns}
    for name, of in columns_of(QUARANTINE).items():
        if name not in there:
            rows = rows.withColumn(name, F.lit(None).cast(of))
    return rows.withColumn("position", position())


def is_of_kafka() -> Column:
    return F.col("offset").isNotNull() & F.col("topic").isNotNull()


def bronze(lake: Lake, entity: str) -> DataFrame:
    """Bronze, as today's version makes it; no line, if there is none."""
    table = bronze_table(entity)
    if not lake.exists(table):
        return lake.rows([], BRONZE)
    lines = lake.table(table)
    return lines if "record" in lines.columns else with_record(lines)


def convert(lake: Lake, table: str) -> None:
    """Give a bronze table of an earlier version, which holds every record as text, today's columns, in one commit. Its
    rows, and what somebody has added to them, stay."""
    columns = [*dict.fromkeys((*columns_of(BRONZE), *lake.table(table).columns))]

    def commit() -> None:
        rows = with_record(lake.table(table)).select(*columns)
        rows.write.format("delta").mode("overwrite").option("overwriteSchema", "true").saveAsTable(lake.name(table))

    committed(commit)


def as_lines(lake: Lake, entity: str, rows: DataFrame) -> DataFrame:
    """Rows of quarantine (topic, partition, offset, ``text``) as lines of bronze. When Kafka took them, bronze knows,
    unless they are dead letters."""
    ends = rows.agg(F.min("offset").alias("first"), F.max("offset").alias("last")).first()
    first, last = (0, -1) if ends is None or ends.first is None else (ends.first, ends.last)
    known = bronze(lake, entity).where(F.col("offset").between(first, last)).select(*PLACE, "kafka_time")
    kept = [name for name in rows.columns if name not in (*PLACE, "kafka_time", "raw", "text")]
    return with_record(rows.join(known, PLACE, "left").select(*PLACE, "kafka_time", F.col("text").alias("raw"), *kept))


def differs(rows: DataFrame, *also: str) -> Column:
    """Whether ``row`` says something else than ``stored``."""
    values = [name for name in rows.columns if not name.startswith("_")]
    return F.struct(*(F.col(f"row.{name}") for name in (*values, *also))) != F.struct(
        *(F.col(f"stored.{name}") for name in (*values, *also))
    )


def seen() -> list[Column]:
    """Whether there is a stored row, and the place and run of the one that a row was compared with."""
    places = [F.col(f"stored._{name}").alias(f"_seen_{name}") for name in ("topic", "partition", "offset", "run_id")]
    return [F.col("stored.ind").isNotNull().alias("_seen"), *places]


def silver(lake: Lake, entity: str) -> DataFrame:
    """Silver as it is, with ``_rules`` also where an earlier version has made it; empty if there is none."""
    table = silver_table(entity)
    if not lake.exists(table):
        return cleaned(bronze(lake, entity).limit(0), entity, "")
    stored = lake.table(table)
    return stored if "_rules" in stored.columns else stored.withColumn("_rules", F.lit(None).cast("int"))

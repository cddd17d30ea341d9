"""Clean: this run's bronze lines into silver, one row per ``ind``."""

from __future__ import annotations

from pyspark.sql import DataFrame, Window
from pyspark.sql import functions as F

from pinterest_lake.cleaning import CLEAN
from pinterest_lake.contract import RULES
from pinterest_lake.manifest import Landed
from pinterest_lake.quarantine import quarantine
from pinterest_lake.records import read
from pinterest_lake.refusals import explained, is_valid
from pinterest_lake.schemas import LARGEST_IND
from pinterest_lake.session_settings import MANY
from pinterest_lake.tables import Lake, bronze_table, silver_table

LINEAGE = {"topic": "_topic", "partition": "_partition", "offset": "_offset", "kafka_time": "_kafka_time"}

IS_NEWER = """
    CASE WHEN row._topic = stored._topic AND row._partition = stored._partition THEN row._offset > stored._offset
    ELSE struct(row._kafka_time, row._offset) > struct(stored._kafka_time, stored._offset) END
"""


def refresh(lake: Lake, landed: Landed, entity: str, run_id: str) -> dict[str, int]:
    """Bring silver up to date with one run; return how many of its lines added a row, replaced one, changed nothing,
    or were refused.

    Of several lines with one ``ind``, the latest counts. A line whose values are already stored writes nothing, and a
    run that is cleaned after a later one undoes nothing. A rerun changes nothing.
    """
    table = silver_table(entity)
    lines = lake.table(bronze_table(entity)).where(landed.held)
    ind = F.when(F.col("ind").between(0, LARGEST_IND), F.col("ind"))
    (keys,) = lines.agg(
        F.count("*").alias("records"),
        F.count(ind).alias("keyed"),
        F.count_distinct(ind).alias("distinct"),
        F.coalesce(F.min(ind), F.lit(0)).alias("lowest"),
        F.coalesce(F.max(ind), F.lit(0)).alias("highest"),
    ).collect()
    near = F.col("ind").between(keys.lowest, keys.highest)
    same_ind = f"stored.ind = row.ind AND stored.ind BETWEEN {keys.lowest} AND {keys.highest}"

    rows = cleaned(lines, entity, run_id)
    inserted = updated = passed = 0
    if keys.keyed == keys.distinct and lake.table(table).where(near).isEmpty():
        passed = inserted = lake.insert_missing(table, rows, on=same_ind)
    if passed < keys.records:  # keys are stored, some records are refused, or another run was faster
        rows = _computed(rows, keys.records)
        passed = rows.count()
    if inserted < passed:
        stored = lake.table(table).where(near)
        followers = _followers(lake, landed, entity, run_id)
        changes = _computed(_changes(newest(rows), stored, followers), keys.records)
        more, updated = (0, 0) if changes.isEmpty() else lake.upsert(table, changes, same_ind, when=IS_NEWER)
        inserted += more
        changes.unpersist()
    rows.unpersist()

    if keys.records > passed:
        refused = read(lines, entity).where(~is_valid(entity))
        quarantine(lake, explained(refused, entity), entity, run_id)
    return {
        "records_in": keys.records,
        "inserted": inserted,
        "updated": updated,
        "duplicates": passed - inserted - updated,
        "quarantined": keys.records - passed,
        "rows": lake.table(table).count(),
        "of_earlier_rules": of_earlier_rules(lake, entity),
    }


def _computed(rows: DataFrame, at_most: int) -> DataFrame:
    """The rows, computed once. Few are cut off from their plan, which costs more than they do and is optimized again by
    each query on them; many can be computed again, should an executor be lost."""
    return rows.localCheckpoint() if at_most < MANY else rows.persist()


def of_earlier_rules(lake: Lake, entity: str) -> int:
    """How many rows of silver were made with rules of an earlier version."""
    stored = lake.table(silver_table(entity))
    if "_rules" not in stored.columns:
        return stored.count()
    return stored.where(F.col("_rules").isNull() | (F.col("_rules") < RULES)).count()


def newest(rows: DataFrame) -> DataFrame:
    """The latest row of each ``ind``: by offset within a partition, by Kafka's time across partitions."""
    of_ind = Window.partitionBy("ind")
    partition = F.struct("_topic", "_partition")
    in_one_partition = F.min(partition).over(of_ind) == F.max(partition).over(of_ind)
    latest_first = of_ind.orderBy(F.desc("_time"), F.desc("_offset"), F.desc("_partition"))
    return (
        rows.withColumn("_time", F.when(~in_one_partition, F.col("_kafka_time")))
        .withColumn("_rank", F.row_number().over(latest_first))
        .where(F.col("_rank") == 1)
        .drop("_time", "_rank")
    )


def cleaned(lines: DataFrame, entity: str, run_id: str) -> DataFrame:
    """Rows of silver, one for each line of bronze that passes."""
    records = read(lines, entity).where(is_valid(entity))
    lineage = [F.col(name).alias(column) for name, column in LINEAGE.items()]
    return CLEAN[entity](records, keep=(*lineage, F.lit(run_id).alias("_run_id"), F.lit(RULES).alias("_rules")))


def _changes(rows: DataFrame, stored: DataFrame, followers: DataFrame | None) -> DataFrame:
    """Rows that silver lacks, and rows that are newer than silver's and hold other values.

    Silver keeps the position that a row's values first came with, so a replay of older values would look newer than it
    is: a row is not a change if bronze already holds later lines of its ``ind`` (``followers``).
    """
    values = [name for name in rows.columns if not name.startswith("_")]
    differs = F.struct(*(F.col(f"row.{name}") for name in values)) != F.struct(
        *(F.col(f"stored.{name}") for name in values)
    )
    compared = rows.alias("row").join(stored.alias("stored"), F.col("row.ind") == F.col("stored.ind"), "left")
    new = compared.where(F.col("stored.ind").isNull()).select("row.*")
    changed = compared.where(F.col("stored.ind").isNotNull() & F.expr(IS_NEWER) & differs).select("row.*")
    return new.unionByName(changed if followers is None else changed.join(followers, "ind", "left_anti"))


def _followers(lake: Lake, landed: Landed, entity: str, run_id: str) -> DataFrame | None:
    """The keys of valid lines that bronze holds beyond this run's offsets; None if it holds no line there."""
    lines = lake.table(bronze_table(entity)).where(landed.follows)
    return None if lines.isEmpty() else cleaned(lines, entity, run_id).select("ind")

"""Silver made anew from what bronze holds, by today's rules: all of it, or what a range of offsets bears on.

What changes is computed beside the table and swapped in with one commit, so a reader sees the old rows or the new ones,
and a run that is killed leaves either. Rows whose record bronze does not hold cannot be made anew: they stay as they
are, and are counted.
"""

from __future__ import annotations

from typing import Any

from pyspark.sql import DataFrame
from pyspark.sql import functions as F

from pinterest_lake.contract import RULES
from pinterest_lake.quarantine import quarantine
from pinterest_lake.records import read
from pinterest_lake.refusals import explained, is_valid
from pinterest_lake.replay_choice import Choice, position
from pinterest_lake.replay_quarantine import Order, update_quarantine
from pinterest_lake.replay_records import (
    AS_SEEN,
    NOT_OLDER,
    PLACE,
    as_lines,
    bronze,
    differs,
    is_of_kafka,
    quarantined,
    seen,
    silver,
)
from pinterest_lake.silver import cleaned, newest
from pinterest_lake.tables import Lake, bronze_table, silver_table

TRIES = 3
LINE = (*PLACE, "kafka_time", "object", "record", "raw", "ind")


def remake(lake: Lake, entity: str, order: Order, choice: Choice) -> dict[str, Any]:
    """Make silver anew from bronze; return what became of the records.

    Records that are refused now go to quarantine before; those in quarantine that pass now are released after, and
    released ones that no longer pass are taken back. If another run loads meanwhile, silver is compared once more.
    A second run changes nothing.
    """
    swapped = [0, 0, 0]
    for _ in range(TRIES):
        loaded = lake.version(bronze_table(entity))
        lines = _lines(lake, entity)
        chosen = lines.where(choice.at_positions())
        passing = cleaned(chosen, entity, order.run_id).persist()
        refused = explained(read(chosen, entity).where(~is_valid(entity)), entity).localCheckpoint()
        (counted,) = passing.agg(F.count("*").alias("records"), F.count_distinct("ind").alias("keys")).collect()
        staying = {row.reason: row["count"] for row in refused.groupBy("reason").count().collect()}
        new = _newly_refused(lake, entity, refused)
        if new and not order.dry_run:
            quarantine(lake, refused, entity, order.run_id)
        keys = _keys(chosen, passing) if choice.positions else None
        rows = passing if keys is None else cleaned(lines, entity, order.run_id)
        *done, kept = _swap(lake, entity, order, _changes(lake, entity, lines, rows, keys))
        swapped = [before + more for before, more in zip(swapped, done, strict=True)]
        released, reopened = _settle_quarantine(lake, entity, order, passing, refused)
        figures = {
            "records": counted.records + sum(staying.values()),
            "passing": counted.records,
            "staying": staying,
            "duplicates": counted.records - counted.keys,
            "refused": new,
            "released": released,
            "reopened": reopened,
            "kept": kept,
        }
        made = _rows_of(lake, entity, order, passing, counted.keys)
        passing.unpersist()
        if order.dry_run or lake.version(bronze_table(entity)) == loaded:
            break
    inserted, updated, deleted = swapped
    return {**figures, "inserted": inserted, "updated": updated, "deleted": deleted, "rows": made}


def _lines(lake: Lake, entity: str) -> DataFrame:
    """The records that count, as lines of bronze with their ``position``: a correction in place of its original, and
    the dead letters that were released."""
    released = quarantined(lake, entity).where(is_of_kafka() & F.col("released_at").isNotNull())
    held = bronze(lake, entity)
    place = [*PLACE]
    corrected = released.where("correction IS NOT NULL")
    letters = released.where("correction IS NULL").join(held.select(*place), place, "left_anti")
    others = corrected.unionByName(letters).withColumn("text", F.coalesce("correction", "raw"))
    own = as_lines(lake, entity, others).withColumn("ind", F.lit(None).cast("bigint"))
    return (
        held.join(corrected.select(*place), place, "left_anti")
        .select(*LINE)
        .unionByName(own.select(*LINE))
        .withColumn("position", position())
    )


def _keys(chosen: DataFrame, passing: DataFrame) -> DataFrame:
    """The keys that a range bears on: of what passes, and of what no longer does."""
    said = chosen.select(F.col("ind").try_cast("int").alias("ind")).where("ind IS NOT NULL")
    return passing.select("ind").union(said).distinct().localCheckpoint()


def _changes(lake: Lake, entity: str, lines: DataFrame, rows: DataFrame, keys: DataFrame | None) -> DataFrame:
    """The rows of silver that are missing, differ, are of earlier rules, or should not be there (``_gone``); and those
    that stay because bronze does not hold their record (``_kept``)."""
    stored = silver(lake, entity)
    if keys is not None:
        rows, stored = (of.join(F.broadcast(keys), "ind", "left_semi") for of in (rows, stored))
    winners = newest(rows)
    known = lines.select(*(F.col(name).alias(f"_{name}") for name in PLACE), F.lit(True).alias("_known")).distinct()
    stored = stored.join(known, [f"_{name}" for name in PLACE], "left").select(*stored.columns, "_known")
    both = winners.alias("row").join(stored.alias("stored"), F.col("row.ind") == F.col("stored.ind"), "full")
    is_known = F.coalesce("stored._known", F.lit(False))
    is_there, is_wanted = F.col("stored.ind").isNotNull(), F.col("row.ind").isNotNull()
    is_of_earlier_rules = F.coalesce("stored._rules", F.lit(0)) < RULES
    may_change = is_known | F.coalesce(F.expr(NOT_OLDER), F.lit(False))
    is_other = is_there & is_wanted & may_change & (differs(winners) | is_of_earlier_rules)
    is_gone = is_there & ~is_wanted & is_known
    ind = F.coalesce("row.ind", "stored.ind").alias("ind")
    is_kept = is_there & ~is_known & F.when(is_wanted, ~may_change).otherwise(True)
    others = [F.col(f"row.{name}").alias(name) for name in winners.columns if name != "ind"]
    return both.where(~is_there | is_other | is_gone | is_kept).select(
        ind, *others, is_gone.alias("_gone"), is_kept.alias("_kept"), *seen()
    )


def _swap(lake: Lake, entity: str, order: Order, changes: DataFrame) -> tuple[int, int, int, int]:
    """How many rows are added, replaced and deleted, by one commit or as a dry run foresees it; and how many are
    kept."""
    changes = changes.localCheckpoint()
    (planned,) = changes.agg(
        F.count_if(F.expr("NOT _seen")).alias("new"),
        F.count_if(F.expr("_seen AND NOT _gone AND NOT _kept")).alias("replaced"),
        F.count_if("_gone").alias("gone"),
        F.count_if("_kept").alias("kept"),
    ).collect()
    done = planned.new, planned.replaced, planned.gone
    if any(done) and not order.dry_run:
        wanted = changes.where("NOT _kept").drop("_kept")
        done = lake.remake(silver_table(entity), wanted, "stored.ind = row.ind", when=f"({AS_SEEN})")
    return *done, planned.kept


def _newly_refused(lake: Lake, entity: str, refused: DataFrame) -> int:
    known = quarantined(lake, entity).where(is_of_kafka()).select(*PLACE)
    return refused.join(known, PLACE, "left_anti").count()


def _settle_quarantine(
    lake: Lake, entity: str, order: Order, passing: DataFrame, refused: DataFrame
) -> tuple[int, int]:
    """Release what passes now, and take back what no longer does; return how many of each."""
    known = quarantined(lake, entity).where(is_of_kafka()).drop("reason", "message")
    passes = passing.select(*(F.col(f"_{name}").alias(name) for name in PLACE))
    to_release = known.where("released_at IS NULL").join(passes, PLACE, "left_semi").select(
        *PLACE, "stream", "object", F.current_timestamp().alias("at"), F.lit(order.run_id).alias("by"),
        F.lit(None).cast("string").alias("reason"), F.lit(None).cast("string").alias("message"),
    )  # fmt: skip
    to_reopen = known.where("released_at IS NOT NULL").join(refused.select(*PLACE, "reason", "message"), PLACE).select(
        *PLACE, "stream", "object", F.lit(None).cast("timestamp").alias("at"), F.lit(None).cast("string").alias("by"),
        "reason", "message",
    )  # fmt: skip
    rows = to_release.unionByName(to_reopen).localCheckpoint()
    is_released = F.col("at").isNotNull()
    (found,) = rows.agg(F.count_if(is_released).alias("released"), F.count_if(~is_released).alias("reopened")).collect()
    if not order.dry_run:
        update_quarantine(
            lake,
            entity,
            rows,
            when="(stored.released_at IS NULL) != (row.at IS NULL)",
            values={
                "released_at": F.col("row.at"),
                "released_by": F.col("row.by"),
                "reason": F.coalesce("row.reason", "stored.reason"),
                "message": F.coalesce("row.message", "stored.message"),
            },
        )
    return found.released, found.reopened


def _rows_of(lake: Lake, entity: str, order: Order, passing: DataFrame, keys: int) -> int:
    """How many rows silver has of the records that pass; a dry run foresees one for each key."""
    if order.dry_run:
        return keys
    return lake.table(silver_table(entity)).join(passing.select("ind").distinct(), "ind", "left_semi").count()

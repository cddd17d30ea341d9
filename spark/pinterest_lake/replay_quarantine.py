"""Refused records that pass after all: because a rule has changed, or because a corrected record is given.

A record that passes goes into silver, or into its stream's table, where it counts by its own position: what came later
is not undone. Then its row in quarantine says when, and by which run; the row itself stays as it is.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, cast

from pyspark.sql import Column, DataFrame
from pyspark.sql import functions as F
from pyspark.sql.types import StructType

from pinterest_lake.cleaning import CLEAN
from pinterest_lake.records import read, with_record
from pinterest_lake.refusals import explained, is_valid
from pinterest_lake.replay_choice import Choice, ReplayError, with_text
from pinterest_lake.replay_records import (
    AS_SEEN,
    NOT_OLDER,
    as_lines,
    bronze,
    differs,
    is_of_kafka,
    quarantined,
    seen,
    silver,
)
from pinterest_lake.schemas import STREAM_LINEAGE, VALUES
from pinterest_lake.silver import cleaned, newest
from pinterest_lake.stream_batch import IS_NEWER as IS_LATER
from pinterest_lake.stream_records import ranked
from pinterest_lake.stream_tables import stream_table
from pinterest_lake.tables import QUARANTINED, Lake, bronze_table, silver_table

DEAD_LETTERS = "%/dead_letters.jsonl"
LISTED = 100
TRIES = 3
NO_POSITION = "no_position"
REPLAYED_OFTEN = "replayed_often"
SAME_ROW = """
    stored.stream = '{entity}' AND stored.stream = row.stream AND stored.topic = row.topic
    AND stored.partition <=> row.partition AND stored.offset <=> row.offset AND stored.object <=> row.object
"""


@dataclass(frozen=True)
class Order:
    """The run that replays, and whether it only says what it would do."""

    run_id: str
    dry_run: bool


def replay(
    lake: Lake, user_id: str, order: Order, choice: Choice, *, letters_only: bool = False
) -> dict[str, dict[str, Any]]:
    """Let pass what passes by today's rules; return what became of the chosen rows, by entity.

    A row that has passed is not chosen again, unless another correction is given for it; a rerun of the same run counts
    its own once more, as duplicates. Raises ReplayError if a correction is for a row that is not chosen.
    """
    _check_corrections(lake, choice)
    judged = {entity: _judged(lake, entity, order, choice, letters_only) for entity in choice.entities}
    return {entity: _replay(lake, user_id, entity, order, rows) for entity, rows in judged.items()}


def _judged(lake: Lake, entity: str, order: Order, choice: Choice, letters_only: bool) -> DataFrame:
    """The chosen rows with ``text`` (what is judged), and why it stays (``stays``, ``because``), or null."""
    corrections = lake.rows(
        [{"position": position, "record": record} for position, record in choice.corrections.items()],
        "position STRING, record STRING",
    )
    rows = with_text(quarantined(lake, entity).where(choice.of_quarantine()), corrections)
    if letters_only:
        rows = rows.where(F.col("object").like(DEAD_LETTERS))
    own = F.coalesce(F.col("released_by") == order.run_id, F.lit(False))
    is_new = F.col("given").isNotNull() & ~F.col("given").eqNullSafe(F.col("correction"))
    rows = (
        rows.where(F.col("released_at").isNull() | own | is_new)
        .withColumn("own", own & ~is_new)
        .withColumn("text", F.coalesce("given", "correction", "raw"))
        .withColumnsRenamed({"raw": "original", "reason": "was", "message": "said"})
        .withColumn("raw", F.col("text"))
    )
    judged = read(with_record(rows), entity).withColumn("_passes", is_valid(entity))
    kept = [name for name in judged.columns if name in rows.columns]
    is_refused = ~F.col("_passes")
    often = (F.col("replays") >= choice.max_replays) & ~F.col("own")
    return (
        explained(judged, entity)
        .select(
            *kept,
            F.when(F.col("position").isNull(), NO_POSITION)
            .when(is_refused, F.col("reason"))
            .when(often, REPLAYED_OFTEN)
            .alias("stays"),
            F.when(F.col("position").isNull(), "it has no position, by which later records could be told from earlier")
            .when(is_refused, F.col("message"))
            .when(often, F.concat(F.lit("it was replayed "), "replays", F.lit(" times; max_replays allows no more")))
            .alias("because"),
        )
        .localCheckpoint()
    )


def _check_corrections(lake: Lake, choice: Choice) -> None:
    if not choice.corrections:
        return
    wanted = set(choice.corrections)
    for entity in choice.entities:
        chosen = quarantined(lake, entity).where(choice.of_quarantine())
        found = chosen.where(F.col("position").isin(*choice.corrections)).select("position").collect()
        wanted -= {row.position for row in found}
    if wanted:
        raise ReplayError(
            f"corrections: {', '.join(sorted(wanted)[:5])}: quarantine has no such record among those that are chosen. "
            "Positions are <topic>:<partition>:<offset>, or <data stream>:<shard id>@<sequence number>"
        )


def _replay(lake: Lake, user_id: str, entity: str, order: Order, rows: DataFrame) -> dict[str, Any]:
    staying = {row.stays: row["count"] for row in rows.where("stays IS NOT NULL").groupBy("stays").count().collect()}
    passing = rows.where("stays IS NULL")
    of_batch, of_stream = passing.where(is_of_kafka()), passing.where(~is_of_kafka())
    batch, stream = of_batch.count(), of_stream.count()
    inserted = updated = 0
    if batch:
        inserted, updated = _into_silver(lake, entity, order, of_batch)
    if stream:
        more, other = _into_stream_table(lake, user_id, entity, order, of_stream)
        inserted, updated = inserted + more, updated + other
    listed = _listed(rows)
    if batch + stream and not order.dry_run:
        _mark(lake, entity, order, passing)
    return {
        "records": batch + stream + sum(staying.values()),
        "passing": batch + stream,
        "staying": staying,
        "inserted": inserted,
        "updated": updated,
        "duplicates": batch + stream - inserted - updated,
        "listed": listed,
    }


def _listed(rows: DataFrame) -> list[dict[str, Any]]:
    """The first rows, and what becomes of each."""
    shown = rows.select(
        "position", "object", "was", "replays", F.col("given").isNotNull().alias("corrected"), "stays", "because"
    )
    return [row.asDict() for row in shown.orderBy("position", "object").limit(LISTED).collect()]


def _into_silver(lake: Lake, entity: str, order: Order, passing: DataFrame) -> tuple[int, int]:
    """How many rows were, or would be, added and replaced.

    If another run loads meanwhile, the records are compared once more with what it has loaded.
    """
    inserted = updated = 0
    candidates = cleaned(as_lines(lake, entity, passing), entity, order.run_id).withColumn("_candidate", F.lit(True))
    candidates = candidates.localCheckpoint()
    for _ in range(TRIES):
        loaded = _version(lake, bronze_table(entity))
        changes = _changes(lake, entity, order, candidates, passing).localCheckpoint()
        (planned,) = changes.agg(
            F.count("*").alias("rows"),
            F.count_if(F.expr("NOT _seen")).alias("new"),
            F.count_if(F.expr("NOT _seen_candidate")).alias("taken_back"),
        ).collect()
        if order.dry_run:
            return planned.new, planned.rows - planned.new
        done = 0
        if planned.rows:
            table = silver_table(entity)
            more, other, _ = lake.remake(table, changes, _near("ind", changes), when=f"({AS_SEEN})")
            inserted, updated, done = inserted + more, updated + other - 2 * planned.taken_back, more + other
        if done == planned.rows and _version(lake, bronze_table(entity)) == loaded:
            break
    return (inserted, updated) if updated >= 0 else (inserted + updated, 0)


def _changes(lake: Lake, entity: str, order: Order, candidates: DataFrame, passing: DataFrame) -> DataFrame:
    """The candidates that are the latest records of their ``ind``, and say something else than silver.

    Also what came after them, where this run itself has put an earlier record into silver.
    """
    keys = candidates.select("ind").distinct()
    others = _competitors(lake, entity, order, keys, passing).withColumn("_candidate", F.lit(False))
    winners = newest(candidates.unionByName(others))
    stored = silver(lake, entity)
    compared = winners.alias("row").join(stored.alias("stored"), F.col("row.ind") == F.col("stored.ind"), "left")
    is_new = F.col("stored.ind").isNull() & F.col("row._candidate")
    is_own = F.coalesce(F.col("stored._run_id") == order.run_id, F.lit(False))
    is_changed = (F.col("row._candidate") | is_own) & F.expr(NOT_OLDER) & differs(winners)
    return compared.where(is_new | (F.col("stored.ind").isNotNull() & is_changed)).select(
        *(f"row.{name}" for name in winners.columns if name != "_candidate"),
        F.lit(False).alias("_gone"),
        *seen(),
        F.col("row._candidate").alias("_seen_candidate"),
    )


def _competitors(lake: Lake, entity: str, order: Order, keys: DataFrame, passing: DataFrame) -> DataFrame:
    """What else counts of these keys: what bronze holds and quarantine does not, and what quarantine has released."""
    place = ["topic", "partition", "offset"]
    known = quarantined(lake, entity).where(is_of_kafka())
    lines = bronze(lake, entity).join(F.broadcast(keys), "ind", "left_semi").join(known, place, "left_anti")
    released = (
        known.where("released_at IS NOT NULL")
        .join(passing.select(*place), place, "left_anti")
        .withColumn("text", F.coalesce("correction", "raw"))
    )
    rows = cleaned(lines, entity, order.run_id).unionByName(
        cleaned(as_lines(lake, entity, released), entity, order.run_id)
    )
    return rows.join(F.broadcast(keys), "ind", "left_semi").select(*rows.columns)


def _into_stream_table(lake: Lake, user_id: str, entity: str, order: Order, passing: DataFrame) -> tuple[int, int]:
    """How many rows were, or would be, added and replaced. The greatest sequence number of an ``ind`` counts."""
    table = stream_table(user_id, entity)
    place = F.split("object", "@")
    lineage = [
        place[0].alias("_shard_id"),
        place[1].alias("_sequence_number"),
        F.lit(None).cast("timestamp").alias("_arrived_at"),
        F.lit(True).alias("_valid"),
    ]
    records = read(with_record(passing.withColumn("raw", F.col("text"))), entity)
    columns = cast("StructType", StructType.fromDDL(f"{VALUES[entity]}, {STREAM_LINEAGE}")).names
    rows = ranked(CLEAN[entity](records, keep=lineage)).where("_newest").select(*columns).localCheckpoint()
    later = f"({IS_LATER}) OR (stored._sequence_number = row._sequence_number AND {_says_else(rows)})"
    if order.dry_run:
        return _counted(lake, table, rows, later)
    same_key = _near("ind", rows)
    return lake.insert_missing(table, rows, same_key), lake.update(table, rows, same_key, when=later)


def _counted(lake: Lake, table: str, rows: DataFrame, later: str) -> tuple[int, int]:
    if not lake.exists(table):
        return rows.count(), 0
    joined = rows.alias("row").join(lake.table(table).alias("stored"), F.expr("row.ind = stored.ind"), "left")
    (found,) = joined.agg(
        F.count_if(F.expr("stored.ind IS NULL")).alias("new"),
        F.count_if(F.expr(f"stored.ind IS NOT NULL AND ({later})")).alias("later"),
    ).collect()
    return found.new, found.later


def _says_else(rows: DataFrame) -> str:
    values = [name for name in rows.columns if not name.startswith("_")]
    row, stored = (", ".join(f"{side}.`{name}`" for name in values) for side in ("row", "stored"))
    return f"struct({row}) != struct({stored})"


def _near(key: str, rows: DataFrame) -> str:
    """The same key, bounded by literals, so that Delta skips files."""
    (ends,) = rows.agg(F.min(key).alias("lowest"), F.max(key).alias("highest")).collect()
    return f"stored.{key} = row.{key} AND stored.{key} BETWEEN {ends.lowest} AND {ends.highest}"


def _mark(lake: Lake, entity: str, order: Order, passing: DataFrame) -> None:
    """Say in quarantine that these have passed. Of two runs that release one row, one counts it."""
    marked = passing.where("NOT own").select(
        F.lit(entity).alias("stream"),
        "topic",
        "partition",
        "offset",
        "object",
        "replays",
        F.current_timestamp().alias("released_at"),
        F.lit(order.run_id).alias("released_by"),
        F.coalesce("given", "correction").alias("correction"),
    )
    update_quarantine(
        lake,
        entity,
        marked,
        when="stored.replays = row.replays",
        values={
            "released_at": F.col("row.released_at"),
            "released_by": F.col("row.released_by"),
            "correction": F.col("row.correction"),
            "replays": F.expr("stored.replays + 1"),
        },
    )


def update_quarantine(lake: Lake, entity: str, rows: DataFrame, *, when: str, values: dict[str, Column]) -> int:
    """Change what quarantine says of these rows, in one commit; return how many were changed."""
    if rows.isEmpty():
        return 0
    return lake.change(QUARANTINED, rows, SAME_ROW.format(entity=entity), when=when, values=values)


def _version(lake: Lake, table: str) -> int:
    return lake.version(table) if lake.exists(table) else -1

"""Clean: this run's bronze lines into silver, one row per ``ind``."""

from __future__ import annotations

from pyspark.sql import Column, DataFrame, Window
from pyspark.sql import functions as F

from pinterest_lake.cleaning import CLEAN
from pinterest_lake.manifest import Landed
from pinterest_lake.quarantine import quarantine
from pinterest_lake.records import is_valid, parsed
from pinterest_lake.refusals import explained
from pinterest_lake.tables import Lake, bronze

LINEAGE = ("_topic", "_partition", "_offset", "_kafka_time", "_run_id")


def refresh(lake: Lake, landed: Landed, stream: str, run_id: str) -> dict[str, int]:
    """Bring silver up to date with one run; say how many lines were added, replaced a row, changed nothing, or may
    not pass.

    Of several lines with one ``ind`` the latest counts. A line whose values are stored already changes nothing, and
    a run cleaned after a later one undoes nothing.
    """
    lines = lake.table(bronze(stream)).where(landed.held)
    facts = lines.agg(
        F.count("*").alias("lines"),
        F.count("ind").alias("keyed"),
        F.count_distinct("ind").alias("distinct"),
        F.min("ind").alias("lowest"),
        F.max("ind").alias("highest"),
    ).first()
    rows = _cleaned(lines, stream, run_id)
    keys = f"stored.ind = row.ind AND stored.ind BETWEEN {facts.lowest or 0} AND {facts.highest or 0}"
    stored = lake.table(stream).where(F.col("ind").between(facts.lowest, facts.highest))
    if facts.keyed == facts.distinct and stored.isEmpty():
        passed = inserted = lake.insert_missing(stream, rows, on=keys)
        updated = 0
    else:
        rows = rows.persist()
        passed = rows.count()
        changes = _changes(newest(rows), stored).persist()
        ...

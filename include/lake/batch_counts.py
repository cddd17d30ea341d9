"""What the notebooks counted, as ledger entries. A count that a notebook did not return is None: unverified."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

from include.faults import LastingError
from include.lake.contract import ANALYZE, CLEAN, LOAD, RULES, bronze_table, silver_table
from include.ledger.entry import Entry, Hop
from include.settings import ENTITIES, Entity

BRONZE_COUNTED = "rows of the interval in {}, and Delta's commit metrics"

type Counts = Mapping[str, Any]


class LakeCountError(LastingError, RuntimeError):
    """A notebook did not return what the ledger needs. The message names the notebook."""


def parse_exit(notebook: str, output: Mapping[str, Any]) -> dict[str, Any]:
    """The JSON object a notebook exited with, out of Databricks' ``runs/get-output``."""
    notebook_output = output.get("notebook_output") or {}
    result = notebook_output.get("result")
    if result is None:
        raise LakeCountError(f"Notebook {notebook} returned nothing: it must end with dbutils.notebook.exit(…)")
    if notebook_output.get("truncated"):
        raise LakeCountError(f"Notebook {notebook} returned more than Databricks keeps ({len(result)} characters kept)")
    try:
        parsed = json.loads(result)
    except ValueError as error:
        raise LakeCountError(f"Notebook {notebook} did not return JSON ({error}): {result[:200]!r}") from error
    if not isinstance(parsed, dict):
        raise LakeCountError(f"Notebook {notebook} returned a JSON {type(parsed).__name__}, not an object")
    return parsed


def lake_entries(run_id: str, exits: Mapping[str, Counts]) -> dict[Hop, list[Entry]]:
    """Hops bronze, silver and gold, from the notebooks' exit JSON by notebook name."""
    return {
        "bronze": [_bronze(run_id, entity, _section(exits, LOAD, "bronze", entity)) for entity in ENTITIES],
        "silver": [_silver(run_id, entity, _section(exits, CLEAN[entity], "silver", entity)) for entity in ENTITIES],
        "gold": [_gold(run_id, entity, exits.get(ANALYZE, {}).get("gold") or {}) for entity in ENTITIES],
    }


def quarantine_shortfall(exits: Mapping[str, Counts], dead_letters: Mapping[Entity, int]) -> list[str]:
    """Streams of which the load kept fewer quarantined records than landing handed it."""
    kept = exits.get(LOAD, {}).get("quarantined") or {}
    return [
        f"{entity}: {kept.get(entity)} of {count} dead letters"
        for entity, count in dead_letters.items()
        if (kept.get(entity) or 0) < count
    ]


def _section(exits: Mapping[str, Counts], notebook: str, hop: str, entity: Entity) -> Counts:
    found: Counts = (exits.get(notebook, {}).get(hop) or {}).get(entity) or {}
    return found


def _bronze(run_id: str, entity: Entity, counts: Counts) -> Entry:
    return Entry(
        hop="bronze",
        entity=entity,
        run_id=run_id,
        records_in=counts.get("records_in"),
        records_out=_sum(counts, "inserted", "already_stored"),
        first=counts.get("first"),
        last=counts.get("last"),
        counted_by=f"notebook {LOAD}: {BRONZE_COUNTED.format(bronze_table(entity))}",
    )


def _silver(run_id: str, entity: Entity, counts: Counts) -> Entry:
    return Entry(
        hop="silver",
        entity=entity,
        run_id=run_id,
        records_in=counts.get("records_in"),
        records_out=_sum(counts, "inserted", "updated"),
        duplicates=counts.get("duplicates"),
        quarantined=counts.get("quarantined"),
        stored=counts.get("rows"),
        remark=_earlier_rules(entity, counts.get("of_earlier_rules")),
        counted_by=f"notebook {CLEAN[entity]}: {BRONZE_COUNTED.format(bronze_table(entity))}",
    )


def _earlier_rules(entity: Entity, rows: int | None) -> str | None:
    if not rows:
        return None
    return (
        f"{silver_table(entity)}: {rows:,} rows were made with earlier rules than version {RULES}: "
        "run pinterest_replay with what=silver to make them anew"
    )


def _gold(run_id: str, entity: Entity, counts: Counts) -> Entry:
    """``unmatched`` rows have no partner on another entity; more joined rows than rows is a duplication."""
    rows: int | None = (counts.get("rows") or {}).get(entity)
    joined: int | None = counts.get("joined")
    return Entry(
        hop="gold",
        entity=entity,
        run_id=run_id,
        records_in=rows,
        records_out=joined,
        unmatched=None if rows is None or joined is None else max(0, rows - joined),
        counted_by=f"notebook {ANALYZE}: rows of table {silver_table(entity)}, and of the three tables joined on ind",
    )


def _sum(counts: Counts, *names: str) -> int | None:
    values = [counts.get(name) for name in names]
    return None if any(value is None for value in values) else sum(values)  # type: ignore[arg-type]

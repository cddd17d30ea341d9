"""Second chances: refused records that pass after all, and silver made anew. What the notebook ``replay`` does."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Any

from pyspark.sql import SparkSession

from pinterest_lake import gold, replay_quarantine, replay_silver, widgets
from pinterest_lake.contract import ENTITIES, RULES
from pinterest_lake.lake_check import (
    check_gold,
    check_tables,
    earlier_tables,
    identity,
    tables_made_of_silver,
    tables_of_batch,
    tables_of_stream,
)
from pinterest_lake.replay_choice import Choice, ReplayError, read_choice
from pinterest_lake.replay_records import convert
from pinterest_lake.storage import open_bucket
from pinterest_lake.tables import Lake, bronze_table, silver_table

OF_NOTEBOOK = ("quarantine", "dead_letters", "silver")
"""What the notebook replays; ``landing`` is the batch's own notebooks, run on what the bucket holds."""

LOAD_AGAIN = "nothing is left to make silver from; replay what=landing, which loads what the bucket holds"
MAKE_ANEW = "replay what=silver with this entity, which makes it anew from bronze"


@dataclass(frozen=True)
class Replay:
    """One run of the notebook. With ``dry_run`` it counts and lists what it would do, and writes nothing."""

    lake: Lake
    user_id: str
    run_id: str
    what: str
    dry_run: bool
    choice: Choice = field(default_factory=Choice)

    @classmethod
    def of_notebook(cls, spark: SparkSession, dbutils: Any) -> Replay:
        """Read the notebook's widgets, which the job's parameters fill, and the corrections that they name.

        Raises ValueError if a parameter is missing or wrong, StorageError if the bucket cannot be opened.
        """
        given = widgets.read(dbutils, "replay")
        if given["what"] not in OF_NOTEBOOK:
            raise ReplayError(f"notebook parameter what: got {given['what']!r}, expected {' or '.join(OF_NOTEBOOK)}")
        root = open_bucket(
            spark,
            dbutils,
            given["bucket"],
            mode=given["storage"],
            secret_scope=given["secret_scope"],
            credentials_table=given["credentials_table"],
        )
        return cls(
            lake=Lake(spark, given["catalog"], given["schema"]),
            user_id=given["user_id"],
            run_id=given["run_id"],
            what=given["what"],
            dry_run=_truth("dry_run", given["dry_run"]),
            choice=read_choice(spark, root, given),
        )


def run(replay: Replay) -> dict[str, Any]:
    """Replay every entity that is chosen; return what became of its records, by entity, and the analyses.

    Each entity's new rows become visible in one commit of its table. Killed in between and started again, the run does
    what is left; a second run changes nothing. Raises ReplayError or TableError before anything is written.
    """
    lake, tables = replay.lake, {**tables_of_batch(), **tables_of_stream(replay.user_id)}
    earlier = earlier_tables(lake) if replay.what == "silver" else []
    written = {**tables, **tables_made_of_silver()}
    check_tables(lake, {name: columns for name, columns in written.items() if name not in earlier})
    check_gold(lake)
    entities = replay.choice.entities
    made = entities if replay.what == "silver" else ()
    _require(lake, map(bronze_table, made), LOAD_AGAIN)
    _require(lake, (silver_table(entity) for entity in ENTITIES if entity not in made), MAKE_ANEW)
    if not replay.dry_run:
        for table in earlier:
            convert(lake, table)
        lake.create_quarantine()
        for entity in entities:
            lake.create_silver(entity)
    if replay.what == "silver":
        done = {entity: replay_silver.remake(lake, entity, _order(replay), replay.choice) for entity in entities}
    else:
        done = replay_quarantine.replay(
            lake, replay.user_id, _order(replay), replay.choice, letters_only=replay.what == "dead_letters"
        )
    answer: dict[str, Any] = {
        "replay": {
            "what": replay.what,
            "dry_run": replay.dry_run,
            "rules": RULES,
            "converted": earlier,
            "entities": done,
        }
    }
    if replay.dry_run:
        return answer
    return {**answer, **gold.refresh(lake), "lake": identity(lake, tables)}


def _require(lake: Lake, tables: Iterable[str], advice: str) -> None:
    missing = [lake.name(table) for table in tables if not lake.exists(table)]
    if missing:
        raise ReplayError(f"table {' and '.join(missing)} does not exist: {advice}")


def _order(replay: Replay) -> replay_quarantine.Order:
    return replay_quarantine.Order(run_id=replay.run_id, dry_run=replay.dry_run)


def _truth(name: str, text: str) -> bool:
    try:
        return {"true": True, "false": False}[text.lower()]
    except KeyError:
        raise ReplayError(f"notebook parameter {name}: got {text!r}, expected true or false") from None

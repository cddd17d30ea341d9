"""What Airflow's side and the lake agree on, read from ``spark/pinterest_lake/contract.json``.

The notebooks read the same file. Where a fact has to stand in code here (a Literal type, a setting's default),
``tests/unit/test_contract.py`` compares it with the file.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

from include.lake.code_bundle import CONTRACT, CodeBundleError
from include.settings import ENTITIES, Entity


def _read() -> dict[str, Any]:
    try:
        contract: dict[str, Any] = json.loads(CONTRACT.read_text(encoding="utf-8"))
    except FileNotFoundError:
        raise CodeBundleError(f"{CONTRACT} does not exist; the folder spark/ must lie beside include/") from None
    return contract


_CONTRACT = _read()

_notebooks: dict[str, str] = _CONTRACT["notebooks"]
CHECK = _notebooks["check"]
LOAD = _notebooks["load"]
CLEAN: dict[Entity, str] = {entity: _notebooks["clean"].format(entity=entity) for entity in ENTITIES}
ANALYZE = _notebooks["analyses"]
STREAM = _notebooks["stream"]
MAINTENANCE = _notebooks["maintenance"]
REPLAY = _notebooks["replay"]
BATCH_NOTEBOOKS = (LOAD, *CLEAN.values(), ANALYZE)
"""The notebooks of a batch run, in order; cleaning runs side by side."""

REPLAYS: tuple[str, ...] = tuple(_CONTRACT["replays"])
QUARANTINED, DEAD_LETTERS, SILVER, LANDING = REPLAYS
"""What a replay can be of."""

REASONS: tuple[str, ...] = tuple(_CONTRACT["reasons"])
RULES: int = _CONTRACT["rules"]["version"]

AVAILABLE_NOW, PROCESSING_TIME = _CONTRACT["triggers"]

STREAM_BATCHES: str = _CONTRACT["tables"]["stream_batches"]
SEQUENCE_NUMBER_DIGITS: int = _CONTRACT["sequence_number_digits"]

GOLD: Mapping[str, tuple[str, ...]] = {name: tuple(columns) for name, columns in _CONTRACT["analyses"].items()}
"""By gold table: its columns. There is one table per analysis."""

AGE_GROUPS: tuple[str, ...] = (*_CONTRACT["age_groups"], _CONTRACT["age_group_of_others"])
"""From young to old, then those of no group."""


def bronze_table(entity: Entity) -> str:
    name: str = _CONTRACT["tables"]["bronze"].format(entity=entity)
    return name


def silver_table(entity: Entity) -> str:
    name: str = _CONTRACT["tables"]["silver"].format(entity=entity)
    return name


def batch_tables() -> set[str]:
    """The tables that hold what the bookmark says is loaded."""
    return {table(entity) for table in (bronze_table, silver_table) for entity in ENTITIES}


def stream_tables(user_id: str) -> set[str]:
    """The tables that hold what the checkpoints say is read."""
    tables = {_CONTRACT["tables"]["stream"].format(user_id=user_id, entity=entity) for entity in ENTITIES}
    return {*tables, STREAM_BATCHES}


def all_tables(user_id: str) -> set[str]:
    """Every table that the pipeline writes."""
    others = {_CONTRACT["tables"][name] for name in ("posts", "quarantine")}
    return {*batch_tables(), *GOLD, *stream_tables(user_id), *others}

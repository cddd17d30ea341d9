"""What Airflow's side and the lake agree on, read from ``contract.json``.

Airflow's side reads the same file (``include/lake/contract.py``): a table, a parameter or an analysis is named there
and nowhere else.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

_CONTRACT: dict[str, Any] = json.loads(Path(__file__).with_name("contract.json").read_text(encoding="utf-8"))

ENTITIES: tuple[str, ...] = tuple(_CONTRACT["entities"])
FIELD_KINDS: dict[str, dict[str, str]] = _CONTRACT["fields"]
"""By entity: the JSON fields of a record, each ``key``, ``text``, ``integer``, ``double`` or ``datetime``."""

RECORD: str = _CONTRACT["record"]
"""The field of a line in which the S3 sink keeps a record's bytes, in base64."""

POSITION: dict[str, str] = _CONTRACT["position"]
"""Fields that the S3 sink adds to a line, and their types. ``_timestamp`` is Kafka's time in milliseconds."""

REASONS: frozenset[str] = frozenset(_CONTRACT["reasons"])
TABLES: dict[str, str] = _CONTRACT["tables"]
STORAGE_MODES: tuple[str, ...] = tuple(_CONTRACT["storage_modes"])
RULES: int = _CONTRACT["rules"]["version"]
"""The version of the rules: what passes, and what it becomes. Whoever changes one in effect raises it."""

REPLAYS: tuple[str, ...] = tuple(_CONTRACT["replays"])
TRIGGERS: tuple[str, ...] = tuple(_CONTRACT["triggers"])
MAINTAINED_BY: tuple[str, ...] = tuple(_CONTRACT["maintained_by"])
SHORTEST_VERSION_DAYS: int = _CONTRACT["shortest_version_days"]
SEQUENCE_NUMBER_DIGITS: int = _CONTRACT["sequence_number_digits"]
STREAM_BATCHES_COLUMNS: dict[str, str] = _CONTRACT["stream_batches"]
AGE_GROUPS: dict[str, tuple[int, int | None]] = {
    name: (first, last) for name, (first, last) in _CONTRACT["age_groups"].items()
}
"""By group: first and last age, both included; None is no upper limit."""

AGE_GROUP_OF_OTHERS: str = _CONTRACT["age_group_of_others"]
ANALYSES: dict[str, list[str]] = _CONTRACT["analyses"]
"""By gold table: its columns."""


def parameters(kind: str) -> dict[str, str | None]:
    """A notebook's parameters with their defaults; None marks those that must be given. ``kind``: batch, stream,
    check, maintenance or replay."""
    return {**_CONTRACT["parameters"]["lake"], **_CONTRACT["parameters"][kind]}

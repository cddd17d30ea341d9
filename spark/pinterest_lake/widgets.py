"""A notebook's parameters: widgets with the contract's defaults, filled by the job."""

from __future__ import annotations

from typing import Any, Literal

from pinterest_lake.contract import parameters


def read(dbutils: Any, kind: Literal["batch", "stream", "check", "maintenance", "replay"]) -> dict[str, str]:
    """Every parameter by name. Raises ValueError that names those that must be given and are not."""
    defaults = parameters(kind)
    for name, default in defaults.items():
        dbutils.widgets.text(name, default or "")
    given: dict[str, str] = {name: dbutils.widgets.get(name) for name in defaults}
    missing = [name for name, default in defaults.items() if default is None and not given[name]]
    if missing:
        raise ValueError(f"notebook parameter {' and '.join(missing)} is empty; start the notebook from the DAG")
    return given

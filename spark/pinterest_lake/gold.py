"""Analyze: the gold tables from all posts."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from typing import Any

from pyspark.sql import DataFrame, Row
from pyspark.sql.types import StructType

from pinterest_lake import posts
from pinterest_lake.analyses import ANALYSES
from pinterest_lake.conflicts import committed
from pinterest_lake.session_settings import interpreted
from pinterest_lake.tables import Lake

TRIES = 3
SIDE_BY_SIDE = 4  # a commit spends more time waiting than computing


def refresh(lake: Lake) -> dict[str, Any]:
    """Bring ``posts`` up to date with silver, and rewrite every analysis from them, sorted by its columns; return what
    they hold, how many rows silver has, and how many posts have a row in all three tables.

    The same silver gives the same tables. If another run has changed silver or ``posts`` meanwhile, all is done once
    more: whoever writes last has read the newest rows.
    """
    for _ in range(TRIES):
        silver = posts.refresh(lake)
        with posts.planned_for(lake, silver):
            joined, tables = _rewrite(lake, silver)
        if posts.still_reflects(lake, silver):
            break
    return {"gold": {"rows": dict(silver.rows), "joined": joined}, "tables": tables}


def _rewrite(lake: Lake, silver: posts.Silver) -> tuple[int, dict[str, Any]]:
    stored = lake.table(posts.TABLE)
    if silver.is_small:  # each scan of a Delta table looks for its files first, which costs more than a few rows
        stored.persist()
    try:
        answers = {name: analysis(stored) for name, analysis in ANALYSES.items()}
        with ThreadPoolExecutor(SIDE_BY_SIDE) as pool:
            joined = pool.submit(stored.where(" AND ".join(posts.PRESENT)).count)
            rows = dict(zip(answers, pool.map(_in_order, answers.values()), strict=True))
    finally:
        stored.unpersist()
    with interpreted(lake.spark), ThreadPoolExecutor(SIDE_BY_SIDE) as pool:
        for written in [pool.submit(_write, lake, name, answers[name].schema, rows[name]) for name in answers]:
            written.result()
    return joined.result(), {
        name: {"columns": answer.columns, "rows": [list(row) for row in rows[name]]} for name, answer in answers.items()
    }


def _in_order(answer: DataFrame) -> list[Row]:
    """Sorted by all columns, nulls first. So few rows do not pay for a shuffle."""
    return sorted(answer.collect(), key=lambda row: [(value is not None, value) for value in row])


def _write(lake: Lake, table: str, schema: StructType, rows: list[Row]) -> None:
    answer = lake.rows([row.asDict() for row in rows], schema)
    committed(lambda: answer.writeTo(lake.name(table)).using("delta").createOrReplace())

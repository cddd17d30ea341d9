"""Analyse: the nine gold tables from all of silver."""

from __future__ import annotations

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import Any

from pyspark.sql import DataFrame

from pinterest_lake.analyses import ANALYSES, Facts, posts_of
from pinterest_lake.schemas import STREAMS
from pinterest_lake.tables import Lake

SIDE_BY_SIDE = 4  # an analysis waits for commits more than it computes


def refresh(lake: Lake) -> dict[str, Any]:
    """Write every analysis anew, in the order of its columns; say what they hold, and how many posts met all three
    rows of theirs."""
    pin, geo, user = (lake.table(stream) for stream in STREAMS)
    posts = posts_of(pin, geo, user).persist()
    try:
        joined = posts.where("has_geo AND has_user").count()
        facts = Facts(posts, user)
        with ThreadPoolExecutor(SIDE_BY_SIDE) as pool:
            tables = dict(pool.map(lambda analysis: (analysis.__name__, _write(lake, analysis, facts)), ANALYSES))
    finally:
        posts.unpersist()
    rows = {stream: lake.table(stream).count() for stream in STREAMS}
    return {"gold": {"rows": rows, "joined": joined}, "tables": tables}


def _write(lake: Lake, analysis: Callable[[Facts], DataFrame], facts: Facts) -> dict[str, Any]:
    answer = analysis(facts)
    in_order = answer.repartition(1).sortWithinPartitions(*answer.columns).persist()
    in_order.writeTo(lake.name(analysis.__name__)).using("delta").createOrReplace()
    rows = [list(row) for row in in_order.collect()]
    in_order.unpersist()
    return {"columns": answer.columns, "rows": rows}

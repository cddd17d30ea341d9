"""Analyse: the nine gold tables from all of silver."""

from __future__ import annotations

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from typing import Any

from pyspark.sql import DataFrame, Row, SparkSession
from pyspark.sql.types import StructType

from pinterest_lake.analyses import ANALYSES, Facts, posts_of
from pinterest_lake.schemas import STREAMS
from pinterest_lake.tables import Lake

SIDE_BY_SIDE = 4  # a commit waits more than it computes
INTERPRET = {"spark.sql.codegen.wholeStage": "false", "spark.sql.codegen.factoryMode": "NO_CODEGEN"}


def refresh(lake: Lake) -> dict[str, Any]:
    """Write every analysis anew, in the order of its columns; say what they hold, and how many posts met all three
    rows of theirs."""
    pin, geo, user = (lake.table(stream) for stream in STREAMS)
    posts = posts_of(pin, geo, user).persist()
    try:
        joined = posts.where("has_geo AND has_user").count()
        facts = Facts(posts, user)
        answers = {analysis.__name__: analysis(facts) for analysis in ANALYSES}
        with ThreadPoolExecutor(SIDE_BY_SIDE) as pool:
            rows = dict(zip(answers, pool.map(_in_order, answers.values()), strict=True))
    finally:
        posts.unpersist()
    with _interpreted(lake.spark), ThreadPoolExecutor(SIDE_BY_SIDE) as pool:
        for written in [pool.submit(_write, lake, name, answers[name].schema, rows[name]) for name in answers]:
            written.result()
    return {
        "gold": {"rows": {stream: lake.table(stream).count() for stream in STREAMS}, "joined": joined},
        "tables": {
            name: {"columns": answer.columns, "rows": [list(row) for row in rows[name]]}
            for name, answer in answers.items()
        },
    }


def _in_order(answer: DataFrame) -> list[Row]:
    return answer.repartition(1).sortWithinPartitions(*answer.columns).collect()


@contextmanager
def _interpreted(spark: SparkSession) -> Iterator[None]:
    """Without compiling what is asked: for a few rows, and Delta's own few files, compiling costs more than running."""
    compiled = {name: spark.conf.get(name) for name in INTERPRET}
    try:
        for name, value in INTERPRET.items():
            spark.conf.set(name, value)
        yield
    finally:
        for name, value in compiled.items():
            spark.conf.set(name, value)


def _write(lake: Lake, table: str, schema: StructType, rows: list[Row]) -> None:
    answer = lake.rows([row.asDict() for row in rows], schema)
    answer.writeTo(lake.name(table)).using("delta").createOrReplace()

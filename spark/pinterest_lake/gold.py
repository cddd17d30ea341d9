"""Analyze: the gold tables from all of silver."""

from __future__ import annotations

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from typing import Any

from pyspark.sql import DataFrame, Row, SparkSession
from pyspark.sql.types import StructType

from pinterest_lake.analyses import ANALYSES, Facts, posts_of
from pinterest_lake.conflicts import committed
from pinterest_lake.contract import ENTITIES
from pinterest_lake.tables import Lake, silver_table

TRIES = 3
SIDE_BY_SIDE = 4  # a commit spends more time waiting than computing
INTERPRET = {"spark.sql.codegen.wholeStage": "false", "spark.sql.codegen.factoryMode": "NO_CODEGEN"}


def refresh(lake: Lake) -> dict[str, Any]:
    """Rewrite every analysis, sorted by its columns; return what they hold, and how many posts have a row in all three
    tables. The same silver gives the same tables. If another run has changed silver meanwhile, they are written once
    more: whoever writes last has read the newest rows."""
    for _ in range(TRIES):
        read = _versions(lake)
        answers = _rewrite(lake)
        if _versions(lake) == read:
            break
    return answers


def _versions(lake: Lake) -> list[int]:
    """The version of each table of silver."""
    names = [lake.name(silver_table(entity)) for entity in ENTITIES]
    histories = [lake.spark.sql(f"DESCRIBE HISTORY {name} LIMIT 1").first() for name in names]
    return [latest.version for latest in histories if latest is not None]


def _rewrite(lake: Lake) -> dict[str, Any]:
    silver = {entity: lake.table(silver_table(entity)) for entity in ENTITIES}
    pin, geo, user = silver["pin"], silver["geo"], silver["user"]
    posts = posts_of(pin, geo, user).persist()
    try:
        joined = posts.where("has_geo AND has_user").count()
        facts = Facts(posts, user)
        answers = {name: analysis(facts) for name, analysis in ANALYSES.items()}
        with ThreadPoolExecutor(SIDE_BY_SIDE) as pool:
            rows = dict(zip(answers, pool.map(_in_order, answers.values()), strict=True))
    finally:
        posts.unpersist()
    with _interpreted(lake.spark), ThreadPoolExecutor(SIDE_BY_SIDE) as pool:
        for written in [pool.submit(_write, lake, name, answers[name].schema, rows[name]) for name in answers]:
            written.result()
    return {
        "gold": {"rows": {entity: rows_of.count() for entity, rows_of in silver.items()}, "joined": joined},
        "tables": {
            name: {"columns": answer.columns, "rows": [list(row) for row in rows[name]]}
            for name, answer in answers.items()
        },
    }


def _in_order(answer: DataFrame) -> list[Row]:
    return answer.repartition(1).sortWithinPartitions(*answer.columns).collect()


@contextmanager
def _interpreted(spark: SparkSession) -> Iterator[None]:
    """Run queries without compiling them: for a few rows, and Delta's few files, compiling costs more than running."""
    compiled = {name: value for name in INTERPRET if (value := spark.conf.get(name)) is not None}
    try:
        for name, value in INTERPRET.items():
            spark.conf.set(name, value)
        yield
    finally:
        for name, value in compiled.items():
            spark.conf.set(name, value)


def _write(lake: Lake, table: str, schema: StructType, rows: list[Row]) -> None:
    answer = lake.rows([row.asDict() for row in rows], schema)
    committed(lambda: answer.writeTo(lake.name(table)).using("delta").createOrReplace())

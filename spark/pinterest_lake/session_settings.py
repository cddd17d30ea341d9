"""Settings of the Spark session that hold for some statements only."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager

from pyspark.sql import SparkSession

INTERPRET = {"spark.sql.codegen.wholeStage": "false", "spark.sql.codegen.factoryMode": "NO_CODEGEN"}
FEW_ROWS = {**INTERPRET, "spark.sql.adaptive.enabled": "false", "spark.sql.shuffle.partitions": "1"}
"""For a few rows: planning a query and compiling it cost far more than running it."""
MANY = 100_000  # rows; from about here on compiled queries take less time in all


@contextmanager
def settings(spark: SparkSession, values: Mapping[str, str]) -> Iterator[None]:
    """Set these for the block, and what was set before after it."""
    before = {name: spark.conf.get(name, None) for name in values}
    try:
        for name, value in values.items():
            spark.conf.set(name, value)
        yield
    finally:
        for name, stored in before.items():
            if stored is None:
                spark.conf.unset(name)
            else:
                spark.conf.set(name, stored)


@contextmanager
def interpreted(spark: SparkSession) -> Iterator[None]:
    """Run queries without compiling them: for a few rows, and Delta's few files, compiling costs more than running."""
    with settings(spark, INTERPRET):
        yield

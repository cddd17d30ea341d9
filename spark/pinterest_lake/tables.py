"""The lake's tables: their names, how they are created, and the one way rows are added to them."""

from __future__ import annotations

import json
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, cast
from uuid import uuid4

from delta.tables import DeltaMergeBuilder, DeltaTable
from pyspark.errors import PySparkException
from pyspark.sql import Column, DataFrame, Row, SparkSession
from pyspark.sql import functions as F
from pyspark.sql.types import ArrayType, StructField, StructType

from pinterest_lake.catalog import ensure_schema
from pinterest_lake.conflicts import committed
from pinterest_lake.contract import TABLES
from pinterest_lake.schemas import ADDED_LATER, BRONZE, QUARANTINE, SILVER

QUARANTINED = TABLES["quarantine"]
CHANGE_FEED = "delta.enableChangeDataFeed"
"""Delta's setting by which a table keeps which rows each commit added, changed or deleted."""

OTHER_CREATES_IT = 30  # seconds
RECENT_COMMITS = 50  # what is looked for is the last one, but for other writers and maintenance

CONFIGURATION = {
    "spark.sql.session.timeZone": "UTC",
    "spark.sql.sources.parallelPartitionDiscovery.parallelism": "16",  # or it takes one task per object
    "spark.sql.codegen.hugeMethodLimit": "8000",  # the JVM never compiles longer methods
}


def bronze_table(entity: str) -> str:
    return TABLES["bronze"].format(entity=entity)


def silver_table(entity: str) -> str:
    return TABLES["silver"].format(entity=entity)


@dataclass(frozen=True)
class Lake:
    """One schema of one catalog. Times are read and written in UTC, whatever the cluster's time zone."""

    spark: SparkSession
    catalog: str
    schema: str

    def __post_init__(self) -> None:
        for name, value in CONFIGURATION.items():
            self.spark.conf.set(name, value)

    def name(self, table: str) -> str:
        return f"{self.catalog}.{self.schema}.{table}"

    def table(self, table: str) -> DataFrame:
        return self.spark.table(self.name(table))

    def rows(self, values: Sequence[Mapping[str, Any]], schema: StructType | str) -> DataFrame:
        """A few rows of values that JSON can hold, as a DataFrame with one partition, in the given order.

        The JVM parses them itself; ``createDataFrame`` would start a Python worker.
        """
        fields = StructType.fromDDL(schema) if isinstance(schema, str) else schema
        listed = F.from_json(F.lit(json.dumps(values)), ArrayType(fields), {"mode": "FAILFAST"})
        return self.spark.range(0, 1, 1, 1).select(F.inline(listed))

    def create(self) -> None:
        """Create the schema and every missing table; existing tables stay as they are.

        Only columns that find a run's rows carry file statistics. ``quarantine`` is partitioned by entity, so that the
        three cleaning tasks can write to it at the same time.
        """
        self.create_schema()
        self.create_quarantine()
        for entity in SILVER:
            self.create_table(bronze_table(entity), BRONZE, found_by="partition,offset,ind")
            self.create_silver(entity)

    def create_schema(self) -> None:
        ensure_schema(self.spark, self.catalog, self.schema)

    def create_silver(self, entity: str) -> None:
        self.create_table(
            silver_table(entity),
            SILVER[entity],
            found_by="ind,_partition,_offset,_rules",
            properties=[f"'{CHANGE_FEED}' = 'true'"],
        )

    def create_quarantine(self) -> None:
        self.create_table(QUARANTINED, QUARANTINE, "PARTITIONED BY (stream)", found_by="offset")

    def create_table(
        self, table: str, columns: str, layout: str = "", *, found_by: str, properties: Sequence[str] = ()
    ) -> None:
        """Create the table unless it exists, even if another notebook creates it at the same moment. A table of an
        earlier version gets the columns that it lacks."""
        if self.exists(table):
            self._complete(table, columns)
            return
        properties = (f"'delta.dataSkippingStatsColumns' = '{found_by}'", *properties)
        try:
            self.spark.sql(
                f"CREATE TABLE IF NOT EXISTS {self.name(table)} ({columns}) USING delta {layout} "
                f"TBLPROPERTIES ({', '.join(properties)})"
            )
        except PySparkException:
            if not self._appears(table):
                raise

    def _complete(self, table: str, columns: str) -> None:
        later = [one for one in _fields(columns) if one.name in ADDED_LATER]

        def commit() -> None:
            there = {name.lower() for name in self.table(table).columns}
            lacking = [one for one in later if one.name not in there]
            if lacking:
                listed = ", ".join(f"`{one.name}` {one.dataType.simpleString()}{_comment(one)}" for one in lacking)
                self.spark.sql(f"ALTER TABLE {self.name(table)} ADD COLUMNS ({listed})")

        if later:
            committed(commit)

    def _appears(self, table: str) -> bool:
        """Whether the table appears soon: Delta rejects one of two racing CREATEs before the other finishes."""
        deadline = time.monotonic() + OTHER_CREATES_IT
        while not self.exists(table):
            if time.monotonic() > deadline:
                return False
            time.sleep(0.2)
        return True

    def insert_missing(self, table: str, rows: DataFrame, on: str, mark: str = "") -> int:
        """Append the rows for which ``on`` (over the aliases ``stored`` and ``row``) finds no match; return how many
        rows the commits of this ``mark`` have added, by default this one alone.

        Safe beside another writer: as it reads the table, Delta lets only one of two that overlap commit, and the other
        tries again. Literals in ``on`` that bound ``stored`` keep Delta from reading the table's history: if all that
        is stored lies elsewhere, the rows are simply appended. Without a row there is no commit.
        """
        mark = mark or str(uuid4())

        def commit() -> None:
            stored = self.table(table).alias("stored")
            missing = rows.alias("row").join(stored, F.expr(on), "left_anti")
            missing.write.format("delta").mode("append").option("userMetadata", mark).saveAsTable(self.name(table))

        committed(commit)
        return sum(int(metrics["numOutputRows"]) for metrics in self.commits(table, "WRITE", mark))

    def commits(self, table: str, operation: str, mark: str) -> list[dict[str, str]]:
        """Delta's metrics of the table's recent commits that have this mark as their user metadata."""
        recent = self.spark.sql(f"DESCRIBE HISTORY {self.name(table)} LIMIT {RECENT_COMMITS}")
        marked = recent.where((F.col("operation") == operation) & (F.col("userMetadata") == mark))
        return [commit.operationMetrics for commit in marked.select("operationMetrics").collect()]

    def upsert(self, table: str, rows: DataFrame, on: str, when: str) -> tuple[int, int]:
        """Add rows, or replace the stored rows that ``when`` allows; return how many were added and replaced."""
        values = _of_row(rows)
        metrics = self._merge(
            table, rows, on, lambda merge: merge.whenMatchedUpdate(when, values).whenNotMatchedInsert(values=values)
        )
        return metrics.num_inserted_rows, metrics.num_updated_rows

    def remake(self, table: str, rows: DataFrame, on: str, when: str) -> tuple[int, int, int]:
        """Add rows, replace the stored rows that ``when`` allows, and delete those of them whose row is ``_gone``;
        return how many were added, replaced and deleted. Columns of the rows that begin with ``_seen`` are for ``when``
        only."""
        helpers = [name for name in rows.columns if name == "_gone" or name.startswith("_seen")]
        values = _of_row(rows.drop(*helpers))
        metrics = self._merge(
            table,
            rows,
            on,
            lambda merge: (
                merge.whenMatchedDelete(f"row._gone AND {when}")
                .whenMatchedUpdate(when, values)
                .whenNotMatchedInsert("NOT row._gone", values)
            ),
        )
        return metrics.num_inserted_rows, metrics.num_updated_rows, metrics.num_deleted_rows

    def change(self, table: str, rows: DataFrame, on: str, when: str, values: Mapping[str, Column]) -> int:
        """Set ``values`` (over the aliases ``stored`` and ``row``) in the stored rows that ``on`` finds and ``when``
        allows; return in how many."""
        metrics = self._merge(table, rows, on, lambda merge: merge.whenMatchedUpdate(when, dict(values)))
        return int(metrics.num_updated_rows)

    def version(self, table: str) -> int:
        """The number of the table's latest commit."""
        latest = self.spark.sql(f"DESCRIBE HISTORY {self.name(table)} LIMIT 1").first()
        return -1 if latest is None else int(latest.version)

    def exists(self, table: str) -> bool:
        return self.spark.catalog.tableExists(self.name(table))

    def update(self, table: str, rows: DataFrame, on: str, when: str) -> int:
        """Replace the stored rows that ``on`` finds and ``when`` allows to be replaced; return how many."""
        values = _of_row(rows)
        metrics = self._merge(table, rows, on, lambda merge: merge.whenMatchedUpdate(when, values))
        return int(metrics.num_updated_rows)

    def _merge(
        self, table: str, rows: DataFrame, on: str, clauses: Callable[[DeltaMergeBuilder], DeltaMergeBuilder]
    ) -> Row:
        def commit() -> Row:
            stored = DeltaTable.forName(self.spark, self.name(table)).alias("stored")
            return _metrics(clauses(stored.merge(rows.alias("row"), on)).execute())

        return committed(commit)


def columns_of(columns: str) -> dict[str, str]:
    """The columns of a definition, and their types."""
    return {one.name: one.dataType.simpleString() for one in _fields(columns)}


def _fields(columns: str) -> StructType:
    return cast("StructType", StructType.fromDDL(columns))


def _comment(field: StructField) -> str:
    said = field.metadata.get("comment", "").replace("'", "\\'")
    return f" COMMENT '{said}'" if said else ""


def _of_row(rows: DataFrame) -> dict[str, str | Column]:
    """Each column of the rows by name: columns that somebody added to the table are left alone."""
    return {f"`{name}`": f"row.`{name}`" for name in rows.columns}


def _metrics(result: DataFrame) -> Row:
    """Delta answers every MERGE with one row."""
    (metrics,) = result.collect()
    return metrics

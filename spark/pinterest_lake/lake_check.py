"""Whether the lake is the pipeline's own: its tables have the pipeline's columns, and each is the one it was.

A table of one of our names may be somebody else's, or was changed since. That is said before a row is written.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any, cast

from delta.tables import DeltaTable
from pyspark.errors import AnalysisException
from pyspark.sql import SparkSession
from pyspark.sql.types import StructType

from pinterest_lake import widgets
from pinterest_lake.catalog import check_service_credential
from pinterest_lake.contract import ANALYSES, ENTITIES, TABLES
from pinterest_lake.schemas import (
    ADDED_LATER,
    BRONZE,
    POSTS,
    QUARANTINE,
    SILVER,
    STREAM_BATCHES,
    STREAM_LINEAGE,
    VALUES,
)
from pinterest_lake.storage import keys, open_bucket
from pinterest_lake.tables import Lake, bronze_table, silver_table

KEY = "ind"
EARLIER_BRONZE = {"topic", "partition", "offset", "kafka_time", "object", "raw", "run_id"}

type Tables = Mapping[str, str]
"""By table: its columns, as SQL."""


class TableError(ValueError):
    """A table of one of the pipeline's names has other columns. The message names table and columns, and what to do."""


def tables_of_batch() -> Tables:
    """What the batch route writes, except for what every run brings up to date from silver: ``posts`` and gold."""
    bronze = {bronze_table(entity): BRONZE for entity in ENTITIES}
    return {**bronze, **{silver_table(entity): columns for entity, columns in SILVER.items()}, **_quarantine()}


def tables_of_stream(user_id: str) -> Tables:
    """What the stream route writes."""
    own = {
        TABLES["stream"].format(user_id=user_id, entity=entity): f"{VALUES[entity]}, {STREAM_LINEAGE}"
        for entity in ENTITIES
    }
    return {**own, TABLES["stream_batches"]: STREAM_BATCHES, **_quarantine()}


def all_tables(user_id: str) -> tuple[str, ...]:
    """Every table that the pipeline makes."""
    return (*{**tables_of_batch(), **tables_of_stream(user_id), **tables_made_of_silver()}, *ANALYSES)


def tables_made_of_silver() -> Tables:
    """What the analyses query. It can be made anew at any time, so it need not be the one it was."""
    return {TABLES["posts"]: POSTS}


def of_notebook(spark: SparkSession, dbutils: Any) -> dict[str, Any]:
    """Check all that a run needs of the lake, from the notebook's parameters; return the lake's :func:`identity`.

    Opens the storage and creates the schema if it is missing, so that a run knows before it posts anything. Writes no
    row and creates no table; a rerun does the same. Raises StorageError, CatalogError or TableError.
    """
    given = widgets.read(dbutils, "check")
    access = {name: given[name] for name in ("secret_scope", "credentials_table")}
    open_bucket(spark, dbutils, given["bucket"], mode=given["storage"], **access)
    if given["service_credential"]:
        check_service_credential(spark, given["service_credential"])
    else:
        keys(spark, dbutils, given["storage"], **access)
    lake = Lake(spark, given["catalog"], given["schema"])
    lake.create_schema()
    tables = {**tables_of_batch(), **tables_of_stream(given["user_id"])}
    check_tables(lake, {**tables, **tables_made_of_silver()})
    check_gold(lake)
    return identity(lake, tables)


def check_tables(lake: Lake, tables: Tables) -> None:
    """Raise TableError unless those of the tables that exist are Delta tables with these columns, of these types.

    Columns that somebody added are left alone: new rows have null there.
    """
    earlier = [name for name in earlier_tables(lake) if name in tables]
    if earlier:
        names = ", ".join(map(lake.name, earlier))
        raise TableError(
            f"an earlier version of the pipeline made {names}: they hold records as text, in raw, and not in record. "
            "Nothing is written. Drop them, and run pinterest_pipeline with on_new_identity=load_all: it loads again "
            "what the bucket and the topics hold"
        )
    problems = [
        f"table {lake.name(f'`{name}`')}: {'; '.join(found)}"
        for name, columns in tables.items()
        if (found := [*_problems(lake, name, columns)])
    ]
    _refuse(problems)


def earlier_tables(lake: Lake) -> list[str]:
    """The bronze tables that an earlier version of the pipeline made: every record is a text there (``raw``)."""
    return [
        table
        for table in map(bronze_table, ENTITIES)
        if lake.spark.catalog.tableExists(lake.name(table))
        and {*lake.table(table).columns} >= EARLIER_BRONZE
        and "record" not in lake.table(table).columns
    ]


def check_gold(lake: Lake) -> None:
    """Raise TableError unless those of the gold tables that exist have the analyses' columns: every run replaces them
    whole."""
    problems = [
        f"table {lake.name(name)}: its columns are {', '.join(stored)}, expected {', '.join(columns)}"
        for name, columns in ANALYSES.items()
        if lake.spark.catalog.tableExists(lake.name(name)) and (stored := lake.table(name).columns) != columns
    ]
    _refuse(problems)


def _refuse(problems: Sequence[str]) -> None:
    if problems:
        raise TableError(
            f"{'. '.join(problems)}. The pipeline did not make it so, and has written nothing: rename the table "
            "(ALTER TABLE … RENAME TO …), or have databricks.schema name another schema"
        )


def identity(lake: Lake, tables: Tables) -> dict[str, dict[str, str]]:
    """``{"tables": {name: id}}`` of those of the tables that exist.

    Delta gives a table its id when it is created; one that is dropped and created again has another.
    """
    found = {name: delta.detail().first() for name in tables if (delta := opened(lake, name)) is not None}
    return {"tables": {name: str(detail.id) for name, detail in found.items() if detail is not None}}


def check_identity(lake: Lake, expected: Mapping[str, str]) -> None:
    """Raise TableError unless every table that is expected is there, by Delta's id. Call it before tables are created.

    Nothing else loads again what was in a table that is gone.
    """
    found = identity(lake, expected)["tables"]
    others = [
        f"table {name} had the id {identity} when it was last written, and has {found.get(name, 'none')} now"
        for name, identity in expected.items()
        if found.get(name) != identity
    ]
    if others:
        raise TableError(
            f"{'; '.join(others)}: it was dropped or made again. Nothing is written. Bring back the table that was "
            "there, or have everything loaded again: run the DAG pinterest_pipeline with on_new_identity=load_all"
        )


def _quarantine() -> Tables:
    return {TABLES["quarantine"]: QUARANTINE}


def _problems(lake: Lake, name: str, columns: str) -> Iterator[str]:
    try:
        table = opened(lake, name)
    except AnalysisException:
        yield "it is not a Delta table"
        return
    if table is None:
        return
    stored = {field.name.lower(): field for field in table.toDF().schema}
    for field in cast("StructType", StructType.fromDDL(columns)):
        there, wanted = stored.pop(field.name.lower(), None), field.dataType.simpleString()
        if there is None and field.name in ADDED_LATER:
            continue
        if there is None:
            yield f"column {field.name} ({wanted}) is missing"
        elif there.dataType.simpleString() != wanted:
            yield f"column {there.name} is {there.dataType.simpleString()}, expected {wanted}"
        elif not there.nullable and there.name != KEY:
            yield f"column {there.name} is NOT NULL, and some records have no value there"
    for more in stored.values():
        if not more.nullable:
            yield f"column {more.name} is NOT NULL, and the pipeline has no value for it"


def opened(lake: Lake, name: str) -> DeltaTable | None:
    """The table; None if it does not exist. Raises AnalysisException if it is not a Delta table."""
    full = lake.name(f"`{name}`")
    return DeltaTable.forName(lake.spark, full) if lake.spark.catalog.tableExists(full) else None

"""Look after the lake's tables: many small files become few, and files that no recent version has are deleted.

Rows, their order of precedence and the tables' ids stay what they are; only ``stream_batches`` forgets old rows.
Statistics are kept: a file that compaction writes has those of the table's ``delta.dataSkippingStatsColumns``.
"""

from __future__ import annotations

from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import Any

from pyspark.sql import Row, SparkSession

from pinterest_lake import widgets
from pinterest_lake.conflicts import CONFLICTS, committed
from pinterest_lake.contract import MAINTAINED_BY, SHORTEST_VERSION_DAYS
from pinterest_lake.lake_check import (
    all_tables,
    check_gold,
    check_tables,
    opened,
    tables_of_batch,
    tables_of_stream,
)
from pinterest_lake.stream_tables import BATCHES
from pinterest_lake.tables import Lake

DETECT, _, DATABRICKS = MAINTAINED_BY
SIDE_BY_SIDE = 4
DAY = 86_400  # seconds

FEW_FILES = 16
LARGE_FILE = 128 << 20  # bytes
CONFIGURATION = {
    # A file is written again until it is large, and then left alone. By default that is 1 GB, which a table of a
    # few hundred MB never reaches: each run would write all of it again.
    "spark.databricks.delta.optimize.minFileSize": str(LARGE_FILE),
    "spark.databricks.delta.optimize.maxFileSize": str(2 * LARGE_FILE),
}

RETENTION = "delta.deletedFileRetentionDuration"
DELTAS_RETENTION = "interval 1 week"


def of_notebook(spark: SparkSession, dbutils: Any) -> dict[str, Any]:
    """Look after every table that exists, from the notebook's parameters; return :func:`maintain`'s report.

    Raises ValueError if a parameter is wrong, and TableError if a table of one of our names is somebody else's.
    """
    given = widgets.read(dbutils, "maintenance")
    if given["by"] not in MAINTAINED_BY:
        raise ValueError(f"notebook parameter by: got {given['by']!r}, expected {' or '.join(MAINTAINED_BY)}")
    lake = Lake(spark, given["catalog"], given["schema"])
    user_id = given["user_id"]
    check_tables(lake, {**tables_of_batch(), **tables_of_stream(user_id)})
    check_gold(lake)
    return maintain(
        lake,
        all_tables(user_id),
        by=given["by"],
        version_days=int(given["version_days"]) if given["version_days"] else None,
        run_days=int(given["run_days"]) if given["run_days"] else None,
    )


def maintain(
    lake: Lake, tables: Sequence[str], *, by: str = DETECT, version_days: int | None = None, run_days: int | None = None
) -> dict[str, Any]:
    """Look after those of the tables that exist; return, by table, the number of ``files``, how many of them compaction
    has ``compacted`` into how many (``into``), and whether the table was ``vacuumed``.

    Safe beside writers and readers: a commit that meets another one is tried again, and a reader of any version that
    was the newest during the last days finds its files. A table that writers never leave alone is compacted by a later
    run (``overtaken``). What Databricks looks after by itself is left to it (``by``). A rerun finds little to do.

    :param by: ``detect`` whether Databricks looks after a table, or who does: ``pipeline`` or ``databricks``
    :param version_days: how long the files of earlier versions stay; None leaves it to each table. Never less than a
        week
    :param run_days: how long ``stream_batches`` keeps a row; None for ever
    """
    for name, value in CONFIGURATION.items():
        lake.spark.conf.set(name, value)
    forgotten = _forget_batches(lake, run_days) if run_days else 0

    def one(table: str) -> dict[str, Any] | None:
        return _maintain(lake, table, by, version_days)

    with ThreadPoolExecutor(SIDE_BY_SIDE) as pool:
        done = dict(zip(tables, pool.map(one, tables), strict=True))
    return {"tables": {table: report for table, report in done.items() if report}, "forgotten_batches": forgotten}


def _maintain(lake: Lake, table: str, by: str, version_days: int | None) -> dict[str, Any] | None:
    delta = opened(lake, table)
    if delta is None:
        return None
    name = lake.name(f"`{table}`")
    detail: Row = delta.detail().collect()[0]
    _keep_versions(lake, name, detail.properties.get(RETENTION, DELTAS_RETENTION), version_days)
    if by == DATABRICKS or (by == DETECT and is_optimized_by_databricks(lake, name)):
        return {"files": detail.numFiles, "left_to": DATABRICKS}
    report = {"files": detail.numFiles, **(_compact(lake, name) if has_small_files(detail) else {})}
    lake.spark.sql(f"VACUUM {name}").collect()
    return {**report, "vacuumed": True}


def has_small_files(detail: Row) -> bool:
    """Whether so many of the table's files are small that writing them again pays, by ``DESCRIBE DETAIL``."""
    return bool(detail.numFiles > FEW_FILES + detail.sizeInBytes / LARGE_FILE)


def is_optimized_by_databricks(lake: Lake, name: str) -> bool:
    """Whether predictive optimization is on for the table: it compacts, vacuums and analyzes when that pays."""
    described = lake.spark.sql(f"DESCRIBE TABLE EXTENDED {name}").collect()
    return any(row[0] == "Predictive Optimization" and str(row[1]).startswith("ENABLE") for row in described)


def _compact(lake: Lake, name: str) -> dict[str, Any]:
    try:
        (done,) = committed(lambda: lake.spark.sql(f"OPTIMIZE {name}").collect())
    except CONFLICTS:
        return {"overtaken": True}
    return {"compacted": done.metrics.numFilesRemoved, "into": done.metrics.numFilesAdded}


def _keep_versions(lake: Lake, name: str, stored: str, days: int | None) -> None:
    """Write the retention into the table, where VACUUM and predictive optimization look for it.

    VACUUM's own RETAIN is not used: Delta takes one that is too short without a word.
    """
    now = _days(lake, stored)
    wanted = max(now if days is None else days, SHORTEST_VERSION_DAYS)
    if wanted != now:
        setting = f"ALTER TABLE {name} SET TBLPROPERTIES ('{RETENTION}' = 'interval {wanted} days')"
        committed(lambda: lake.spark.sql(setting))


def _days(lake: Lake, interval: str) -> float:
    """A property's interval (``interval 1 week``, ``30 days``) in days."""
    text = interval.lower().removeprefix("interval").strip()
    (row,) = lake.spark.sql(f"SELECT unix_seconds(timestamp_seconds(0) + INTERVAL '{text}') AS seconds").collect()
    return float(row.seconds) / DAY


def _forget_batches(lake: Lake, days: int) -> int:
    """Delete rows of ``stream_batches`` that are older than this; return how many.

    What reads them asks for batches of records that Kinesis still holds, or of a run whose documents still exist.
    """
    if opened(lake, BATCHES) is None:
        return 0
    delete = f"DELETE FROM {lake.name(BATCHES)} WHERE committed_at < current_timestamp() - INTERVAL '{days} days'"  # noqa: S608
    (deleted,) = committed(lambda: lake.spark.sql(delete).collect())
    return int(deleted.num_affected_rows)

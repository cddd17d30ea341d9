"""What the lake's table ``stream_batches`` says: which records every committed batch held.

A job that ends says it with its notebook's exit, having read the table as it is stored. While a job goes on, a SQL
warehouse is asked, which ``databricks.warehouse_id`` names.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from functools import cached_property
from typing import Any, Protocol

from include.lake.batch_counts import parse_exit
from include.lake.contract import AVAILABLE_NOW, SEQUENCE_NUMBER_DIGITS, STREAM, STREAM_BATCHES
from include.lake.stream_counts import Committed, StreamBatch, batches_query, batches_told, committed_told
from include.positions.kinesis import ShardRange
from include.settings import Settings
from pinterest.hooks.databricks_jobs import DatabricksJobsHook
from pinterest.hooks.databricks_warehouse import DatabricksWarehouseHook, SqlError

ID_IN_DETAIL = 1  # DESCRIBE DETAIL: format, id, name, …
NO_TABLE = ("TABLE_OR_VIEW_NOT_FOUND", "SCHEMA_NOT_FOUND")


class StreamBatches(Protocol):
    """What can be asked of the table."""

    def of_run(self, run_id: str, ranges: Mapping[str, Sequence[ShardRange]]) -> list[StreamBatch]:
        """The batches that the run committed or that hold any record of these ranges, which are by data stream."""

    def committed(self, data_streams: Sequence[str]) -> dict[tuple[str, str], Committed]:
        """How far these data streams have been committed, by data stream and shard."""


def stream_batches(run: Mapping[str, Any], settings: Settings) -> StreamBatches:
    """:param run: what :class:`~pinterest.operators.stream_job.StreamJobOperator` returned"""
    if run["trigger"] == AVAILABLE_NOW:
        return ToldBatches(DatabricksJobsHook(run["conn_id"]), run["run_id"])
    return QueriedBatches(DatabricksWarehouseHook(run["conn_id"]), settings)


class ToldBatches:
    """What the notebook of a job's run has read, of the Airflow run that started it."""

    def __init__(self, hook: DatabricksJobsHook, run_id: int) -> None:
        self._hook = hook
        self._run_id = run_id

    def of_run(self, run_id: str, ranges: Mapping[str, Sequence[ShardRange]]) -> list[StreamBatch]:
        return batches_told(self._exit)

    def committed(self, data_streams: Sequence[str]) -> dict[tuple[str, str], Committed]:
        """Only of shards into which the run has put records."""
        return committed_told(self._exit)

    @cached_property
    def _exit(self) -> dict[str, Any]:
        task_run = self._hook.task_run(self._run_id, STREAM)
        return parse_exit(STREAM, self._hook.get_run_output(task_run["run_id"]))


class QueriedBatches:
    """Queries the table on a SQL warehouse. A table that does not exist yet has no batches."""

    def __init__(self, hook: DatabricksWarehouseHook, settings: Settings) -> None:
        self._hook = hook
        self._warehouse = settings.databricks.warehouse_id
        self._schema = f"{settings.databricks.catalog}.{settings.databricks.schema_name}"
        self._table = f"{self._schema}.{STREAM_BATCHES}"

    def of_run(self, run_id: str, ranges: Mapping[str, Sequence[ShardRange]]) -> list[StreamBatch]:
        return [StreamBatch.of_row(row) for row in self._query(batches_query(self._table, ranges, run_id))]

    def committed(self, data_streams: Sequence[str]) -> dict[tuple[str, str], Committed]:
        names = ", ".join(f"'{data_stream}'" for data_stream in data_streams)
        rows = self._query(
            f"SELECT source, shard.shard_id, max(lpad(shard.last, {SEQUENCE_NUMBER_DIGITS}, '0')), sum(shard.records), "  # noqa: S608
            f"max(unix_millis(committed_at)) FROM {self._table} LATERAL VIEW explode(shards) AS shard "
            f"WHERE source IN ({names}) GROUP BY source, shard.shard_id"
        )
        return {
            (str(data_stream), str(shard_id)): Committed(
                int(last or 0), int(records or 0), datetime.fromtimestamp(int(at or 0) / 1000, UTC)
            )
            for data_stream, shard_id, last, records, at in rows
        }

    def table_ids(self, tables: Sequence[str]) -> dict[str, str]:
        """The Delta ids of those of the tables that exist."""
        details = {table: self._query(f"DESCRIBE DETAIL {self._schema}.`{table}`") for table in tables}
        return {table: str(rows[0][ID_IN_DETAIL]) for table, rows in details.items() if rows}

    def _query(self, statement: str) -> list[list[str | None]]:
        try:
            return self._hook.query(statement, warehouse_id=self._warehouse)
        except SqlError as error:
            if any(name in str(error) for name in NO_TABLE):
                return []
            raise

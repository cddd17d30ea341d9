"""What streaming notebooks need from the worker: the ``kinesis`` source, batches in the notebook's context, an end."""

from __future__ import annotations

import contextvars
from collections.abc import Callable
from typing import Any

from pyspark.java_gateway import ensure_callback_server_started
from pyspark.sql import DataFrame, SparkSession
from pyspark.sql.streaming.readwriter import DataStreamWriter

from lab.spark_worker.kinesis_source import KinesisSource


def route_batches(session: SparkSession) -> None:
    """Run each ``foreachBatch`` function, which the JVM calls, in its notebook's context: its log, its imports.

    Called once at start-up: the thread that receives the JVM's calls must not be started by a notebook, since it would
    keep that notebook's log forever.
    """
    ensure_callback_server_started(session.sparkContext._gateway)  # type: ignore[no-untyped-call]  # PySpark's own
    foreach_batch = DataStreamWriter.foreachBatch

    def in_context(writer: DataStreamWriter, function: Callable[[DataFrame, int], Any]) -> DataStreamWriter:
        context = contextvars.copy_context()
        return foreach_batch(writer, lambda rows, number: context.copy().run(function, rows, number))

    DataStreamWriter.foreachBatch = in_context  # type: ignore[method-assign, assignment]  # for every notebook


def add_sources(session: SparkSession) -> None:
    session.dataSource.register(KinesisSource)


def stop_queries(session: SparkSession) -> None:
    """Stop a notebook's queries; on Databricks they end with the job's cluster."""
    for query in session.streams.active:
        query.stop()

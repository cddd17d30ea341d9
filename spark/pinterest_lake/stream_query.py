"""The streaming queries: one per data stream, each with its own checkpoint, side by side."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import asdict, replace

from pyspark.errors import StreamingQueryException
from pyspark.sql import DataFrame
from pyspark.sql import functions as F
from pyspark.sql.streaming.query import StreamingQuery

from pinterest_lake import stream_tables
from pinterest_lake.lake_check import check_identity, check_tables, tables_of_stream
from pinterest_lake.stream_batch import Batch, store
from pinterest_lake.stream_job import StreamJob
from pinterest_lake.stream_records import cleaned

CONFIGURATION = {
    "spark.sql.streaming.triggerAvailableNowWrapper.enabled": "true",  # or a run after a crash ends with its replay
    "spark.sql.streaming.stopActiveRunOnRestart": "false",  # or a second run would end the first
    "spark.databricks.delta.merge.materializeSource": "none",  # a batch is kept, and can be read again
    "spark.databricks.delta.autoCompact.minNumFiles": "200",  # compaction holds up a batch: with 50, too many
}
NO_RECORDS = {"records": 0, "inserted": 0, "updated": 0, "superseded": 0, "quarantined": 0}
OF_ANOTHER_STREAM = "did not come from this stream"
CONCURRENT = ("already active", "concurrently", "CONCURRENT")
NO_WORKER = "Python worker failed to connect back"
"""Spark gives a Python process ten seconds to begin, which a busy machine may take. It says nothing of the data."""
STARTS = 3
"""Of a query for which its worker begins too late: one, and two more."""


class StreamError(RuntimeError):
    """A data stream cannot be read any further. The message names it and says what to do."""


class Query:
    """One streaming query over ``data_streams`` (their names, by entity), and what its batches added up to."""

    def __init__(self, job: StreamJob, data_streams: Mapping[str, str]) -> None:
        self.job = job
        self.data_streams = data_streams
        names = (job.checkpoint_names.get(entity, name) for entity, name in data_streams.items())
        self.checkpoint = f"{job.checkpoints}/{'+'.join(names)}"
        self.is_renewed = bool(job.checkpoint_names) and not self.checkpoint.endswith("+".join(data_streams.values()))
        self.counts = {entity: Counter(batches=0, **NO_RECORDS) for entity in data_streams}
        self.running: StreamingQuery | None = None
        self.starts = 0
        self._query_id: str | None = None

    def start(self) -> None:
        """Begin where the checkpoint ends."""
        self.starts += 1
        self._query_id = None
        job = self.job
        entities = [*self.data_streams]
        records = (
            job.lake.spark.readStream.format("kinesis")
            .option("streamName", ",".join(self.data_streams.values()))
            .option("region", job.region)
            .option("initialPosition", "trim_horizon")
            .options(**job.credentials)
            .load()
        )
        rows = cleaned(records, entities[0]) if len(entities) == 1 else records
        writer = rows.writeStream.foreachBatch(self._store).option("checkpointLocation", self.checkpoint)
        if job.trigger == "available_now":
            writer = writer.trigger(availableNow=True)
        else:
            writer = writer.trigger(processingTime=f"{job.interval_seconds} seconds")
        try:
            self.running = writer.start()
        except Exception as error:
            raise self._explained(error) from error

    @property
    def is_active(self) -> bool:
        return self.running is not None and self.running.isActive

    @property
    def error(self) -> StreamError | None:
        failure = self.running.exception() if self.running is not None else None
        return self._explained(failure) if failure is not None else None

    @property
    def may_start_again(self) -> bool:
        """Whether the machine was too busy for it. Another start has a chance, and reads nothing twice."""
        return self.starts < STARTS and self.error is not None and NO_WORKER in str(self.error)

    def stop(self) -> None:
        if self.running is not None:
            self.running.stop()

    def _store(self, rows: DataFrame, number: int) -> None:
        lake = replace(self.job.lake, spark=rows.sparkSession)
        first_of_run = self._query_id is None
        if self._query_id is None:
            (metadata,) = lake.spark.read.text(f"{self.checkpoint}/metadata").collect()
            self._query_id = json.loads(metadata.value)["id"]
        batch = Batch(
            lake=lake,
            user_id=self.job.user_id,
            run_id=self.job.run_id,
            data_streams=self.data_streams,
            query_id=self._query_id,
            number=number,
            may_be_replayed=first_of_run,
            may_be_known=self.is_renewed,
        )
        for entity, figures in store(batch, self._by_entity(rows)).items():
            self.counts[entity].update(batches=1, **asdict(figures))

    def _by_entity(self, rows: DataFrame) -> dict[str, DataFrame]:
        if len(self.data_streams) == 1:
            return dict.fromkeys(self.data_streams, rows)
        own = {entity: rows.where(F.col("stream") == name) for entity, name in self.data_streams.items()}
        return {entity: cleaned(records, entity) for entity, records in own.items()}

    def _explained(self, error: Exception) -> StreamError:
        said = str(error)
        entities = ", ".join(self.data_streams)
        names = ", ".join(map(repr, self.data_streams.values()))
        if "ResourceNotFoundException" in said:
            return StreamError(f"{entities}: Kinesis has no data stream {names} in {self.job.region}; create it first")
        if OF_ANOTHER_STREAM in said:
            return StreamError(
                f"{entities}: the checkpoint {self.checkpoint} is of another data stream than {names}, which was "
                "deleted and made again: run the DAG with on_new_identity=load_all, which begins a new checkpoint"
            )
        if any(word in said for word in CONCURRENT):
            return StreamError(
                f"{entities}: another query reads {names} with the checkpoint {self.checkpoint}, and a checkpoint "
                "takes one at a time; wait until that run has ended, or cancel it"
            )
        return StreamError(f"{entities}: reading {names} failed: {said}")


def run(job: StreamJob) -> dict[str, dict[str, int]]:
    """Bring the tables up to date with the data streams, or keep them so until canceled; return counts by entity.

    If one query fails, the others still take what is there; with ``processing_time`` the whole job ends. Raises
    StreamError with the errors of all that failed.
    """
    for name, value in CONFIGURATION.items():
        job.lake.spark.conf.set(name, value)
    check_tables(job.lake, tables_of_stream(job.user_id))
    check_identity(job.lake, job.tables)
    stream_tables.create(job.lake, job.user_id, job.data_streams)
    queries = [Query(job, {entity: name}) for entity, name in job.data_streams.items()]
    run_side_by_side(job, queries)
    return {entity: dict(count) for query in queries for entity, count in query.counts.items()}


def run_side_by_side(job: StreamJob, queries: list[Query]) -> None:
    goes_on = job.trigger == "processing_time"
    refused: list[StreamError] = []
    try:
        for query in queries:
            _start(query, refused)
        while True:
            for query in queries:
                if query.may_start_again:
                    _start(query, refused)
            ended = not any(query.is_active or query.may_start_again for query in queries)
            last_words = [query.error for query in queries if not query.may_start_again]
            errors = refused + [error for error in last_words if error]
            if ended or (errors and goes_on):
                break
            with suppress(StreamingQueryException):
                job.lake.spark.streams.awaitAnyTermination()
            job.lake.spark.streams.resetTerminated()
    finally:
        for query in queries:
            query.stop()
    if errors:
        raise StreamError("\n".join(map(str, errors)))


def _start(query: Query, refused: list[StreamError]) -> None:
    try:
        query.start()
    except StreamError as error:
        refused.append(error)

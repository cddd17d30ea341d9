"""The streaming queries: one for each data stream, each with its own checkpoint, side by side."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import asdict, replace

from pyspark.errors import StreamingQueryException
from pyspark.sql import DataFrame
from pyspark.sql import functions as F
from pyspark.sql.streaming import StreamingQuery

from pinterest_lake import stream_tables
from pinterest_lake.stream_batch import Batch, store
from pinterest_lake.stream_job import StreamJob
from pinterest_lake.stream_records import cleaned

CONFIGURATION = {
    "spark.sql.streaming.triggerAvailableNowWrapper.enabled": "true",  # else a run after a crash ends with its replay
    "spark.sql.streaming.stopActiveRunOnRestart": "false",  # else a second run would end the first
    "spark.databricks.delta.merge.materializeSource": "none",  # a batch can be read again, and is kept
    "spark.databricks.delta.autoCompact.minNumFiles": "200",  # a batch waits for compaction: with 50, too many do
}
NO_RECORDS = {"records": 0, "inserted": 0, "updated": 0, "superseded": 0, "quarantined": 0}
CONCURRENT = ("already active", "concurrently", "CONCURRENT")


class StreamError(RuntimeError):
    """A data stream cannot be read on. The message names it and says what to do."""


class Query:
    """One streaming query over ``sources`` (names of Kinesis streams, by stream), and what its batches amounted to."""

    def __init__(self, job: StreamJob, sources: Mapping[str, str]) -> None:
        self.job = job
        self.sources = sources
        self.checkpoint = f"{job.checkpoints}/{'+'.join(sources.values())}"
        self.counts = {stream: Counter(batches=0, **NO_RECORDS) for stream in sources}
        self.running: StreamingQuery | None = None
        self._query_id: str | None = None

    def start(self) -> None:
        job = self.job
        names = [*self.sources]
        records = (
            job.lake.spark.readStream.format("kinesis")
            .option("streamName", ",".join(self.sources.values()))
            .option("region", job.region)
            .option("initialPosition", "trim_horizon")
            .options(**job.credentials)
            .load()
        )
        rows = cleaned(records, names[0]) if len(names) == 1 else records
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

    def stop(self) -> None:
        if self.running is not None:
            self.running.stop()

    def _store(self, rows: DataFrame, number: int) -> None:
        lake = replace(self.job.lake, spark=rows.sparkSession)
        first_of_run = self._query_id is None
        if self._query_id is None:
            self._query_id = json.loads(lake.spark.read.text(f"{self.checkpoint}/metadata").first().value)["id"]
        batch = Batch(
            lake=lake,
            user_id=self.job.user_id,
            run_id=self.job.run_id,
            sources=self.sources,
            query_id=self._query_id,
            number=number,
            may_be_replayed=first_of_run,
        )
        for stream, figures in store(batch, self._by_stream(rows)).items():
            self.counts[stream].update(batches=1, **asdict(figures))

    def _by_stream(self, rows: DataFrame) -> dict[str, DataFrame]:
        if len(self.sources) == 1:
            return dict.fromkeys(self.sources, rows)
        own = {stream: rows.where(F.col("stream") == source) for stream, source in self.sources.items()}
        return {stream: cleaned(records, stream) for stream, records in own.items()}

    def _explained(self, error: Exception) -> StreamError:
        said = str(error)
        streams = ", ".join(self.sources)
        names = ", ".join(map(repr, self.sources.values()))
        if "ResourceNotFoundException" in said:
            return StreamError(f"{streams}: Kinesis has no data stream {names} in {self.job.region}; make it first")
        if any(word in said for word in CONCURRENT):
            return StreamError(
                f"{streams}: another query reads {names} with the checkpoint {self.checkpoint}, and a checkpoint has "
                "one at a time; wait until that run has ended, or cancel it"
            )
        return StreamError(f"{streams}: reading {names} failed: {said}")


def run(job: StreamJob) -> dict[str, dict[str, int]]:
    """Bring the tables up to date with the data streams, or keep them so until cancelled; counts by stream.

    Where one stream fails, the others still take what is there; a job without end ends.
    """
    for name, value in CONFIGURATION.items():
        job.lake.spark.conf.set(name, value)
    stream_tables.create(job.lake, job.user_id, job.streams)
    queries = [Query(job, {stream: source}) for stream, source in job.streams.items()]
    run_side_by_side(job, queries)
    return {stream: dict(count) for query in queries for stream, count in query.counts.items()}


def run_side_by_side(job: StreamJob, queries: list[Query]) -> None:
    errors = []
    try:
        for query in queries:
            try:
                query.start()
            except StreamError as error:
                errors.append(error)
                if job.trigger == "processing_time":
                    break
        while any(query.is_active for query in queries) and not (errors and job.trigger == "processing_time"):
            with suppress(StreamingQueryException):
                job.lake.spark.streams.awaitAnyTermination()
            job.lake.spark.streams.resetTerminated()
            errors = [query.error for query in queries if query.error]
    finally:
        for query in queries:
            query.stop()
    if errors:
        raise StreamError("\n".join(map(str, errors)))

"""Databricks' ``kinesis`` source for Spark, on the lab's emulated Kinesis: same name, options and columns.

Options: ``streamName`` (one or more, separated by commas), ``region``, ``initialPosition`` (``latest``,
``trim_horizon`` or its alias ``earliest``), ``awsAccessKey`` and ``awsSecretKey``, or ``serviceCredential`` instead of
them (any name: the lab reads with the worker's own keys then), ``shardsPerTask``. boto3 determines the Kinesis endpoint
(``AWS_ENDPOINT_URL_KINESIS``).

An offset is the last sequence number of every shard. Spark 4.1 asks for the newest offset without saying where the
query stands, so a shard's newest record is searched for, not reached by reading: see ``ShardReader.newest``. A batch
ends there. Its records are passed on as Arrow batches of one Kinesis call each, so memory use does not depend on the
backlog.
"""

from __future__ import annotations

import sys
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING, Any, cast

from pyspark.sql.datasource import DataSource, DataSourceStreamReader, InputPartition

from lab.spark_worker.kinesis_shards import Record, ShardReader, connect, shards_of

if TYPE_CHECKING:
    from pyarrow import RecordBatch
    from pyspark.sql.types import StructType

SCHEMA = (
    "partitionKey STRING, data BINARY, stream STRING, shardId STRING, sequenceNumber STRING, "
    "approximateArrivalTimestamp TIMESTAMP"
)
OPTIONS = {
    "streamname",
    "region",
    "initialposition",
    "awsaccesskey",
    "awssecretkey",
    "servicecredential",
    "shardspertask",
}
FROM_THE_START = ("trim_horizon", "earliest")
Offset = dict[str, dict[str, str]]


@dataclass(frozen=True)
class Span:
    """Records of one shard: after ``after`` (None: from the oldest) up to ``last``."""

    stream: str
    shard: str
    after: str | None
    last: str


@dataclass
class Spans(InputPartition):
    """The ranges that one task reads, one after the other."""

    spans: list[Span]


class KinesisSource(DataSource):
    @classmethod
    def name(cls) -> str:
        return "kinesis"

    def schema(self) -> str:
        return SCHEMA

    def streamReader(self, schema: StructType) -> KinesisReader:
        return KinesisReader({name.lower(): value for name, value in self.options.items()})


class KinesisReader(DataSourceStreamReader):
    def __init__(self, options: Mapping[str, str]) -> None:
        unknown = sorted(set(options) - OPTIONS)
        if unknown or "streamname" not in options:
            raise ValueError(f"kinesis: option streamName is needed; the lab does not know {unknown}")
        if "servicecredential" in options and "awsaccesskey" in options:
            raise ValueError("kinesis: options serviceCredential and awsAccessKey: only one of them can be given")
        self.options = dict(options)
        self.position = self.options.get("initialposition", "latest").lower()
        if self.position not in ("latest", *FROM_THE_START):
            raise ValueError(f"kinesis: option initialPosition: got {self.position!r}, expected latest or trim_horizon")
        self.streams = [name.strip() for name in self.options["streamname"].split(",")]
        self.newest: Offset = {}

    def initialOffset(self) -> Offset:
        """Trim horizon: no shard has been read. Latest: every shard has been read to its end."""
        self._shards()  # a missing stream fails the query now, not when it gets records
        return {stream: {} for stream in self.streams} if self.position in FROM_THE_START else self.latestOffset()

    def latestOffset(self) -> Offset:
        newest: Offset = {}
        for stream, shards in self._shards().items():
            known = self.newest.get(stream, {})
            found = {shard: self._reader(stream, shard).newest(known.get(shard)) for shard in shards}
            newest[stream] = {shard: last for shard, last in found.items() if last is not None}
        self.newest = newest
        return newest

    def partitions(self, start: Offset, end: Offset) -> list[Spans]:
        """Tasks of a few shards each: a task costs more than reading a shard with few records."""
        spans = []
        for stream, shards in end.items():
            read = start.get(stream, {})
            for shard in sorted(read.keys() - shards.keys()):
                warn(stream, shard, f"is gone; it was read up to {read[shard]}")
            spans += [
                Span(stream, shard, read.get(shard), last)
                for shard, last in sorted(shards.items())
                if read.get(shard) != last
            ]
        size = int(self.options.get("shardspertask", "5"))
        return [Spans(spans[first : first + size]) for first in range(0, len(spans), size)]

    def read(self, partition: InputPartition) -> Iterator[RecordBatch]:
        for span in cast(Spans, partition).spans:
            lost = partial(warn, span.stream, span.shard)
            for records in self._reader(span.stream, span.shard).between(span.after, span.last, lost):
                yield arrow(records, span)

    def commit(self, end: Offset) -> None:
        """Nothing to commit: the checkpoint, not Kinesis, keeps the position."""

    def _shards(self) -> dict[str, list[str]]:
        return {stream: shards_of(self._client(), stream) for stream in self.streams}

    def _reader(self, stream: str, shard: str) -> ShardReader:
        return ShardReader(self._client(), stream, shard)

    def _client(self) -> Any:
        of = self.options.get
        return connect(of("region", "us-east-1"), of("awsaccesskey"), of("awssecretkey"))


def arrow(records: list[Record], span: Span) -> RecordBatch:
    import pyarrow

    def column(name: str, of: pyarrow.DataType) -> pyarrow.Array:
        return pyarrow.array([record[name] for record in records], of)

    def constant(value: str) -> pyarrow.Array:
        return pyarrow.repeat(value, len(records))

    arrivals = [round(record["ApproximateArrivalTimestamp"] * 1_000_000) for record in records]
    return pyarrow.RecordBatch.from_pydict(
        {
            "partitionKey": column("PartitionKey", pyarrow.string()),
            "data": column("Data", pyarrow.binary()),
            "stream": constant(span.stream),
            "shardId": constant(span.shard),
            "sequenceNumber": column("SequenceNumber", pyarrow.string()),
            "approximateArrivalTimestamp": pyarrow.array(arrivals, pyarrow.timestamp("us", tz="UTC")),
        }
    )


def warn(stream: str, shard: str, what: str) -> None:
    print(f"WARNING kinesis: {stream}/{shard}: {what}", file=sys.stderr, flush=True)

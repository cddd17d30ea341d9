"""What one run loads: the manifest that the landing stage leaves beside the data."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import dataclass
from functools import reduce
from operator import or_
from typing import Any

from pyspark.sql import Column, SparkSession
from pyspark.sql import functions as F

LANDING = "/landing/"


class ManifestError(ValueError):
    """The manifest is not what the landing stage writes. The message names the file and the field."""


@dataclass(frozen=True)
class LandedObject:
    """One S3 object and the offsets it held when it was listed; it may have been rewritten since."""

    key: str
    lines: int
    first_offset: int
    last_offset: int

    @property
    def file_name(self) -> str:
        return self.key.rsplit("/", 1)[-1]


@dataclass(frozen=True)
class Interval:
    """The offsets ``[start, end)`` of one partition, and the objects that hold them."""

    partition: int
    start: int
    end: int
    objects: tuple[LandedObject, ...]


@dataclass(frozen=True)
class Held:
    """What bronze holds of one partition's interval."""

    partition: int
    lines: int
    first: int
    last: int


@dataclass(frozen=True)
class Landed:
    """One topic of a run."""

    topic: str
    intervals: tuple[Interval, ...]

    @property
    def objects(self) -> tuple[LandedObject, ...]:
        return tuple(landed for interval in self.intervals for landed in interval.objects)

    @property
    def size(self) -> int:
        """How many positions the run has."""
        return sum(interval.end - interval.start for interval in self.intervals)

    @property
    def whole(self) -> list[Held]:
        """What bronze holds if it holds every position."""
        return [
            Held(interval.partition, interval.end - interval.start, interval.start, interval.end - 1)
            for interval in self.intervals
            if interval.end > interval.start
        ]

    @property
    def held(self) -> Column:
        """True for rows whose position is of this run. Literals only, so that Delta skips the files of other runs."""
        return self._where(lambda interval: F.col("offset").between(interval.start, interval.end - 1))

    @property
    def follows(self) -> Column:
        """True for rows of the same partitions that came after this run."""
        return self._where(lambda interval: F.col("offset") >= interval.end)

    def _where(self, offsets: Callable[[Interval], Column]) -> Column:
        intervals = [(F.col("partition") == interval.partition) & offsets(interval) for interval in self.intervals]
        return (F.col("topic") == self.topic) & reduce(or_, intervals, F.lit(False))


@dataclass(frozen=True)
class Manifest:
    """Everything one run loads. ``root`` is the bucket's URI; object keys are relative to it."""

    root: str
    topics: dict[str, Landed]
    dead_letters: str | None

    def uri(self, key: str) -> str:
        return f"{self.root}/{key}"


def read_manifest(spark: SparkSession, uri: str) -> Manifest:
    """Read it as Spark reads data, so that every address the cluster can read will do (s3a, dbfs, file)."""
    root, landing, _ = uri.rpartition(LANDING)
    if not landing:
        raise ManifestError(f"manifest {uri!r}: expected <bucket URI>{LANDING}<dag id>/<run id>/manifest.json")
    text = spark.read.text(uri, wholetext=True).first()
    try:
        content = json.loads(text.value if text else "")
        return Manifest(
            root=root,
            topics={stream: _landed(topic) for stream, topic in content["topics"].items()},
            dead_letters=content["dead_letters"]["key"] if content["dead_letters"]["count"] else None,
        )
    except KeyError as error:
        raise ManifestError(f"manifest {uri!r}: field {error} is missing; run the landing stage again") from error
    except ValueError as error:
        raise ManifestError(f"manifest {uri!r} is not JSON: {error}; run the landing stage again") from error


def _landed(topic: dict[str, Any]) -> Landed:
    return Landed(
        topic=topic["topic"],
        intervals=tuple(
            Interval(
                partition=int(partition),
                start=interval["from"],
                end=interval["to"],
                objects=tuple(
                    LandedObject(landed["key"], landed["lines"], landed["first_offset"], landed["last_offset"])
                    for landed in interval["objects"]
                ),
            )
            for partition, interval in sorted(topic["partitions"].items(), key=lambda item: int(item[0]))
        ),
    )

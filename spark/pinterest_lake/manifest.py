"""What one run loads: the manifest that the landing stage leaves beside the data."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import dataclass, field
from functools import reduce
from operator import or_
from typing import Any

from pyspark.sql import Column, DataFrame, SparkSession
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
class PartitionRange:
    """The offsets ``[start, stop)`` of one partition, and the objects that hold them.

    The offsets of ``empty``, half-open ranges too, hold no record, whatever an object says.
    """

    partition: int
    start: int
    stop: int
    objects: tuple[LandedObject, ...]
    empty: tuple[tuple[int, int], ...] = ()

    @property
    def size(self) -> int:
        return self.stop - self.start - sum(stop - start for start, stop in self.empty)


@dataclass(frozen=True)
class Held:
    """What bronze holds of one partition range."""

    partition: int
    lines: int
    first: int
    last: int


@dataclass(frozen=True)
class Landed:
    """One topic of a run. The tables know it as ``stored_as``: a topic that was made again has its id in that name."""

    topic: str
    ranges: tuple[PartitionRange, ...]
    stored_as: str

    @property
    def objects(self) -> tuple[LandedObject, ...]:
        return tuple(landed for one in self.ranges for landed in one.objects)

    @property
    def size(self) -> int:
        """How many positions the run covers."""
        return sum(one.size for one in self.ranges)

    @property
    def has_empty(self) -> bool:
        return any(one.empty for one in self.ranges)

    def relabeled(self, rows: DataFrame) -> DataFrame:
        """Rows with Kafka's topic, with the name that the tables know it by."""
        if self.stored_as == self.topic:
            return rows
        return rows.withColumn("topic", F.when(F.col("topic") == self.topic, F.lit(self.stored_as)))

    @property
    def whole(self) -> list[Held]:
        """What bronze holds once it holds every position of ranges without empty offsets."""
        return [Held(one.partition, one.size, one.start, one.stop - 1) for one in self.ranges if one.size]

    @property
    def held(self) -> Column:
        """True for rows whose position belongs to this run. Literals only, so that Delta skips other runs' files."""
        return self._where(_holds)

    @property
    def follows(self) -> Column:
        """True for rows of the same partitions that came after this run."""
        return self._where(lambda one: F.col("offset") >= one.stop)

    def _where(self, offsets: Callable[[PartitionRange], Column]) -> Column:
        ranges = [(F.col("partition") == one.partition) & offsets(one) for one in self.ranges]
        return (F.col("topic") == self.stored_as) & reduce(or_, ranges, F.lit(False))


def _holds(one: PartitionRange) -> Column:
    held = F.col("offset").between(one.start, one.stop - 1)
    for start, stop in one.empty:
        held &= ~F.col("offset").between(start, stop - 1)
    return held


@dataclass(frozen=True)
class Manifest:
    """Everything one run loads, by entity. ``root`` is the bucket's URI; object keys are relative to it.

    ``dead_letters`` is the key of the run's file of dead letters; None if it has none. ``tables`` has the Delta ids
    that the lake's tables must have, as far as they are known.
    """

    root: str
    topics: dict[str, Landed]
    dead_letters: str | None
    tables: dict[str, str] = field(default_factory=dict)

    def uri(self, key: str) -> str:
        return f"{self.root}/{key}"


def read_manifest(spark: SparkSession, uri: str) -> Manifest:
    """Read it the way Spark reads data: any address that the cluster can read works (s3a, dbfs, file).

    Raises ManifestError if the address or the content is not what the landing stage writes.
    """
    root, landing, _ = uri.rpartition(LANDING)
    if not landing:
        raise ManifestError(f"manifest {uri!r}: expected <bucket URI>{LANDING}<dag id>/<run id>/manifest.json")
    text = spark.read.text(uri, wholetext=True).first()
    try:
        content = json.loads(text.value if text else "")
        return Manifest(
            root=root,
            topics={entity: _landed(topic) for entity, topic in content["topics"].items()},
            dead_letters=content["dead_letters"]["key"] if content["dead_letters"]["count"] else None,
            tables=(content.get("lake") or {}).get("tables") or {},
        )
    except KeyError as error:
        raise ManifestError(f"manifest {uri!r}: field {error} is missing; run the landing stage again") from error
    except ValueError as error:
        raise ManifestError(f"manifest {uri!r} is not JSON: {error}; run the landing stage again") from error


def _landed(topic: dict[str, Any]) -> Landed:
    return Landed(
        topic=topic["topic"],
        stored_as=topic.get("stored_as") or topic["topic"],
        ranges=tuple(
            PartitionRange(
                partition=int(partition),
                start=covered["from"],
                stop=covered["to"],
                objects=tuple(
                    LandedObject(landed["key"], landed["lines"], landed["first_offset"], landed["last_offset"])
                    for landed in covered["objects"]
                ),
                empty=tuple((start, stop) for start, stop in covered.get("empty", ())),
            )
            for partition, covered in sorted(topic["partitions"].items(), key=lambda item: int(item[0]))
        ),
    )

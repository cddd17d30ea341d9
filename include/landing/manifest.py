"""The manifest: exactly what the load reads of a run."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from typing import Annotated

from pydantic import AliasChoices, Field

from include.lake.identity import LakeIdentity
from include.landing.coverage import PartitionCoverage
from include.landing.document import Document, Offset
from include.landing.interval import Interval
from include.landing.objects import ScannedObject
from include.positions.kafka import Range
from include.settings import Entity


class ManifestObject(Document):
    key: str
    size: int
    etag: str
    lines: int
    first_offset: Offset
    last_offset: Offset


class ManifestPartition(Document):
    """``empty``: offsets that hold no record, whatever an object says."""

    start: Annotated[Offset, Field(alias="from")]
    stop: Annotated[Offset, Field(alias="to")]
    empty: tuple[Range, ...] = ()
    objects: tuple[ManifestObject, ...]


class ManifestTopic(Document):
    """``stored_as``: the topic's name in the lake; None for the topic's own."""

    topic: str
    stored_as: str | None = None
    partitions: dict[int, ManifestPartition]


class ManifestDeadLetters(Document):
    """``next_offsets``: where the next run starts to read each partition of the dead-letter topic.

    ``topic_id`` is that topic's; None in manifests of earlier versions, and where there is no such topic yet.
    """

    key: str
    topic_id: str | None = None
    count: int
    by_entity: Annotated[dict[Entity, int], Field(validation_alias=AliasChoices("by_entity", "by_stream"))] = Field(
        default_factory=dict
    )
    next_offsets: dict[int, Offset] = Field(default_factory=dict)


class IgnoredObject(Document):
    key: str
    reason: str


class Manifest(Document):
    """Exactly what the load reads: these objects, and of them the offsets of the interval.

    ``lake`` is the one that the bookmark is true of: before it stores anything, the load compares the tables' ids.
    """

    dag_id: str
    run_id: str
    user_id: str
    bucket: str
    created_at: str
    topics: dict[Entity, ManifestTopic]
    dead_letters: ManifestDeadLetters
    lake: LakeIdentity | None = None
    ignored: tuple[IgnoredObject, ...] = ()

    @property
    def object_count(self) -> int:
        return sum(len(one.objects) for topic in self.topics.values() for one in topic.partitions.values())


def landed_manifest(
    interval: Interval,
    coverage: Sequence[PartitionCoverage],
    *,
    dag_id: str,
    run_id: str,
    user_id: str,
    bucket: str,
    dead_letters_key: str,
    dead_letters_id: str | None,
    letters: Sequence[Entity],
    next_letters: Mapping[int, int],
    ignored: Sequence[IgnoredObject],
    lake: LakeIdentity | None,
) -> Manifest:
    """Build the manifest of a complete interval.

    :param dead_letters_id: the id of the dead-letter topic that was read
    :param letters: entity of every dead letter to load
    :param next_letters: where the next run starts to read each partition of the dead-letter topic
    :param ignored: what was found and is not loaded
    :param lake: the lake that the bookmark is true of
    """
    topics: dict[Entity, ManifestTopic] = {}
    for entity, topic in interval.topics.items():
        partitions = {
            one.partition: ManifestPartition(
                start=one.interval[0],
                stop=one.interval[1],
                empty=one.empty,
                objects=tuple(_manifest_object(s) for s in one.objects),
            )
            for one in coverage
            if one.topic == topic.topic
        }
        topics[entity] = ManifestTopic(topic=topic.topic, stored_as=topic.stored_as, partitions=partitions)
    return Manifest(
        dag_id=dag_id,
        run_id=run_id,
        user_id=user_id,
        bucket=bucket,
        created_at=datetime.now(UTC).isoformat(timespec="seconds"),
        topics=topics,
        dead_letters=ManifestDeadLetters(
            key=dead_letters_key,
            topic_id=dead_letters_id,
            count=len(letters),
            by_entity=dict(Counter(letters)),
            next_offsets=dict(next_letters),
        ),
        lake=lake,
        ignored=tuple(ignored),
    )


def _manifest_object(scanned: ScannedObject) -> ManifestObject:
    return ManifestObject(
        key=scanned.key,
        size=scanned.listed.size,
        etag=scanned.listed.etag.strip('"'),
        lines=scanned.lines,
        first_offset=scanned.first_offset,
        last_offset=scanned.last_offset,
    )

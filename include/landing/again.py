"""What the bucket holds, to be loaded again: which offsets, and what earlier runs knew of those in no object."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, date, datetime
from typing import Any, NamedTuple

from include import bucket_layout
from include.landing.bookmark import Bookmark, Place
from include.landing.coverage import PartitionCoverage, cover
from include.landing.document import LandingError
from include.landing.interval import Interval, PartitionRange, TopicPartition, TopicRanges
from include.landing.listing import FoundObjects
from include.positions.kafka import Range, merge, without
from include.settings import Entity

OPEN_END = 2**63 - 1


class Written(NamedTuple):
    """An object of the bucket: its first offset, and when it was written."""

    first_offset: int
    at: datetime


@dataclass(frozen=True)
class From:
    """From where on: a day, offsets by topic and partition, or, by default, the first object."""

    day: date | None = None
    offsets: Mapping[TopicPartition, int] = field(default_factory=dict)

    @property
    def is_everything(self) -> bool:
        return self.day is None and not self.offsets

    def start(self, place: TopicPartition, objects: Sequence[Written]) -> int | None:
        """The first offset to load of a partition; None if nothing of it is to be loaded.

        A record is in the bucket after it came, so what came on a day is in the objects that were written from that day
        on.
        """
        if self.offsets:
            return self.offsets.get(place)
        if self.day is None:
            return objects[0].first_offset
        begin = datetime(self.day.year, self.day.month, self.day.day, tzinfo=UTC)
        return next((one.first_offset for one in objects if one.at >= begin), None)


def parse_from(day: str | None, positions: Sequence[str]) -> From:
    """The params of a replay. Raises LandingError if a position is not one of Kafka."""
    offsets = {}
    for position in positions:
        topic, partition, offset = (*position.split(":"), "", "")[:3]
        first = offset.partition("-")[0]
        if not (partition.isdigit() and first.isdigit()):
            raise LandingError(f"positions: got {position!r}, expected <topic>:<partition>:<offset> to load from")
        offsets[topic, int(partition)] = int(first)
    return From(None if day is None else date.fromisoformat(day), offsets)


def plan_again(
    topics: Mapping[Entity, str], held: Mapping[TopicPartition, Sequence[Written]], bookmark: Bookmark, wanted: From
) -> Interval:
    """From where it is wanted to the bookmark: what lies beyond is the next run's. Without a bookmark, to the end of
    the last object, which :func:`ending` finds once it is read. Raises LandingError if an offset is asked for that no
    object can hold.
    """
    unknown = [place for place in wanted.offsets if place not in held]
    if unknown:
        topic, number = unknown[0]
        raise LandingError(f"positions: the bucket holds nothing of {topic} partition {number}")
    planned: dict[Entity, TopicRanges] = {}
    for entity, topic in topics.items():
        partitions = {}
        for place, objects in held.items():
            start = wanted.start(place, objects) if place[0] == topic and objects else None
            known = bookmark.place(*place)
            stop = OPEN_END if known is None else known.next_offset
            if start is not None and start < stop:
                partitions[place[1]] = PartitionRange(start=start, stop=stop)
        planned[entity] = TopicRanges(
            topic=topic,
            topic_id=bookmark.topic_id(topic),
            stored_as=bookmark.stored_as(topic),
            partitions=partitions,
        )
    return Interval(topics=planned)


def places_before(planned: Interval, held: Mapping[TopicPartition, Sequence[Written]]) -> Bookmark:
    """A bookmark at the objects that hold the interval's first offsets: a listing need not begin before them."""
    places: dict[str, dict[str, Place]] = {}
    for (topic, number), one in planned.partitions():
        before = [written.first_offset for written in held[topic, number] if written.first_offset <= one.start]
        if before:
            key = bucket_layout.sink_object(topic, number, max(before))
            places.setdefault(topic, {})[str(number)] = Place(next_offset=one.start, object=key)
    return Bookmark(topics=places)


def ending(interval: Interval, found: FoundObjects) -> Interval:
    """The interval without open ends: a partition ends with what its objects hold."""
    topics = {}
    for entity, topic in interval.topics.items():
        partitions = {}
        for number, one in topic.partitions.items():
            last = max((s.last_offset for s in found.of((topic.topic, number)) if s.ranges), default=one.start - 1)
            stop = one.stop if one.stop != OPEN_END else max(one.start, last + 1)
            partitions[number] = one.model_copy(update={"stop": stop})
        topics[entity] = topic.model_copy(update={"partitions": partitions})
    return Interval(topics=topics)


@dataclass
class Remembered:
    """What the documents of earlier runs say of offsets that no object holds: that they have no record, or what the
    sink could not take. Of an offset of no run in ``told``, they say nothing."""

    told: dict[TopicPartition, list[Range]] = field(default_factory=dict)
    empty: dict[TopicPartition, list[Range]] = field(default_factory=dict)
    letters: dict[TopicPartition, dict[int, dict[str, Any]]] = field(default_factory=dict)

    def add_interval(self, earlier: Interval, bookmark: Bookmark) -> None:
        """Of topics that were made again since, an earlier run says nothing."""
        for topic in earlier.topics.values():
            if topic.topic_id in (None, bookmark.topic_id(topic.topic)):
                for number, one in topic.partitions.items():
                    self.told.setdefault((topic.topic, number), []).append(one.range)
                    self.empty.setdefault((topic.topic, number), []).extend(one.empty)

    def add_letters(self, lines: Iterable[str]) -> None:
        for line in lines:
            letter = json.loads(line)
            place = letter["topic"], letter["partition"]
            self.letters.setdefault(place, {})[letter["offset"]] = letter

    def known(self, interval: Interval) -> Interval:
        """The interval with the offsets that are known to hold no record."""
        return interval.without({place: merge(ranges) for place, ranges in self.empty.items()})

    def coverage(self, interval: Interval, found: FoundObjects) -> list[PartitionCoverage]:
        return [
            cover(*place, one.range, found.of(place), sorted(self.letters.get(place, {})), empty=one.empty)
            for place, one in interval.partitions()
        ]

    def check(self, coverage: Iterable[PartitionCoverage], kept: str) -> None:
        """Raise LandingError if no run's documents say what became of an offset that no object holds.

        :param kept: how long the documents of a run are kept, in words
        """
        untold = [
            one.describe(ranges)
            for one in coverage
            if (ranges := without(one.missing, merge(self.told.get((one.topic, one.partition), ()))))
        ]
        if untold:
            raise LandingError(
                f"{'; '.join(untold)}. Whether they were records, only the documents of the run that landed them say "
                f"({bucket_layout.LANDING}{bucket_layout.DAGS}…/interval.json, dead_letters.jsonl), and they are gone: "
                f"they are kept {kept} (maintenance.run_days). Nothing is written. Load from a later day or offset on "
                "(since, positions), or run pinterest_pipeline with on_new_identity=load_all, which asks Kafka"
            )

    def to_load(self, interval: Interval, coverage: Iterable[PartitionCoverage]) -> list[tuple[Entity, dict[str, Any]]]:
        """The dead letters of offsets that no object holds, with their entities."""
        chosen = []
        for one in coverage:
            entity = interval.entity_of(one.topic)
            for offset, letter in sorted(self.letters.get((one.topic, one.partition), {}).items()):
                inside = one.interval[0] <= offset < one.interval[1]
                held = any(start <= offset < stop for start, stop in (*one.stored, *one.empty))
                if entity is not None and inside and not held:
                    chosen.append((entity, letter))
        return chosen

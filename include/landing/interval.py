"""The offsets that a run accounts for."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from typing import Annotated

from pydantic import Field

from include.landing.bookmark import Bookmark
from include.landing.broker import BrokerOffsets
from include.landing.document import Document, LandingError, Offset
from include.positions.kafka import Range, clip, merge, size, without
from include.posting.progress import PostingProgress
from include.settings import ENTITIES, Entity

type TopicPartition = tuple[str, int]


class PartitionRange(Document):
    """Offsets from ``start`` to before ``stop``. Below ``earliest`` only S3 still has them.

    The offsets of ``empty`` hold no record that was committed: markers of transactions, records of aborted ones, and
    what compaction removed. Those of ``forgotten`` are older than what the broker kept when the run first looked, and
    no bookmark knows them: one that nothing in S3 holds may never have been a record.
    """

    start: Annotated[Offset, Field(alias="from")]
    stop: Annotated[Offset, Field(alias="to")]
    earliest: Offset = 0
    empty: tuple[Range, ...] = ()
    forgotten: tuple[Range, ...] = ()

    @property
    def range(self) -> Range:
        return self.start, self.stop

    @property
    def on_broker(self) -> Range:
        """The offsets that a consumer can still read."""
        start = max(self.start, self.earliest)
        return start, max(start, self.stop)

    @property
    def size(self) -> int:
        """How many records the range has."""
        return self.stop - self.start - size(clip(self.empty, self.range))

    def without(self, empty: Iterable[Range]) -> PartitionRange:
        return self.model_copy(update={"empty": merge((*self.empty, *empty))})


class TopicRanges(Document):
    """``topic_id`` is Kafka's; None in intervals of earlier versions. ``stored_as`` is the topic's name in the lake."""

    topic: str
    topic_id: str | None = None
    stored_as: str | None = None
    partitions: dict[int, PartitionRange]

    @property
    def size(self) -> int:
        return sum(partition.size for partition in self.partitions.values())


class Interval(Document):
    """The offsets a run accounts for: everything that was on the topics and not yet in the lake when it looked."""

    topics: dict[Entity, TopicRanges]

    def partitions(self) -> Iterator[tuple[TopicPartition, PartitionRange]]:
        for topic in self.topics.values():
            for number, partition in topic.partitions.items():
                yield (topic.topic, number), partition

    def without(self, empty: Mapping[TopicPartition, tuple[Range, ...]]) -> Interval:
        """The interval with these offsets among those that hold no record."""
        return Interval(
            topics={
                entity: topic.model_copy(
                    update={
                        "partitions": {
                            number: one.without(empty.get((topic.topic, number), ()))
                            for number, one in topic.partitions.items()
                        }
                    }
                )
                for entity, topic in self.topics.items()
            }
        )

    def entity_of(self, topic: str) -> Entity | None:
        return next((entity for entity, one in self.topics.items() if one.topic == topic), None)


def acknowledged_ranges(progress: PostingProgress) -> dict[Entity, dict[int, tuple[Range, ...]]]:
    """Offsets that the REST API acknowledged to a run, by entity and partition."""
    found: dict[Entity, dict[int, tuple[Range, ...]]] = {}
    for entity, posted in progress.entities.items():
        by_partition: dict[int, list[Range]] = {}
        for one in posted.ranges:
            by_partition.setdefault(one.partition, []).append((one.first, one.last + 1))
        found[entity] = {partition: merge(ranges) for partition, ranges in by_partition.items()}
    return found


def plan_interval(
    topics: Mapping[Entity, str],
    broker: BrokerOffsets,
    bookmark: Bookmark,
    acknowledged: Mapping[Entity, Mapping[int, Iterable[Range]]],
    earlier: Interval | None = None,
    oldest_in_bucket: Mapping[tuple[str, int], int] | None = None,
) -> Interval:
    """From the bookmark to the log end, and further back where this run's own records lie before the bookmark.

    They do after a resumed run, when another run loaded the first part in between. A second attempt keeps the start
    of the first (``earlier``), and what that one found out. Loading an offset a second time changes nothing.

    Without a bookmark the interval starts at the oldest record that the broker or the bucket (``oldest_in_bucket``)
    has. What lies below the broker's first offset then is forgotten, except the run's own records.

    Raises LandingError if a topic or an acknowledged partition is missing, or the log ends before the bookmark.
    """
    problems: list[str] = []
    planned: dict[Entity, TopicRanges] = {}
    for entity in ENTITIES:
        topic = topics[entity]
        if topic not in broker:
            problems.append(f"topic {topic} is not on the broker: the stage topics creates it")
            continue
        partitions: dict[int, PartitionRange] = {}
        acknowledged_here = {partition: list(ranges) for partition, ranges in acknowledged.get(entity, {}).items()}
        problems += [
            f"{topic} has no partition {partition}, but the REST API acknowledged records there"
            for partition in sorted(set(acknowledged_here) - set(broker[topic]))
        ]
        for partition, log in broker[topic].items():
            place = bookmark.place(topic, partition)
            oldest = (oldest_in_bucket or {}).get((topic, partition), log.earliest)
            start = min(log.earliest, oldest) if place is None else place.next_offset
            if start > log.end:
                problems.append(
                    f"{topic} partition {partition} ends at offset {log.end}, but offsets to {start - 1} are already "
                    "loaded: the broker has lost records, or the topic was made again since this run began. Run the "
                    "DAG again: it compares the topic's identity first"
                )
                continue
            own = acknowledged_here.get(partition, [])
            before = _earlier_range(earlier, entity, partition, bookmark.topic_id(topic))
            starts = [start, *(first for first, _ in own)]
            if before is not None and before.start <= log.end:
                starts.append(before.start)
            forgotten = before.forgotten if before else ((min(starts), log.earliest),)
            partitions[partition] = PartitionRange(
                start=min(starts),
                stop=log.end,
                earliest=log.earliest,
                empty=without(before.empty, before.forgotten) if before else (),
                forgotten=without(forgotten, own) if place is None else (),
            )
        planned[entity] = TopicRanges(
            topic=topic,
            topic_id=bookmark.topic_id(topic),
            stored_as=bookmark.stored_as(topic),
            partitions=partitions,
        )
    if problems:
        raise LandingError("; ".join(problems))
    return Interval(topics=planned)


def _earlier_range(
    earlier: Interval | None, entity: Entity, partition: int, topic_id: str | None
) -> PartitionRange | None:
    """The range of an earlier attempt, if it was of the same topic."""
    topic = earlier.topics.get(entity) if earlier else None
    return topic.partitions.get(partition) if topic and topic.topic_id in (None, topic_id) else None


def moved(checked: Interval, now: Interval) -> list[str]:
    """Partitions whose offsets are others than those that were checked."""
    before = dict(checked.partitions())
    problems = []
    for place, wanted in now.partitions():
        found = before.get(place)
        if found is None or found.range != wanted.range:
            looked = f"offsets {found.start} to {found.stop}" if found else "no offset"
            problems.append(
                f"{place[0]} partition {place[1]}: the objects were checked for {looked}, "
                f"but the interval is {wanted.start} to {wanted.stop}"
            )
    return problems

"""What a Kafka consumer group read of an interval, compared with what the broker holds."""

from __future__ import annotations

import secrets
from dataclasses import dataclass, field

from include.landing.broker import BrokerOffsets
from include.landing.interval import Interval, PartitionRange, TopicPartition, TopicRanges
from include.positions.kafka import Range, clip, merge, overlaps, size, spell, subtract


def group_of_its_own(prefix: str) -> str:
    """The name of a consumer group that nobody else uses: no member of another group can disturb the count."""
    return f"{prefix}-count-{secrets.token_hex(6)}"


@dataclass
class GroupReading:
    """Offsets that the group has read, in the order they came, and how far it has got in each partition.

    The group reads committed records only. An offset that it has passed and not read holds no record: a transaction's
    marker, a record of an aborted transaction, or one that compaction removed. Every round of the group is added by
    :meth:`add`. Records after the interval may be among those read: the console consumer stops after a number of
    records, of whichever partition.
    """

    interval: Interval
    read: dict[TopicPartition, list[Range]] = field(default_factory=dict)
    committed: dict[TopicPartition, int] = field(default_factory=dict)

    def add(self, printed: str) -> set[str]:
        """Take in what one round of ``consume_interval.sh`` printed. Returns the topics that gave any record.

        Lines are ``read <topic> <partition> <first> <last>`` and ``committed <topic> <partition> <offset>``; others
        are skipped.
        """
        topics = set()
        for line in printed.splitlines():
            match line.split():
                case ["read", topic, partition, first, last]:
                    self.read.setdefault((topic, int(partition)), []).append((int(first), int(last) + 1))
                    topics.add(topic)
                case ["committed", topic, partition, offset]:
                    self.committed[topic, int(partition)] = int(offset)
        return topics

    def seen(self, topic: TopicRanges) -> int:
        """Offsets of the topic's interval that were read. One that was read twice counts once."""
        return sum(
            size(clip(merge(self.read.get((topic.topic, number), ())), one.on_broker))
            for number, one in topic.partitions.items()
        )

    def left(self, topic: TopicRanges) -> int:
        """Offsets of the topic's interval that the group has neither read nor passed."""
        return sum(size(self.missing((topic.topic, number), one)) for number, one in topic.partitions.items())

    def missing(self, place: TopicPartition, partition: PartitionRange) -> tuple[Range, ...]:
        """Offsets that the group has not got to."""
        start, stop = partition.on_broker
        return subtract((max(start, self.committed.get(place, start)), stop), self.read.get(place, ()))

    def empty(self, place: TopicPartition, partition: PartitionRange) -> tuple[Range, ...]:
        """Offsets that the group has passed without finding a record."""
        start, stop = partition.on_broker
        return subtract((start, min(stop, self.committed.get(place, start))), self.read.get(place, ()))

    def all_empty(self, broker: BrokerOffsets) -> dict[TopicPartition, tuple[Range, ...]]:
        """The empty offsets of every partition that has any.

        :param broker: what the broker keeps after the reading. What it has deleted meanwhile was not empty: only the
            bucket can tell
        """
        found = {}
        for place, one in self.interval.partitions():
            kept_from = broker[place[0]][place[1]].earliest
            if empty := clip(self.empty(place, one), (kept_from, one.stop)):
                found[place] = empty
        return found

    @property
    def passed_any(self) -> bool:
        """Whether the group has passed offsets without finding a record."""
        return any(self.empty(place, one) for place, one in self.interval.partitions())

    def repeated(self, place: TopicPartition, partition: PartitionRange) -> tuple[Range, ...]:
        """Offsets of the interval that were read more than once, as Kafka may deliver them."""
        return clip(overlaps(self.read.get(place, ())), partition.on_broker)

    def problems(self) -> list[str]:
        """Where the group did not get to the end of what the broker holds."""
        found = []
        for place, one in self.interval.partitions():
            start, stop = one.on_broker
            reached = self.committed.get(place, start)
            if start < stop and reached < stop:
                unread = self.missing(place, one)
                found.append(
                    f"{place[0]} partition {place[1]}: the broker holds offsets {start} to {stop - 1}, and the "
                    f"consumer got to offset {reached}" + (f", not to {spell(unread)}" if unread else "")
                )
        return found


def start_offsets(interval: Interval) -> str:
    """Where the group starts: lines ``topic,partition,offset``, as ``kafka-consumer-groups.sh`` reads them."""
    return "\n".join(f"{topic},{number},{one.on_broker[0]}" for (topic, number), one in interval.partitions())


def stop_offsets(interval: Interval) -> str:
    """Where the group has read everything: lines ``topic partition offset``, of partitions that have any."""
    return "\n".join(
        f"{topic} {number} {one.on_broker[1]}"
        for (topic, number), one in interval.partitions()
        if size([one.on_broker])
    )

"""What a Kafka consumer group read of an interval, compared with what the broker holds."""

from __future__ import annotations

from dataclasses import dataclass, field

from include.landing.interval import Interval, PartitionRange, TopicPartition, TopicRanges
from include.positions.kafka import Range, clip, overlaps, size, spell, subtract


@dataclass
class GroupReading:
    """Offsets that the group has read, in the order they came, and those it has committed.

    Every round of the group is added by :meth:`add`. Records after the interval may be among those read: the console
    consumer stops after a number of records, of whichever partition.
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
        return sum(size([one.on_broker]) for one in topic.partitions.values()) - self.left(topic)

    def left(self, topic: TopicRanges) -> int:
        """Offsets of the topic's interval that were not read yet."""
        return sum(size(self.missing((topic.topic, number), one)) for number, one in topic.partitions.items())

    def missing(self, place: TopicPartition, partition: PartitionRange) -> tuple[Range, ...]:
        return subtract(partition.on_broker, self.read.get(place, ()))

    def repeated(self, place: TopicPartition, partition: PartitionRange) -> tuple[Range, ...]:
        """Offsets of the interval that were read more than once, as Kafka may deliver them."""
        return clip(overlaps(self.read.get(place, ())), partition.on_broker)

    def problems(self, group: str) -> list[str]:
        """Where the group did not read or commit what the broker holds."""
        found = []
        for place, one in self.interval.partitions():
            expected = one.on_broker
            missing = self.missing(place, one)
            where = f"{place[0]} partition {place[1]}"
            if missing:
                found.append(
                    f"{where}: the broker holds {size([expected])} records at offsets {expected[0]} to {one.stop - 1}, "
                    f"group {group} saw {size([expected]) - size(missing)}, not {spell(missing)}"
                )
            if size([expected]) > 0 and self.committed.get(place, -1) < one.stop:
                found.append(f"{where}: group {group} committed {self.committed.get(place)}, not {one.stop}")
        return found


def start_offsets(interval: Interval) -> str:
    """Where the group starts: lines ``topic,partition,offset``, as ``kafka-consumer-groups.sh`` reads them."""
    return "\n".join(f"{topic},{number},{one.on_broker[0]}" for (topic, number), one in interval.partitions())

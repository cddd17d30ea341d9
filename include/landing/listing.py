"""Which objects of the bucket a run reads: those listed from the bookmark on, each once."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field

from include import bucket_layout
from include.bucket_layout import SinkObject
from include.landing.bookmark import Place
from include.landing.interval import PartitionRange, TopicPartition
from include.landing.objects import ListedObject, ScannedObject


@dataclass
class FoundObjects:
    """The sink's objects of an interval, as far as they have been listed and read.

    ``scanned`` and ``foreign`` are by key; ``foreign`` says why an object is not the sink's. ``reached`` is the first
    offset of the last object that lies beyond the interval, by topic and partition: the sink has got that far.
    """

    scanned: dict[str, ScannedObject] = field(default_factory=dict)
    foreign: dict[str, str] = field(default_factory=dict)
    reached: dict[TopicPartition, int] = field(default_factory=dict)

    def to_read(
        self, place: TopicPartition, partition: PartitionRange, listed: Iterable[ListedObject]
    ) -> list[tuple[ListedObject, SinkObject]]:
        """Take in the listing of a partition. Returns the objects that are new in it or were written again."""
        due = []
        for one in listed:
            name = bucket_layout.parse_sink_object(one.key)
            known = self.scanned.get(one.key)
            if name is None:
                self.foreign[one.key] = "its name is not one that the sink gives"
            elif name.first_offset >= partition.stop:
                self.reached[place] = max(self.reached.get(place, -1), name.first_offset)
            elif known is None or known.listed.etag != one.etag:
                due.append((one, name))
        return due

    def add(self, scanned: ScannedObject) -> None:
        self.scanned[scanned.key] = scanned

    def of(self, place: TopicPartition) -> list[ScannedObject]:
        return [one for one in self.scanned.values() if (one.name.topic, one.name.partition) == place]


def list_after(partition: PartitionRange, topic: str, number: int, place: Place | None) -> str | None:
    """S3's StartAfter for a listing that sees every object of the interval: None is from the first object on.

    It starts at the last loaded object, inclusive, because the sink may have written it again after a crash.
    """
    if place is None or place.object is None:
        return None
    name = bucket_layout.parse_sink_object(place.object)
    if name is None or name.topic != topic or name.partition != number or name.first_offset > partition.start:
        return None
    if name.first_offset == 0:
        return None
    return bucket_layout.sink_object(topic, number, name.first_offset - 1)

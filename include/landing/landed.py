"""What has been found of an interval so far, in the bucket and among the dead letters."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from include.landing.bookmark import Bookmark
from include.landing.coverage import PartitionCoverage, cover
from include.landing.dead_letters import DeadLetters, first_letters
from include.landing.interval import Interval
from include.landing.listing import FoundObjects


@dataclass
class Landed:
    interval: Interval
    letters: DeadLetters
    objects: FoundObjects = field(default_factory=FoundObjects)

    @classmethod
    def nothing(cls, interval: Interval, bookmark: Bookmark, dead_letter_topic: str) -> Landed:
        """Before anything was read."""
        letters = DeadLetters(dead_letter_topic, first_letters(interval, bookmark, dead_letter_topic))
        return cls(interval, letters)

    def coverage(self) -> list[PartitionCoverage]:
        return [
            cover(
                *place,
                partition.range,
                self.objects.of(place),
                self.letters.offsets_of(*place),
                empty=partition.empty,
                forgotten=partition.forgotten,
                reached=self.objects.reached.get(place, -1),
            )
            for place, partition in self.interval.partitions()
        ]

    def ignored(self, coverage: Sequence[PartitionCoverage]) -> Mapping[str, str]:
        """What was found and is not loaded, by key or by position on the dead-letter topic, with the reason."""
        used = {scanned.key for one in coverage for scanned in one.objects}
        damaged = {key: one for key, one in self.objects.scanned.items() if one.faults and key not in used}
        return {
            **self.objects.foreign,
            **self.letters.stray,
            **{key: " and ".join(one.faults) for key, one in damaged.items()},
        }

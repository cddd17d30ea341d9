"""Do the sink's objects and the dead letters together hold every offset of an interval?"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from include.landing.objects import ScannedObject
from include.positions.kafka import Range, clip, merge, overlaps, ranges_of, size, spell, subtract, without


@dataclass(frozen=True)
class PartitionCoverage:
    """One partition's interval, compared with what was found. ``missing`` and ``repeated`` are inside the interval.

    ``empty`` are offsets that hold no record on the broker; nothing is missing there, and what an object holds of them
    is not loaded.

    ``objects`` are those to load. ``unused`` add nothing to them and have a fault. ``quarantined`` counts offsets that
    only the dead letters hold. ``passed`` is the part of ``missing`` that will not come anymore: the sink has
    written beyond it, or an object that should hold it is damaged. ``forgotten`` is the part that may never have been a
    record; it is not among ``passed``.
    """

    topic: str
    partition: int
    interval: Range
    empty: tuple[Range, ...]
    objects: tuple[ScannedObject, ...]
    unused: tuple[ScannedObject, ...]
    stored: tuple[Range, ...]
    quarantined: int
    repeated: tuple[Range, ...]
    missing: tuple[Range, ...]
    passed: tuple[Range, ...]
    forgotten: tuple[Range, ...] = ()

    @property
    def complete(self) -> bool:
        return not self.missing

    def describe(self, gaps: Sequence[Range]) -> str:
        """``<topic> partition 0: offsets 12-14 …``, with the objects beside the gap and what is wrong with them."""
        first, stop = gaps[0][0], gaps[-1][1]
        known = sorted((*self.objects, *self.unused), key=lambda scanned: scanned.key)
        below = [s for s in known if s.name.first_offset <= first]
        above = [s for s in known if s.name.first_offset >= stop]
        beside = [*below[-1:], *above[:1]]
        damaged = [s for s in known if s.faults and s not in beside and first <= s.name.first_offset < stop]
        told = "; ".join(_told(scanned) for scanned in (*beside, *damaged)) or "no object of the partition is near"
        return (
            f"{self.topic} partition {self.partition}: offsets {spell(gaps)} are in no object and not among the "
            f"dead letters (beside them: {told})"
        )


def describe_missing(coverage: Iterable[PartitionCoverage], *, passed: bool = False) -> str:
    """What is missing of the first partition that lacks something, and how many others do. Or what was passed over."""
    gaps = [(one, one.passed if passed else one.missing) for one in coverage]
    lacking = [(one, missing) for one, missing in gaps if missing]
    if not lacking:
        return ""
    first, missing = lacking[0]
    others = sum(size(missing) for _, missing in lacking[1:])
    more = f"; {len(lacking) - 1} more partitions lack {others:,} records" if others else ""
    return first.describe(missing) + more


def cover(
    topic: str,
    partition: int,
    interval: Range,
    scanned: Iterable[ScannedObject],
    dead: Iterable[int],
    *,
    empty: Sequence[Range] = (),
    forgotten: Sequence[Range] = (),
    reached: int = -1,
) -> PartitionCoverage:
    """Compare an interval with what was read.

    :param dead: offsets of this partition that are on the dead-letter topic, with repeats
    :param empty: offsets that hold no record on the broker
    :param forgotten: offsets of which nobody knows whether they were records, unless an object or a letter holds them
    :param reached: first offset of an object beyond the interval that was listed and not read; -1 if there is none
    """
    inside = sorted((s for s in scanned if clip(s.ranges, interval) or s.faults), key=lambda s: s.name.first_offset)
    sound = [s for s in inside if not s.faults]
    have = merge(r for s in sound for r in s.ranges)
    used, unused = list(sound), []
    for damaged in (s for s in inside if s.faults):
        if size(merge((*have, *clip(damaged.ranges, interval)))) > size(have):
            used.append(damaged)
            have = merge((*have, *damaged.ranges))
        else:
            unused.append(damaged)
    used.sort(key=lambda s: s.name.first_offset)

    lines = [r for s in used for r in (*s.ranges, *s.repeated)]
    stored = without(clip(have, interval), empty)
    letters = without(clip(ranges_of(sorted(dead)), interval), empty)
    missing = subtract(interval, (*stored, *letters, *empty))
    unknown = tuple(part for gap in missing if not _damaged(gap, inside) for part in clip(forgotten, gap))
    last = max([reached, *(s.last_offset for s in used if s.ranges)])
    return PartitionCoverage(
        topic=topic,
        partition=partition,
        interval=interval,
        empty=clip(empty, interval),
        objects=tuple(used),
        unused=tuple(unused),
        stored=stored,
        quarantined=size(merge((*stored, *letters))) - size(stored),
        repeated=without(clip(overlaps((*lines, *merge(letters))), interval), empty),
        missing=missing,
        passed=tuple(gap for gap in without(missing, unknown) if gap[0] < last or _damaged(gap, inside)),
        forgotten=unknown,
    )


def _damaged(gap: Range, inside: Iterable[ScannedObject]) -> bool:
    """A damaged object should hold the first offset of the gap, so the sink will not write that one again."""
    return any(s.faults and (s.last_offset + 1 if s.ranges else s.name.first_offset) == gap[0] for s in inside)


def _told(scanned: ScannedObject) -> str:
    held = f"holds {spell(scanned.ranges)}" if scanned.ranges else "holds no offset"
    return f"{scanned.key} {held}" + (f", but {' and '.join(scanned.faults)}" if scanned.faults else "")

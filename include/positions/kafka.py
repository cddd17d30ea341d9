"""Sets of Kafka offsets as half-open ranges, so a million consecutive offsets are one pair."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence

type Range = tuple[int, int]


def merge(ranges: Iterable[Range]) -> tuple[Range, ...]:
    """The same offsets in order, with overlapping and adjacent ranges joined."""
    merged: list[Range] = []
    for start, stop in sorted(ranges):
        if start >= stop:
            continue
        if merged and start <= merged[-1][1]:
            merged[-1] = (merged[-1][0], max(stop, merged[-1][1]))
        else:
            merged.append((start, stop))
    return tuple(merged)


def overlaps(ranges: Iterable[Range]) -> tuple[Range, ...]:
    """Offsets that occur in two or more of the ranges."""
    found: list[Range] = []
    reached = -1
    for start, stop in sorted(ranges):
        if start < reached:
            found.append((start, min(stop, reached)))
        reached = max(stop, reached)
    return merge(found)


def clip(ranges: Iterable[Range], within: Range) -> tuple[Range, ...]:
    start, stop = within
    return tuple((max(a, start), min(b, stop)) for a, b in ranges if max(a, start) < min(b, stop))


def subtract(whole: Range, taken: Iterable[Range]) -> tuple[Range, ...]:
    """The parts of ``whole`` that no range of ``taken`` covers."""
    left: list[Range] = []
    position, end = whole
    for start, stop in clip(merge(taken), whole):
        if start > position:
            left.append((position, start))
        position = stop
    if position < end:
        left.append((position, end))
    return tuple(left)


def without(ranges: Iterable[Range], taken: Sequence[Range]) -> tuple[Range, ...]:
    """The parts of the ranges that no range of ``taken`` covers."""
    return tuple(left for one in ranges for left in subtract(one, taken))


def size(ranges: Iterable[Range]) -> int:
    return sum(stop - start for start, stop in ranges)


def ranges_of(offsets: Iterable[int]) -> tuple[Range, ...]:
    """Offsets joined into ranges in the given order. An offset that occurs twice ends up in two ranges."""
    ranges: list[Range] = []
    for offset in offsets:
        if ranges and ranges[-1][1] == offset:
            ranges[-1] = (ranges[-1][0], offset + 1)
        else:
            ranges.append((offset, offset + 1))
    return tuple(ranges)


def spell(ranges: Iterable[Range], limit: int = 10) -> str:
    """``12, 14-16``. Beyond ``limit`` ranges: ``… and 3 more ranges to 99``."""
    named = [(str(start) if stop == start + 1 else f"{start}-{stop - 1}", stop) for start, stop in ranges]
    told = ", ".join(name for name, _ in named[:limit])
    return told if len(named) <= limit else f"{told} and {len(named) - limit} more ranges to {named[-1][1] - 1}"


def positions(by_partition: Mapping[int, Sequence[Range]], limit: int = 20) -> tuple[str, ...]:
    """Ranges as ``p0@12``, ``p1@14-16``. Beyond ``limit`` ranges, a last item says how many more there are."""
    named = [f"p{partition}@{spell([one])}" for partition in sorted(by_partition) for one in by_partition[partition]]
    if len(named) <= limit:
        return tuple(named)
    return (*named[:limit], f"and {len(named) - limit} more ranges")

"""Do the sink's objects and the dead letters together hold every offset of an interval? Reads lines, not names.

A line's own ``_topic``, ``_partition`` and ``_offset`` say where its record was in Kafka. Its line number does not:
a record that went to the dead letters leaves no line.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass

from include.bucket_layout import SinkObject
from include.offset_ranges import Range, clip, merge, overlaps, ranges_of, size, spell, subtract

FAULTS_NAMED = 3


@dataclass(frozen=True)
class ListedObject:
    """What a listing of the bucket says."""

    key: str
    etag: str
    size: int


@dataclass(frozen=True)
class ScannedObject:
    """What the lines of one object say. ``faults`` names what is wrong with it; its good lines count all the same."""

    listed: ListedObject
    name: SinkObject
    lines: int
    ranges: tuple[Range, ...]
    repeated: tuple[Range, ...]
    faults: tuple[str, ...]

    @property
    def key(self) -> str:
        return self.listed.key

    @property
    def first_offset(self) -> int:
        return self.ranges[0][0]

    @property
    def last_offset(self) -> int:
        return self.ranges[-1][1] - 1


@dataclass(frozen=True)
class PartitionCoverage:
    """One partition's interval against what was found. ``missing`` and ``repeated`` are inside the interval.

    ``objects`` are those to load. ``unused`` add nothing to them and have a fault. ``quarantined`` counts offsets that
    only the dead letters hold. ``passed`` is the part of ``missing`` that will not come any more: the sink has
    written beyond it, or an object that should hold it is damaged.
    """

    topic: str
    partition: int
    interval: Range
    objects: tuple[ScannedObject, ...]
    unused: tuple[ScannedObject, ...]
    stored: tuple[Range, ...]
    quarantined: int
    repeated: tuple[Range, ...]
    missing: tuple[Range, ...]
    passed: tuple[Range, ...]

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


def split_lines(chunks: Iterable[bytes]) -> Iterator[bytes]:
    """Lines without their newline; the last one as it is, whether it ends in a newline or not."""
    rest = b""
    for chunk in chunks:
        *whole, rest = (rest + chunk).split(b"\n")
        yield from whole
    if rest:
        yield rest


def scan(listed: ListedObject, name: SinkObject, lines: Iterable[bytes]) -> ScannedObject:
    """Read an object's lines one by one; memory does not grow with them."""
    offsets = _LineOffsets(name)
    ranges = ranges_of(offsets.read(lines))
    if not offsets.lines:
        offsets.faults.append("is empty")
    if ranges and min(ranges)[0] != name.first_offset:
        offsets.faults.append(f"begins with offset {min(ranges)[0]}, not the one in its name")
    return ScannedObject(
        listed=listed,
        name=name,
        lines=offsets.lines,
        ranges=merge(ranges),
        repeated=overlaps(ranges),
        faults=tuple(offsets.faults),
    )


class _LineOffsets:
    """The offsets of good lines, and beside them the number of lines and what was wrong with the others."""

    def __init__(self, name: SinkObject) -> None:
        self.name = name
        self.lines = 0
        self.bad_lines = 0
        self.faults: list[str] = []

    def read(self, lines: Iterable[bytes]) -> Iterator[int]:
        waiting: str | None = None
        for line in lines:
            if waiting is not None:
                self._fault(f"line {self.lines} {waiting}")
            self.lines += 1
            found = _offset(line, self.name)
            waiting = None
            if isinstance(found, int):
                yield found
            else:
                waiting = found
        if waiting == NOT_JSON:
            self._fault(f"its last line ({self.lines}) is cut off")
        elif waiting is not None:
            self._fault(f"line {self.lines} {waiting}")
        if self.bad_lines > FAULTS_NAMED:
            self.faults.append(f"and {self.bad_lines - FAULTS_NAMED} more lines")

    def _fault(self, text: str) -> None:
        self.bad_lines += 1
        if self.bad_lines <= FAULTS_NAMED:
            self.faults.append(text)


NOT_JSON = "is not JSON"


def _offset(line: bytes, name: SinkObject) -> int | str:
    """The offset of a line that belongs in the object, or what is wrong with it."""
    try:
        record = json.loads(line)
    except (json.JSONDecodeError, UnicodeDecodeError):
        return NOT_JSON
    except (ValueError, RecursionError):
        record = _patient_loads(line)
    if not isinstance(record, dict):
        return "is not a JSON object"
    topic, partition, offset = record.get("_topic"), record.get("_partition"), record.get("_offset")
    if not isinstance(topic, str) or type(partition) is not int or type(offset) is not int or offset < 0:
        return "has no _topic, _partition and _offset: the sink did not write it"
    if (topic, partition) != (name.topic, name.partition):
        return f"belongs to {topic} partition {partition}"
    return offset


def _patient_loads(line: bytes) -> object:
    """Python refuses an integer of thousands of digits, which is JSON all the same. None for what is not JSON."""
    try:
        return json.loads(line, parse_int=lambda digits: int(digits) if len(digits) < 20 else digits)
    except (ValueError, RecursionError):
        return None


def cover(
    topic: str,
    partition: int,
    interval: Range,
    scanned: Iterable[ScannedObject],
    dead: Iterable[int],
    *,
    reached: int = -1,
) -> PartitionCoverage:
    """Hold an interval against what was read.

    :param dead: offsets of this partition that are on the dead-letter topic, with repeats
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
    stored = clip(have, interval)
    letters = clip(ranges_of(sorted(dead)), interval)
    missing = subtract(interval, (*stored, *letters))
    last = max([reached, *(s.last_offset for s in used if s.ranges)])
    return PartitionCoverage(
        topic=topic,
        partition=partition,
        interval=interval,
        objects=tuple(used),
        unused=tuple(unused),
        stored=stored,
        quarantined=size(merge((*stored, *letters))) - size(stored),
        repeated=clip(overlaps((*lines, *merge(letters))), interval),
        missing=missing,
        passed=tuple(gap for gap in missing if gap[0] < last or _damaged(gap, inside)),
    )


def _damaged(gap: Range, inside: Iterable[ScannedObject]) -> bool:
    """A damaged object should hold the first offset of the gap, so the sink will not write that one again."""
    return any(s.faults and (s.last_offset + 1 if s.ranges else s.name.first_offset) == gap[0] for s in inside)


def _told(scanned: ScannedObject) -> str:
    held = f"holds {spell(scanned.ranges)}" if scanned.ranges else "holds no offset"
    return f"{scanned.key} {held}" + (f", but {' and '.join(scanned.faults)}" if scanned.faults else "")

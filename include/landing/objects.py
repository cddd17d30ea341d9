"""What an object of the S3 sink holds. Reads lines, not names.

A line's own ``_topic``, ``_partition`` and ``_offset`` say where its record was in Kafka. Its line number does not:
a record that went to the dead letters leaves no line. What the record says is left to the lake.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator
from dataclasses import dataclass

from include.bucket_layout import SinkObject
from include.positions.kafka import Range, merge, overlaps, ranges_of

FAULTS_NAMED = 3
VALUE = b'{"_value":"'


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


def split_lines(chunks: Iterable[bytes]) -> Iterator[bytes]:
    """Lines without their newline; the last one as it is, whether it ends in a newline or not."""
    begun: list[bytes] = []
    for chunk in chunks:
        first, *others = chunk.split(b"\n")
        begun.append(first)
        if others:
            yield b"".join(begun)
            yield from others[:-1]
            begun = others[-1:]
    if rest := b"".join(begun):
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


def _without_record(line: bytes) -> bytes:
    """The line without its record, if that is the text in its first field ``_value``: base64 has no quotes to escape.

    A record may be large, and reading it says nothing about its position. Lines of the earlier kind hold the record's
    own fields beside the position and stay as they are.
    """
    if not line.startswith(VALUE):
        return line
    end = line.find(b'"', len(VALUE))
    if end < 0 or line.find(b"\\", len(VALUE), end) >= 0:
        return line
    return VALUE + line[end:]


def _offset(line: bytes, name: SinkObject) -> int | str:
    """The offset of a line that belongs in the object, or what is wrong with it."""
    line = _without_record(line)
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

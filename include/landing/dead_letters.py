"""Records that the sink could not take: read from the dead-letter topic byte for byte, and sorted by what is wrong.

The console consumer prints a record as its parts with separators between them. Values and headers may hold any
bytes, newlines included, so the separators are drawn at random for every read and cannot occur in a record.
"""

from __future__ import annotations

import base64
import json
import secrets
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, NoReturn

from include.landing.bookmark import Bookmark
from include.landing.coverage import PartitionCoverage
from include.landing.interval import Interval
from include.settings import Entity

ERRORS = "__connect.errors."


class DeadLetterError(RuntimeError):
    """The dead-letter topic could not be read as it was printed."""


@dataclass(frozen=True)
class Framing:
    """Separators for one read. The fields are the environment of ``read_dead_letters.sh``."""

    field: str
    header: str
    record: str
    nothing: str

    @classmethod
    def draw(cls) -> Framing:
        return cls(*(f"<{part}-{secrets.token_hex(16)}>" for part in ("field", "header", "record", "null")))

    def environment(self) -> dict[str, str]:
        return {
            "FIELD_SEPARATOR": self.field,
            "HEADER_SEPARATOR": self.header,
            "RECORD_SEPARATOR": self.record,
            "NULL_LITERAL": self.nothing,
        }


@dataclass(frozen=True)
class DeadLetter:
    """A record as it was on its own topic. ``value`` is None for a record without one.

    ``letter`` is the record's partition and offset on the dead-letter topic itself.
    """

    letter: tuple[int, int]
    topic: str
    partition: int
    offset: int
    timestamp: int | None
    value: bytes | None
    error: str

    def document(self, entity: Entity) -> dict[str, Any]:
        """One line of ``dead_letters.jsonl``."""
        reason, message = classify(self.value)
        return {
            "entity": entity,
            "topic": self.topic,
            "partition": self.partition,
            "offset": self.offset,
            "timestamp": self.timestamp,
            "reason": reason,
            "message": f"{message}; the sink said: {self.error}" if self.error else message,
            "raw_base64": base64.b64encode(self.value or b"").decode(),
        }


@dataclass(frozen=True)
class StrayLetter:
    """A record on the dead-letter topic that does not say where it was: the sink did not write it."""

    letter: tuple[int, int]
    reason: str


def parse(printed: bytes, framing: Framing) -> list[DeadLetter | StrayLetter]:
    """The records that one console consumer printed, in order. Raises DeadLetterError on anything cut short."""
    *records, rest = printed.split(framing.record.encode())
    if rest:
        raise DeadLetterError(
            f"The last of {len(records) + 1} dead letters is cut off after {len(rest)} bytes; read again"
        )
    return [_record(record, framing) for record in records]


def classify(value: bytes | None) -> tuple[str, str]:
    """Reason code and one sentence."""
    if value is None:
        return "not_json_object", "the record has no value"
    try:
        text = value.decode("utf-8")
    except UnicodeDecodeError as error:
        return "not_json_object", f"the value is not UTF-8 text (byte {error.start})"
    if not text.strip():
        return "not_json_object", "the value is empty"
    try:
        parsed = json.loads(text, parse_constant=_refuse, parse_int=float)
    except RecursionError:
        return "not_json_object", "the value is nested too deeply"
    except json.JSONDecodeError as error:
        if text.lstrip()[0] in "{[" and _ends_early(text):
            return "truncated_json", f"the JSON ends in the middle, after {len(text)} characters"
        return "not_json_object", f"the value is not JSON: {error.msg} at character {error.pos}"
    except ValueError as error:
        return "not_json_object", f"the value is not JSON: {error}"
    if isinstance(parsed, list):
        return "array_of_rows", f"the value is an array of {len(parsed)} elements; one record must be one row"
    if isinstance(parsed, dict):
        return "not_json_object", "the value is a JSON object, but the sink refused it"
    return "not_json_object", f"the value is a JSON {_kind(parsed)}, not an object"


def first_letters(interval: Interval, bookmark: Bookmark, topic: str) -> dict[int, int]:
    """Where to start reading each partition of the dead-letter topic; from its beginning where none is given.

    A run that goes back before the bookmark needs the letters before it, too.
    """
    for one in interval.topics.values():
        for number, partition in one.partitions.items():
            place = bookmark.get(one.topic, {}).get(str(number))
            if place is not None and partition.start < place.next_offset:
                return {}
    return {int(number): place.next_offset for number, place in bookmark.get(topic, {}).items()}


def next_letters(interval: Interval, letters: Iterable[DeadLetter], read_to: Mapping[int, int]) -> dict[int, int]:
    """Where the next run starts: at the first letter of a record that is beyond this run's interval."""
    starts = dict(read_to)
    for letter in letters:
        entity = interval.entity_of(letter.topic)
        if entity is None:
            continue
        partition = interval.topics[entity].partitions.get(letter.partition)
        number, offset = letter.letter
        if partition is None or letter.offset >= partition.stop:
            starts[number] = min(starts.get(number, offset), offset)
    return starts


def letters_to_load(
    interval: Interval, coverage: Sequence[PartitionCoverage], letters: Iterable[DeadLetter]
) -> list[tuple[Entity, DeadLetter]]:
    """Every record of the interval that no object holds, once: the sink may have given up on it more than once."""
    held = {(one.topic, one.partition): one for one in coverage}
    chosen: dict[tuple[str, int, int], tuple[Entity, DeadLetter]] = {}
    for letter in letters:
        entity, one = interval.entity_of(letter.topic), held.get((letter.topic, letter.partition))
        if entity is None or one is None or not one.interval[0] <= letter.offset < one.interval[1]:
            continue
        if not any(start <= letter.offset < stop for start, stop in one.stored):
            chosen.setdefault((letter.topic, letter.partition, letter.offset), (entity, letter))
    return [chosen[place] for place in sorted(chosen)]


def _record(record: bytes, framing: Framing) -> DeadLetter | StrayLetter:
    parts = record.split(framing.field.encode())
    if len(parts) != 6:
        raise DeadLetterError(
            f"A dead letter was printed in {len(parts)} parts instead of 6; is it another Kafka version?"
        )
    timestamp, partition, offset, headers, _key, value = parts
    letter = (_number(partition, b"Partition:"), _number(offset, b"Offset:"))
    nothing = framing.nothing.encode()

    found: dict[str, bytes | None] = {}
    for header in headers.split(framing.header.encode()):
        name, _, content = header.partition(b":")
        found[name.decode("utf-8", errors="replace")] = None if content == nothing else content

    try:
        topic = _text(found, "topic")
        from_partition, from_offset = int(_text(found, "partition")), int(_text(found, "offset"))
    except (KeyError, ValueError) as error:
        return StrayLetter(letter, f"has no usable header {ERRORS}… ({error}): the sink did not write it")

    kind, _, moment = timestamp.decode().partition(":")
    return DeadLetter(
        letter=letter,
        topic=topic,
        partition=from_partition,
        offset=from_offset,
        timestamp=int(moment) if kind in ("CreateTime", "LogAppendTime") else None,
        value=None if value == nothing else value,
        error=(found.get(f"{ERRORS}exception.message") or b"").decode("utf-8", errors="replace").strip()[:500],
    )


def _text(headers: dict[str, bytes | None], name: str) -> str:
    content = headers[ERRORS + name]
    if content is None:
        raise ValueError(f"{ERRORS}{name} is null")
    return content.decode("utf-8")


def _number(part: bytes, label: bytes) -> int:
    if not part.startswith(label):
        raise DeadLetterError(f"Expected {label.decode()}… in a dead letter, found {part[:40]!r}")
    return int(part.removeprefix(label))


def _refuse(constant: str) -> NoReturn:
    raise ValueError(f"{constant} is not a JSON value")


def _ends_early(text: str) -> bool:
    """Every bracket and string that is closed is closed rightly, and at least one is still open at the end."""
    closing = {"{": "}", "[": "]"}
    open_brackets: list[str] = []
    in_string = escaped = False
    for character in text:
        if in_string:
            if escaped:
                escaped = False
            elif character == "\\":
                escaped = True
            elif character == '"':
                in_string = False
        elif character == '"':
            in_string = True
        elif character in closing:
            open_brackets.append(closing[character])
        elif character in "}]" and (not open_brackets or open_brackets.pop() != character):
            return False
    return in_string or bool(open_brackets)


def _kind(value: object) -> str:
    return {bool: "boolean", str: "string", int: "number", float: "number"}.get(type(value), "null")

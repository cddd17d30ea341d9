"""Records that the sink could not store: what is on the dead-letter topic, and which of it belongs to a run."""

from __future__ import annotations

import base64
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from include.landing.bookmark import Bookmark
from include.landing.console_consumer import PrintedPartition, PrintedRecord
from include.landing.coverage import PartitionCoverage
from include.landing.interval import Interval
from include.landing.refusal_reasons import classify
from include.settings import Entity

ERRORS = "__connect.errors."


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


def dead_letter(record: PrintedRecord) -> DeadLetter | StrayLetter:
    """What a record of the dead-letter topic says about itself in the headers that Kafka Connect adds."""
    letter = record.partition, record.offset
    try:
        topic = _text(record, "topic")
        partition, offset = int(_text(record, "partition")), int(_text(record, "offset"))
    except (KeyError, ValueError) as error:
        return StrayLetter(letter, f"has no usable header {ERRORS}… ({error}): the sink did not write it")
    message = record.headers.get(f"{ERRORS}exception.message") or b""
    return DeadLetter(
        letter=letter,
        topic=topic,
        partition=partition,
        offset=offset,
        timestamp=record.timestamp,
        value=record.value,
        error=message.decode("utf-8", errors="replace").strip()[:500],
    )


@dataclass
class DeadLetters:
    """What has been read of the dead-letter topic.

    ``next_offsets`` says where reading goes on, by partition; a partition it lacks is read from its beginning.
    """

    topic: str
    next_offsets: dict[int, int]
    found: dict[tuple[int, int], DeadLetter] = field(default_factory=dict)
    stray: dict[str, str] = field(default_factory=dict)

    def add(self, printed: PrintedPartition) -> None:
        """A letter that is read again takes the place of the first."""
        for record in printed.records:
            letter = dead_letter(record)
            if isinstance(letter, DeadLetter):
                self.found[letter.letter] = letter
            else:
                self.stray[f"{self.topic} p{record.partition}@{record.offset}"] = letter.reason
        self.next_offsets[printed.partition] = printed.stop

    def offsets_of(self, topic: str, partition: int) -> list[int]:
        """Offsets of a partition's records that are here, with repeats."""
        return [one.offset for one in self.found.values() if (one.topic, one.partition) == (topic, partition)]


def first_letters(interval: Interval, bookmark: Bookmark, topic: str) -> dict[int, int]:
    """Where to start reading each partition of the dead-letter topic; from its beginning where none is given.

    A run that goes back before the bookmark also needs the letters before it.
    """
    for one in interval.topics.values():
        for number, partition in one.partitions.items():
            place = bookmark.place(one.topic, number)
            if place is not None and partition.start < place.next_offset:
                return {}
    return {int(number): place.next_offset for number, place in bookmark.topics.get(topic, {}).items()}


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
        if not any(start <= letter.offset < stop for start, stop in (*one.stored, *one.empty)):
            chosen.setdefault((letter.topic, letter.partition, letter.offset), (entity, letter))
    return [chosen[place] for place in sorted(chosen)]


def _text(record: PrintedRecord, name: str) -> str:
    content = record.headers[ERRORS + name]
    if content is None:
        raise ValueError(f"{ERRORS}{name} is null")
    return content.decode("utf-8")

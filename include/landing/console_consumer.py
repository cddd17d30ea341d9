"""Records as Kafka's console consumer prints them, read back byte for byte.

The console consumer prints a record as its parts with separators between them. Values and headers may hold any bytes,
newlines included, so the separators are drawn at random for every read and cannot occur in a record.
"""

from __future__ import annotations

import base64
import secrets
from collections.abc import Iterator
from dataclasses import dataclass


class ConsoleConsumerError(RuntimeError):
    """The console consumer's output is incomplete or in another format."""


@dataclass(frozen=True)
class Framing:
    """Separators for one read."""

    field: str
    header: str
    record: str
    nothing: str

    @classmethod
    def draw(cls) -> Framing:
        return cls(*(f"<{part}-{secrets.token_hex(16)}>" for part in ("field", "header", "record", "null")))

    def environment(self) -> dict[str, str]:
        """Variables of ``read_dead_letters.sh``."""
        return {
            "FIELD_SEPARATOR": self.field,
            "HEADER_SEPARATOR": self.header,
            "RECORD_SEPARATOR": self.record,
            "NULL_LITERAL": self.nothing,
        }


@dataclass(frozen=True)
class PrintedRecord:
    """A record of the topic that was read.

    ``timestamp`` is in milliseconds, None where the record has none. ``headers`` has the last value of each name; a
    null value or header is None.
    """

    partition: int
    offset: int
    timestamp: int | None
    headers: dict[str, bytes | None]
    value: bytes | None


@dataclass(frozen=True)
class PrintedPartition:
    """All records of one partition from a first offset to before ``stop``."""

    partition: int
    stop: int
    records: list[PrintedRecord]


def parse_partitions(printed: str, framing: Framing, topic: str) -> Iterator[PrintedPartition]:
    """Read the lines ``<partition> <from> <to> <base64>`` of ``read_dead_letters.sh``.

    Raises ConsoleConsumerError if a record is missing or cut off.
    """
    for line in filter(None, printed.splitlines()):
        partition, start, stop, encoded = line.split(" ")
        records = parse_records(base64.b64decode(encoded), framing)
        if len(records) != int(stop) - int(start):
            raise ConsoleConsumerError(
                f"{topic} partition {partition}: {len(records)} records read of offsets {start} to {int(stop) - 1}; "
                "read again"
            )
        yield PrintedPartition(int(partition), int(stop), records)


def parse_records(printed: bytes, framing: Framing) -> list[PrintedRecord]:
    """The records that one console consumer printed, in order. Raises ConsoleConsumerError if the last is cut off."""
    *records, rest = printed.split(framing.record.encode())
    if rest:
        raise ConsoleConsumerError(
            f"The last of {len(records) + 1} records is cut off after {len(rest)} bytes; read again"
        )
    return [_record(record, framing) for record in records]


def _record(record: bytes, framing: Framing) -> PrintedRecord:
    parts = record.split(framing.field.encode())
    if len(parts) != 6:
        raise ConsoleConsumerError(
            f"A record was printed in {len(parts)} parts instead of 6; is it another Kafka version?"
        )
    timestamp, partition, offset, headers, _key, value = parts
    kind, _, moment = timestamp.decode().partition(":")
    return PrintedRecord(
        partition=_number(partition, b"Partition:"),
        offset=_number(offset, b"Offset:"),
        timestamp=int(moment) if kind in ("CreateTime", "LogAppendTime") else None,
        headers=_headers(headers, framing),
        value=_unless_null(value, framing),
    )


def _headers(printed: bytes, framing: Framing) -> dict[str, bytes | None]:
    found: dict[str, bytes | None] = {}
    for header in printed.split(framing.header.encode()):
        name, _, content = header.partition(b":")
        found[name.decode("utf-8", errors="replace")] = _unless_null(content, framing)
    return found


def _unless_null(content: bytes, framing: Framing) -> bytes | None:
    return None if content == framing.nothing.encode() else content


def _number(part: bytes, label: bytes) -> int:
    if not part.startswith(label):
        raise ConsoleConsumerError(f"Expected {label.decode()}… in a record, found {part[:40]!r}")
    return int(part.removeprefix(label))

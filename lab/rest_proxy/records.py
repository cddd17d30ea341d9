"""Parses a produce request's body in one pass; a JSON value goes to Kafka as the very bytes that were sent.

Decoding and encoding it again would cost as much as everything else together, and would alter numbers.
"""

from __future__ import annotations

import base64
import binascii
import json
import re
from collections.abc import Callable
from typing import Any, NamedTuple, NoReturn

from .errors import ApiError, unprocessable

IGNORED_FIELDS = {"key_schema", "key_schema_id", "value_schema", "value_schema_id"}

OBJECT = re.compile(r"[ \t\n\r]*\{[ \t\n\r]*")
ARRAY = re.compile(r"[ \t\n\r]*\[[ \t\n\r]*")
FIELD = re.compile(r'"([^"\\]*)"[ \t\n\r]*:[ \t\n\r]*')
AFTER_FIELD = re.compile(r"[ \t\n\r]*([,}])[ \t\n\r]*")
AFTER_ITEM = re.compile(r"[ \t\n\r]*([,\]])[ \t\n\r]*")


class Record(NamedTuple):
    key: bytes | None
    value: bytes | None
    partition: int


ANY_PARTITION = -1

# Turns an embedded value, given as JSON text and decoded, into Kafka's bytes.
Embedding = Callable[[str, Any], bytes | None]


def embedded_json(text: str, decoded: Any) -> bytes | None:
    return None if decoded is None else text.encode()


def embedded_binary(text: str, decoded: Any) -> bytes | None:
    if decoded is None:
        return None
    if not isinstance(decoded, str):
        raise unprocessable(f"Expected base64 text, got {text[:50]}")
    try:
        return base64.b64decode(decoded, validate=True)
    except binascii.Error as error:
        raise unprocessable(f"Expected base64 text: {error}") from error


def parse_records(body: bytes, embedding: Embedding) -> list[Record]:
    """Parse a request. Raises ApiError: 400 if the body is not JSON, 422 if it is not a produce request."""
    try:
        return Reader(body.decode(), embedding).read()
    except UnicodeDecodeError as error:
        raise ApiError(400, 400, f"The body is not UTF-8: {error}") from error
    except (ValueError, RecursionError) as error:
        raise ApiError(400, 400, f"The body is not JSON: {error}") from error


def refuse_constant(name: str) -> NoReturn:
    raise ValueError(f"{name} is not a JSON value")


_decoder = json.JSONDecoder(parse_constant=refuse_constant)
scan_value: Callable[[str, int], tuple[Any, int]] = _decoder.scan_once  # type: ignore[attr-defined]  # not in typeshed


class Reader:
    def __init__(self, text: str, embedding: Embedding) -> None:
        self.text = text
        self.embedding = embedding

    def read(self) -> list[Record]:
        records: list[Record] = []
        at = self.expect(OBJECT, 0, "an object")
        seen = False
        if self.text.startswith("}", at):
            raise unprocessable("records may not be empty")
        while True:
            name, at = self.field(at)
            if name == "records":
                records, at = self.records(at)
                seen = True
            elif name in IGNORED_FIELDS:
                _, at = self.value(at)
            else:
                raise unprocessable(f"Unrecognized field: {name}")
            separator, at = self.separator(AFTER_FIELD, at)
            if separator == "}":
                break
        if at != len(self.text):
            raise ValueError(f"text after the end, at character {at}")
        if not seen or not records:
            raise unprocessable("records may not be empty")
        return records

    def records(self, at: int) -> tuple[list[Record], int]:
        found: list[Record] = []
        at = self.expect(ARRAY, at, "the array records")
        if self.text.startswith("]", at):
            return found, at + 1
        while True:
            record, at = self.record(at)
            found.append(record)
            separator, at = self.separator(AFTER_ITEM, at)
            if separator == "]":
                return found, at

    def record(self, at: int) -> tuple[Record, int]:
        key: bytes | None = None
        value: bytes | None = None
        partition = ANY_PARTITION
        at = self.expect(OBJECT, at, "a record")
        if self.text.startswith("}", at):
            return Record(key, value, partition), at + 1
        while True:
            name, at = self.field(at)
            decoded, end = self.value(at)
            if name == "value":
                value = self.embedding(self.text[at:end], decoded)
            elif name == "key":
                key = self.embedding(self.text[at:end], decoded)
            elif name == "partition":
                partition = partition_number(decoded)
            else:
                raise unprocessable(f"Unrecognized field: {name}")
            separator, at = self.separator(AFTER_FIELD, end)
            if separator == "}":
                return Record(key, value, partition), at

    def expect(self, pattern: re.Pattern[str], at: int, what: str) -> int:
        match = pattern.match(self.text, at)
        if match:
            return match.end()
        _, end = self.value(at)
        raise unprocessable(f"Expected {what}, got {self.text[at:end][:50]}")

    def field(self, at: int) -> tuple[str, int]:
        match = FIELD.match(self.text, at)
        if not match:
            raise ValueError(f"expected a field's name at character {at}")
        return match[1], match.end()

    def value(self, at: int) -> tuple[Any, int]:
        try:
            return scan_value(self.text, at)
        except StopIteration:
            raise ValueError(f"expected a value at character {at}") from None

    def separator(self, pattern: re.Pattern[str], at: int) -> tuple[str, int]:
        match = pattern.match(self.text, at)
        if not match:
            raise ValueError(f"expected a comma or an end at character {at}")
        return match[1], match.end()


def partition_number(decoded: Any) -> int:
    if decoded is None:
        return ANY_PARTITION
    if isinstance(decoded, bool) or not isinstance(decoded, int) or not 0 <= decoded < 2**31:
        raise unprocessable(f"Partition must be a number from 0, got {decoded!r}")
    return decoded

"""Records in and out of shards: validation, the choice of a shard, and a reader's position."""

from __future__ import annotations

import base64
import binascii
import hashlib
import json
import time
from bisect import bisect_left
from dataclasses import dataclass
from typing import Any

from lab.aws.kinesis.resharding import Shard, Stream, hash_range, open_shards
from lab.aws.kinesis.sequence import FIRST, Sequence, after, arrival, padded

type Record = dict[str, Any]

LARGEST_RECORD = 2**20
LARGEST_ANSWER = 10 * 2**20
MOST_RECORDS_READ = 10_000
LONGEST_PARTITION_KEY = 256
ITERATOR_LIFE = 300


class RefusedError(Exception):
    """A call that Kinesis rejects, with Kinesis' own error type."""

    def __init__(self, error_type: str, message: str) -> None:
        super().__init__(message)
        self.error_type = error_type


def decoded(entry: dict[str, Any]) -> bytes:
    """The data of one record of a request. Raises RefusedError if Kinesis would reject the request."""
    key = entry.get("PartitionKey")
    if not isinstance(key, str) or not 1 <= len(key) <= LONGEST_PARTITION_KEY:
        raise constraint("partitionKey", f"Member must have length between 1 and {LONGEST_PARTITION_KEY}")
    try:
        data = base64.b64decode(entry["Data"], validate=True)
    except (KeyError, TypeError):
        raise constraint("data", "Member must not be null") from None
    except (binascii.Error, ValueError):
        raise RefusedError("SerializationException", "Data is not base64") from None
    if len(data) + len(key.encode()) > LARGEST_RECORD:
        raise constraint("data", f"Member must have length less than or equal to {LARGEST_RECORD}")
    return data


def constraint(member: str, wanted: str) -> RefusedError:
    return RefusedError(
        "ValidationException",
        f"1 validation error detected: Value at '{member}' failed to satisfy constraint: {wanted}",
    )


class Placing:
    """Assigns each record of a request its shard and its sequence number."""

    def __init__(self, stream: Stream, sequence: Sequence) -> None:
        by_range = sorted((hash_range(shard)[1], shard_id) for shard_id, shard in open_shards(stream).items())
        self.ends = [end for end, _ in by_range]
        self.shard_ids = [shard_id for _, shard_id in by_range]
        self.sequence = sequence

    def place(self, entry: dict[str, Any], data: bytes) -> tuple[str, Record]:
        key = entry["PartitionKey"]
        shard_id = self.shard_ids[bisect_left(self.ends, hash_key(key, entry.get("ExplicitHashKey")))]
        return shard_id, stored(self.sequence.next(), key, data)


def hash_key(partition_key: str, explicit: str | None) -> int:
    if explicit is not None:
        return int(explicit)
    return int.from_bytes(hashlib.md5(partition_key.encode(), usedforsecurity=False).digest(), "big")


def stored(number: str, key: str, data: bytes) -> Record:
    return {"SequenceNumber": number, "ApproximateArrivalTimestamp": arrival(number), "Data": data, "PartitionKey": key}


def number_of(record: Record) -> str:
    return str(record["SequenceNumber"])


def arrival_of(record: Record) -> float:
    return float(record["ApproximateArrivalTimestamp"])


@dataclass(frozen=True)
class ShardIterator:
    """A reader's position: the first record whose sequence number is not below ``at``."""

    stream_arn: str
    shard_id: str
    at: str
    issued: float

    @classmethod
    def of(cls, token: object) -> ShardIterator:
        try:
            iterator = cls(*json.loads(base64.urlsafe_b64decode(str(token))))
        except (TypeError, ValueError):
            raise RefusedError("InvalidArgumentException", "Invalid ShardIterator.") from None
        if time.time() - iterator.issued > ITERATOR_LIFE:
            raise RefusedError("ExpiredIteratorException", f"Iterator expired: it is valid for {ITERATOR_LIFE} seconds")
        return iterator

    def __str__(self) -> str:
        fields = [self.stream_arn, self.shard_id, self.at, self.issued]
        return base64.urlsafe_b64encode(json.dumps(fields).encode()).decode()


def start(shard: Shard, request: dict[str, Any], sequence: Sequence) -> str:
    """The sequence number at which a requested iterator starts."""
    match request.get("ShardIteratorType"):
        case "TRIM_HORIZON":
            return FIRST
        case "LATEST":
            return sequence.next()
        case "AT_SEQUENCE_NUMBER":
            return padded(number_in(request, shard))
        case "AFTER_SEQUENCE_NUMBER":
            return after(number_in(request, shard))
        case "AT_TIMESTAMP":
            moment = request.get("Timestamp")
            if moment is None:
                raise RefusedError("InvalidArgumentException", "AT_TIMESTAMP needs a Timestamp")
            place = bisect_left(shard["records"], float(moment), key=arrival_of)
            return number_of(shard["records"][place]) if place < len(shard["records"]) else sequence.next()
        case other:
            raise constraint("shardIteratorType", f"{other!r} is not a type of iterator")


def number_in(request: dict[str, Any], shard: Shard) -> str:
    number = str(request.get("StartingSequenceNumber", ""))
    if not number.isdecimal():
        raise RefusedError("InvalidArgumentException", f"StartingSequenceNumber {number!r} is invalid")
    if padded(number) < padded(shard["starting_sequence_number"]):
        raise RefusedError(
            "InvalidArgumentException",
            f"StartingSequenceNumber {number} used in GetShardIterator is invalid because it did not come from this "
            "stream.",
        )
    return number


def page(shard: Shard, at: str, limit: int) -> tuple[list[Record], float | None]:
    """The records of one call, and the arrival time of the first record after them, if any."""
    records = shard["records"]
    first = end = bisect_left(records, at, key=number_of)
    size = 0
    while end < min(len(records), first + min(limit, MOST_RECORDS_READ)):
        size += len(records[end]["Data"])
        if size > LARGEST_ANSWER and end > first:
            break
        end += 1
    return records[first:end], arrival_of(records[end]) if end < len(records) else None

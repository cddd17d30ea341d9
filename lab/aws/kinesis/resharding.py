"""Resharding: shards never change; one is closed, and others are opened in its place."""

from __future__ import annotations

import time
from itertools import pairwise
from typing import Any

from lab.aws.kinesis.sequence import Sequence

type Shard = dict[str, Any]
type Stream = dict[str, Any]

HASH_KEYS = 2**128


class ReshardingError(ValueError):
    """The request cannot be carried out; the stream is unchanged."""


def open_shards(stream: Stream) -> dict[str, Shard]:
    return {shard_id: shard for shard_id, shard in stream["shards"].items() if not is_closed(shard)}


def is_closed(shard: Shard) -> bool:
    return "closed_at" in shard


def children(stream: Stream, parent_id: str) -> dict[str, Shard]:
    return {shard_id: shard for shard_id, shard in stream["shards"].items() if parent_id in parents(shard)}


def parents(shard: Shard) -> list[str]:
    return [p for p in (shard.get("parent_shard_id"), shard.get("adjacent_parent_shard_id")) if p]


def split(stream: Stream, shard_id: str, at: int, sequence: Sequence) -> None:
    """Replace one shard with two; the second starts at the hash key ``at``."""
    first, last = hash_range(open_shard(stream, shard_id))
    if not first < at <= last:
        raise ReshardingError(f"NewStartingHashKey {at} is not inside shard {shard_id} ({first} to {last})")
    close(stream, [shard_id], sequence)
    add(stream, first, at - 1, [shard_id], sequence)
    add(stream, at, last, [shard_id], sequence)


def merge(stream: Stream, shard_id: str, adjacent_id: str, sequence: Sequence) -> None:
    ranges = sorted(hash_range(open_shard(stream, one)) for one in (shard_id, adjacent_id))
    (first, end), (start, last) = ranges
    if end + 1 != start:
        raise ReshardingError(f"Shards {shard_id} and {adjacent_id} are not adjacent")
    close(stream, [shard_id, adjacent_id], sequence)
    add(stream, first, last, [shard_id, adjacent_id], sequence)


def scale(stream: Stream, count: int, sequence: Sequence) -> None:
    """Split and merge until ``count`` shards of equal ranges are open."""
    starts = {HASH_KEYS * number // count for number in range(count)}
    for at in sorted(starts):
        for shard_id, shard in open_shards(stream).items():
            first, last = hash_range(shard)
            if first < at <= last:
                split(stream, shard_id, at, sequence)
    while True:
        in_order = sorted(open_shards(stream).items(), key=lambda shard: hash_range(shard[1]))
        pair = next(((a, b) for (a, _), (b, right) in pairwise(in_order) if hash_range(right)[0] not in starts), None)
        if pair is None:
            return
        merge(stream, *pair, sequence)


def hash_range(shard: Shard) -> tuple[int, int]:
    return int(shard["starting_hash_key"]), int(shard["ending_hash_key"])


def open_shard(stream: Stream, shard_id: str) -> Shard:
    shard: Shard | None = stream["shards"].get(shard_id)
    if shard is None:
        raise LookupError(f"Shard {shard_id} not found")
    if is_closed(shard):
        raise ReshardingError(f"Shard {shard_id} is already closed")
    return shard


def close(stream: Stream, shard_ids: list[str], sequence: Sequence) -> None:
    for shard_id in shard_ids:
        stream["shards"][shard_id] |= {"ending_sequence_number": sequence.next(), "closed_at": time.time()}


def add(stream: Stream, first: int, last: int, parent_ids: list[str], sequence: Sequence) -> None:
    number = max(int(shard_id.removeprefix("shardId-")) for shard_id in stream["shards"]) + 1
    parent, adjacent = [*parent_ids, None][:2]
    stream["shards"][f"shardId-{number:012d}"] = {
        "records": [],
        "starting_hash_key": str(first),
        "ending_hash_key": str(last),
        "starting_sequence_number": sequence.next(),
        "parent_shard_id": parent,
        "adjacent_parent_shard_id": adjacent,
    }

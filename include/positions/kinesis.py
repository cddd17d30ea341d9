"""Sets of Kinesis records by shard: the first and last sequence number, how many records, and a sum to compare.

Sequence numbers of a shard increase but are not consecutive, so a range says nothing about its content without a count.
They have up to 56 digits, so JSON documents hold them as text.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Annotated, NamedTuple, Self

from pydantic import BaseModel, ConfigDict, Field, PlainSerializer

SUM_MODULUS = 1 << 128

type Span = tuple[int, int]
"""First and last sequence number, both included."""

SequenceNumber = Annotated[int, Field(ge=0), PlainSerializer(str, return_type=str)]


class ShardPosition(NamedTuple):
    """The position of one record in a data stream."""

    shard_id: str
    sequence_number: int


class ShardRange(BaseModel):
    """``count`` records of a shard from ``first`` to ``last``, both included; ``sum`` adds up their sequence numbers.

    The sum is taken modulo 2^128. Equal counts with different sums mean different records.
    """

    model_config = ConfigDict(extra="forbid")

    shard_id: str
    first: SequenceNumber
    last: SequenceNumber
    count: Annotated[int, Field(ge=0)]
    sum: SequenceNumber

    @classmethod
    def of(cls, shard_id: str, sequence_numbers: Iterable[int]) -> Self:
        numbers = list(sequence_numbers)
        return cls(
            shard_id=shard_id,
            first=min(numbers),
            last=max(numbers),
            count=len(numbers),
            sum=sum(numbers) % SUM_MODULUS,
        )

    def __add__(self, other: ShardRange) -> ShardRange:
        return ShardRange(
            shard_id=self.shard_id,
            first=min(self.first, other.first),
            last=max(self.last, other.last),
            count=self.count + other.count,
            sum=(self.sum + other.sum) % SUM_MODULUS,
        )

    @property
    def span(self) -> Span:
        return self.first, self.last

    @property
    def position(self) -> str:
        """``shardId-000000000000@49-57``."""
        return spell(self.shard_id, self.first, self.last)


def spell(shard_id: str, first: int, last: int | None = None) -> str:
    return f"{shard_id}@{first}" if last is None or first == last else f"{shard_id}@{first}-{last}"


def with_records(shards: Iterable[ShardRange], positions: Iterable[ShardPosition]) -> list[ShardRange]:
    """The ranges with new records added, one per shard, sorted by shard id. No record may be in a range already."""
    by_shard = {one.shard_id: one for one in shards}
    added: dict[str, list[int]] = {}
    for shard_id, number in positions:
        added.setdefault(shard_id, []).append(number)
    for shard_id, numbers in added.items():
        new = ShardRange.of(shard_id, numbers)
        by_shard[shard_id] = by_shard[shard_id] + new if shard_id in by_shard else new
    return [by_shard[shard_id] for shard_id in sorted(by_shard)]

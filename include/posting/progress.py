"""How far a run has posted: what a retry continues from, and what the ledger counts."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from typing import Annotated

from pydantic import AliasChoices, BaseModel, ConfigDict, Field, ValidationError

from include.faults import LastingError
from include.ledger.entry import RouteField
from include.positions.kafka import Range, merge, ranges_of
from include.positions.kinesis import ShardPosition, ShardRange, with_records
from include.settings import ENTITIES, Entity

REFUSALS_SHOWN = 100
NO_SOURCE_ROW = "no_source_row"
"""Code of a refusal by the source."""

Count = Annotated[int, Field(ge=0)]


class ProgressError(LastingError, ValueError):
    """A stored progress object cannot be used. The message says why, and what to do."""


class OffsetRange(BaseModel):
    """Offsets ``first`` to ``last`` (inclusive) of a partition, all acknowledged to this run."""

    model_config = ConfigDict(extra="forbid")

    partition: Count
    first: Count
    last: Count
    count: Count


class Refusal(BaseModel):
    """A record that will not be posted, and why. ``code`` is an HTTP status or the sink's own error code."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    ind: int
    code: str
    message: str


@dataclass(frozen=True)
class RefusedRow:
    """A refusal with everything needed to post the row by hand. ``value`` is None if the source has no such row."""

    entity: Entity
    draw: int
    ind: int
    code: str
    message: str
    value: dict[str, object] | None


type Position = tuple[int, int] | ShardPosition
"""Where a record is: Kafka's partition and offset, or Kinesis' shard and sequence number."""


@dataclass
class Settled:
    """The outcome of the records that were due, by draw. Draws in neither mapping are still open."""

    acknowledged: dict[int, Position] = field(default_factory=dict)
    refused: dict[int, RefusedRow] = field(default_factory=dict)

    def __contains__(self, draw: int) -> bool:
        return draw in self.acknowledged or draw in self.refused


class EntityProgress(BaseModel):
    """Counts for one entity. All draws below ``drawn`` were handed out; those in ``unsettled`` have no outcome yet.

    ``drawn`` and ``unsettled`` count from the run's first draw. ``read`` rows came from the source, and ``missing``
    keys had no row there. Every row read is acknowledged, refused or unsettled. Acknowledged records are in ``ranges``
    of Kafka's partitions or in ``shards`` of Kinesis.
    """

    model_config = ConfigDict(extra="forbid")

    drawn: Count = 0
    read: Count = 0
    missing: Count = 0
    acknowledged: Count = 0
    refused: Count = 0
    unsettled: list[Count] = []
    refusals: list[Refusal] = []
    ranges: list[OffsetRange] = []
    shards: list[ShardRange] = []

    def due(self, first: int, end: int) -> list[int]:
        """The draws from ``first`` to ``end`` (exclusive) that still have to be posted, in order."""
        open_before = [number for number in self.unsettled if first <= number < end]
        return open_before + list(range(max(first, self.drawn), end))

    def show(self, refused: Iterable[RefusedRow]) -> None:
        for row in refused:
            if len(self.refusals) < REFUSALS_SHOWN:
                self.refusals.append(Refusal(ind=row.ind, code=row.code, message=row.message))


class PostingProgress(BaseModel):
    """Progress of one run on one route, stored as a JSON object in the bucket every few seconds and at the end.

    Draws are numbered from the run's own first draw, which is number ``first_draw`` of the seed's sequence. The first
    ``drawn`` of the ``posts`` have an outcome for every entity.
    """

    model_config = ConfigDict(extra="forbid")

    route: RouteField = "batch"
    dag_id: str
    run_id: str
    seed: int
    first_draw: Count
    posts: Count
    drawn: Count = 0
    entities: Annotated[dict[Entity, EntityProgress], Field(validation_alias=AliasChoices("entities", "streams"))] = (
        Field(default_factory=lambda: {entity: EntityProgress() for entity in ENTITIES})
    )

    @classmethod
    def parse(cls, text: str, *, source: str) -> PostingProgress:
        """Parse a stored progress object; error messages name its ``source``."""
        try:
            return cls.model_validate_json(text)
        except ValidationError as error:
            raise ProgressError(
                f"{source} is not a progress object ({error.error_count()} problems, first: "
                f"{error.errors()[0]['msg']}). Restore it, or trigger a new run."
            ) from error

    def check_order(self, *, seed: int, posts: int) -> None:
        """Raise ProgressError if the run was started with a different order than it is now asked to continue."""
        if (self.seed, self.posts) != (seed, posts):
            raise ProgressError(
                f"Run {self.run_id} of {self.dag_id} started with seed={self.seed}, posts={self.posts} and cannot "
                f"continue with seed={seed}, posts={posts}. Trigger a new run."
            )

    @property
    def next_draw(self) -> int:
        """The number of the seed's first draw that this run has not posted for every entity."""
        return self.first_draw + self.drawn

    @property
    def complete(self) -> bool:
        return self.next_draw == self.first_draw + self.posts

    def hand_out(self, entity: Entity, draws: Sequence[int], missing: Sequence[RefusedRow]) -> None:
        """Record that draws were read and are about to be posted, and which of them have no row in the source."""
        progress = self.entities[entity]
        again = set(progress.unsettled).intersection(draws)
        progress.read += len(draws) - len(again) - len(missing)
        progress.missing += len(missing)
        progress.unsettled = sorted({*progress.unsettled, *draws} - {row.draw for row in missing})
        progress.drawn = max(progress.drawn, max(draws) + 1)
        progress.show(missing)
        self._count_drawn()

    def settle(self, entity: Entity, settled: Settled) -> None:
        """Record the outcome of draws that were handed out."""
        progress = self.entities[entity]
        progress.acknowledged += len(settled.acknowledged)
        progress.refused += len(settled.refused)
        progress.unsettled = sorted(set(progress.unsettled) - settled.acknowledged.keys() - settled.refused.keys())
        offsets: list[tuple[int, int]] = []
        records: list[ShardPosition] = []
        for position in settled.acknowledged.values():
            if isinstance(position, ShardPosition):
                records.append(position)
            else:
                offsets.append(position)
        progress.ranges = _with_positions(progress.ranges, offsets)
        progress.shards = with_records(progress.shards, records)
        progress.show(settled.refused.values())
        self._count_drawn()

    def _count_drawn(self) -> None:
        self.drawn = min(min([progress.drawn, *progress.unsettled]) for progress in self.entities.values())


def _with_positions(ranges: list[OffsetRange], positions: Iterable[tuple[int, int]]) -> list[OffsetRange]:
    """Add positions (partition, offset) to the ranges. The result is sorted, and no range touches the next."""
    by_partition: dict[int, list[Range]] = {}
    for item in ranges:
        by_partition.setdefault(item.partition, []).append((item.first, item.last + 1))
    offsets: dict[int, list[int]] = {}
    for partition, offset in positions:
        offsets.setdefault(partition, []).append(offset)
    for partition, added in offsets.items():
        by_partition.setdefault(partition, []).extend(ranges_of(sorted(added)))
    return [
        OffsetRange(partition=partition, first=start, last=stop - 1, count=stop - start)
        for partition in sorted(by_partition)
        for start, stop in merge(by_partition[partition])
    ]

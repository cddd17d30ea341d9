"""What one hop counted for one entity in one run. A count that could not be taken is None, never 0."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import UTC, datetime
from typing import Annotated, Literal

from pydantic import AliasChoices, BaseModel, ConfigDict, Field, TypeAdapter

from include.settings import Entity

Hop = Literal["source", "api", "topic", "landed", "bronze", "silver", "gold", "kinesis", "table", "chosen", "replayed"]

Route = Literal["batch", "stream", "replay"]

HOPS: dict[Route, tuple[Hop, ...]] = {
    "batch": ("source", "api", "topic", "landed", "bronze", "silver", "gold"),
    "stream": ("source", "api", "kinesis", "table"),
    "replay": ("chosen", "replayed"),
}

HOLDS_OTHERS: tuple[Hop, ...] = ("topic", "kinesis", "table")
"""Hops where ``extra`` are records that this run has not sent. At ``landed`` they are repeats of its input."""

Count = Annotated[int, Field(ge=0)]

EntityField = Annotated[Entity, Field(validation_alias=AliasChoices("entity", "stream"))]
RouteField = Annotated[Route, Field(validation_alias=AliasChoices("route", "path"))]
"""Documents of earlier runs call an entity ``stream`` and a route ``path``."""


class Entry(BaseModel):
    """One hop's counts for one entity in one run, on the route through Kafka (``batch``) or Kinesis (``stream``), or
    of a replay (``replay``).

    ``records_in + extra`` must equal ``records_out + duplicates + quarantined + refused + unmatched``. A count that
    could not be taken is None, never 0. ``extra`` counts what the hop holds beyond its input: records of other
    producers and of other runs, and repeats after a lost answer. ``extra_of`` says whose they are, as far as it is
    known, ``reason`` why most of what was refused was, and ``remark`` what else people should know. ``stored`` is the
    number of rows in the whole table afterward, for a hop whose successor starts from the table rather than from this
    run's records. ``first``, ``last`` and ``positions`` are written as ``p0@12``, a range as ``p0@12-14``;
    ``positions`` lists what is missing or duplicated.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    route: RouteField = "batch"
    hop: Hop
    entity: EntityField
    run_id: str
    records_in: Count | None
    extra: Count | None = 0
    records_out: Count | None
    duplicates: Count | None = 0
    quarantined: Count | None = 0
    refused: Count | None = 0
    unmatched: Count | None = 0
    stored: Count | None = None
    first: str | None = None
    last: str | None = None
    positions: tuple[str, ...] = ()
    extra_of: tuple[str, ...] = ()
    reason: str | None = None
    remark: str | None = None
    counted_at: str = Field(default_factory=lambda: datetime.now(UTC).isoformat(timespec="seconds"))
    counted_by: str

    @property
    def others(self) -> str:
        """Whose records the hop holds beside the run's, and how many; empty if there are none."""
        if not self.extra or self.hop not in HOLDS_OTHERS:
            return ""
        whose = ", ".join(self.extra_of) or "records of earlier runs or other producers"
        return f"{self.route}: {self.entity} at hop {self.hop}: {self.extra:,} extra: {whose}"


ENTRIES = TypeAdapter(list[Entry])


def parse_entries(text: str | bytes) -> list[Entry]:
    """Parse one hop's JSON object. Raises pydantic's ValidationError, which names the field and the value."""
    return ENTRIES.validate_json(text)


def entries_json(entries: Iterable[Entry]) -> str:
    return ENTRIES.dump_json(list(entries), indent=2).decode()

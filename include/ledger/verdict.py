"""Whether a run's sums agree: ledger entries in, verdict out.

These are pure functions; nothing here counts. A hop that could not be counted is ``unverified``, which fails a run just
as a loss does.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from enum import StrEnum
from itertools import product

from pydantic import BaseModel, ConfigDict

from include.ledger.entry import HOPS, EntityField, Entry, Hop, Route, RouteField
from include.settings import ENTITIES, Entity


class Status(StrEnum):
    RECONCILED = "reconciled"
    LOST = "lost"
    DUPLICATED = "duplicated"
    UNVERIFIED = "unverified"


SEVERITY = (Status.RECONCILED, Status.DUPLICATED, Status.LOST, Status.UNVERIFIED)


class Finding(BaseModel):
    """The state of one entity at one hop. ``records`` is how many records are lost or duplicated."""

    model_config = ConfigDict(frozen=True)

    route: RouteField = "batch"
    entity: EntityField
    hop: Hop
    status: Status
    records: int = 0
    positions: tuple[str, ...] = ()
    explanation: str = ""

    def __str__(self) -> str:
        where = f" at {', '.join(self.positions)}" if self.positions else ""
        return f"{self.route}: {self.entity} at hop {self.hop}: {self.status.value}{where}: {self.explanation}"


class Verdict(BaseModel):
    """Reconciled only if every entity is reconciled at every hop."""

    model_config = ConfigDict(frozen=True)

    status: Status
    findings: tuple[Finding, ...]

    @property
    def reconciled(self) -> bool:
        return self.status is Status.RECONCILED

    @property
    def failures(self) -> tuple[Finding, ...]:
        return tuple(finding for finding in self.findings if finding.status is not Status.RECONCILED)

    @property
    def routes(self) -> tuple[Route, ...]:
        """The routes that were judged."""
        return tuple(route for route in HOPS if any(finding.route == route for finding in self.findings))

    def finding(self, route: Route, entity: Entity, hop: Hop) -> Finding:
        return next(f for f in self.findings if (f.route, f.entity, f.hop) == (route, entity, hop))


class LedgerDocument(BaseModel):
    """A run's ledger, as stored in ``reports/<dag_id>/<run_id>/ledger.json``."""

    model_config = ConfigDict(frozen=True)

    dag_id: str
    run_id: str
    written_at: str
    verdict: Verdict
    entries: tuple[Entry, ...]


def reconcile(
    entries: Iterable[Entry],
    run_id: str,
    *,
    hops: Mapping[Route, tuple[Hop, ...]] = HOPS,
    entities: tuple[Entity, ...] = ENTITIES,
) -> Verdict:
    """Judge a run: every hop must balance, and its input must equal the output of the hop before it."""
    by_place: dict[tuple[Route, Entity, Hop], list[Entry]] = {}
    for entry in entries:
        by_place.setdefault((entry.route, entry.entity, entry.hop), []).append(entry)

    findings = []
    for route, entity in product(hops, entities):
        before: tuple[Hop, Entry | None] | None = None
        for hop in hops[route]:
            counted, problem = _countable(by_place.get((route, entity, hop), []), run_id)
            if counted is None:
                problems = [(Status.UNVERIFIED, 0, problem)]
            else:
                problems = _own_balance(counted) + (_handed_over(counted, *before) if before else [])
            findings.append(_finding(route, entity, hop, problems, counted.positions if counted else ()))
            before = hop, counted

    worst = max((finding.status for finding in findings), key=SEVERITY.index, default=Status.UNVERIFIED)
    return Verdict(status=worst, findings=tuple(findings))


type _Problem = tuple[Status, int, str]


def _countable(found: list[Entry], run_id: str) -> tuple[Entry | None, str]:
    if not found:
        return None, "no ledger entry: the hop was not counted"
    if len(found) > 1:
        return None, f"{len(found)} ledger entries for one hop and entity: none of them can be trusted"
    entry = found[0]
    if entry.run_id != run_id:
        return None, f"the ledger entry belongs to another run, {entry.run_id}"
    counts = ("records_in", "extra", "records_out", "duplicates", "quarantined", "refused", "unmatched")
    missing = [name for name in counts if getattr(entry, name) is None]
    if missing:
        return None, f"{', '.join(missing)} could not be counted ({entry.counted_by})"
    return entry, ""


def _own_balance(entry: Entry) -> list[_Problem]:
    given = (entry.records_in or 0) + (entry.extra or 0)
    outcomes = {
        "out": entry.records_out,
        "duplicates": entry.duplicates,
        "quarantined": entry.quarantined,
        "refused": entry.refused,
        "unmatched": entry.unmatched,
    }
    accounted = sum(count or 0 for count in outcomes.values())
    if given == accounted:
        return []
    told = ", ".join(f"{name} {count}" for name, count in outcomes.items() if count or name == "out")
    sums = f"in {entry.records_in}" + (f" + extra {entry.extra}" if entry.extra else "") + f", but {told}"
    if given > accounted:
        return [(Status.LOST, given - accounted, f"{given - accounted} lost inside the hop ({sums})")]
    return [(Status.DUPLICATED, accounted - given, f"{accounted - given} too many inside the hop ({sums})")]


def _handed_over(entry: Entry, previous_hop: Hop, previous: Entry | None) -> list[_Problem]:
    if previous is None:
        return [(Status.UNVERIFIED, 0, f"the hop before, {previous_hop}, was not counted, so the input is unproven")]
    if entry.hop == "gold":
        if previous.stored is None:
            return [(Status.UNVERIFIED, 0, f"{previous_hop} does not say how many rows its table holds")]
        handed, name = previous.stored, f"rows in {previous_hop}'s table"
    else:
        handed, name = previous.records_out or 0, f"handed on by {previous_hop}"
    received = entry.records_in or 0
    if received < handed:
        return [(Status.LOST, handed - received, f"{handed - received} lost: {handed} {name}, {received} received")]
    if received > handed:
        more = received - handed
        return [(Status.DUPLICATED, more, f"{more} more than there should be: {handed} {name}, {received} received")]
    return []


def _finding(
    route: Route, entity: Entity, hop: Hop, problems: list[_Problem], positions: tuple[str, ...] = ()
) -> Finding:
    if not problems:
        return Finding(route=route, entity=entity, hop=hop, status=Status.RECONCILED)
    worst = max((status for status, _, _ in problems), key=SEVERITY.index)
    return Finding(
        route=route,
        entity=entity,
        hop=hop,
        status=worst,
        records=sum(records for status, records, _ in problems if status is worst),
        positions=positions,
        explanation="; ".join(text for _, _, text in problems),
    )

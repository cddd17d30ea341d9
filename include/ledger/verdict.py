"""Whether a run's sums agree and enough of it came through: ledger entries in, verdict out.

These are pure functions; nothing here counts. A hop that could not be counted is ``unverified``, which fails a run just
as a loss does.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from enum import StrEnum
from itertools import product

from pydantic import BaseModel, ConfigDict

from include.ledger.entry import HOPS, EntityField, Entry, Hop, Route, RouteField
from include.ledger.shares import Excess, given, nothing_passed, quarantined_excess, refused_excess
from include.settings import ENTITIES, Entity, Ledger

POSITIONS_TOLD = 5
STRICT = Ledger()


class Status(StrEnum):
    RECONCILED = "reconciled"
    LOST = "lost"
    DUPLICATED = "duplicated"
    UNVERIFIED = "unverified"
    NOTHING_PASSED = "nothing passed"
    TOO_MANY_REFUSED = "too many refused"
    TOO_MANY_QUARANTINED = "too many quarantined"


SEVERITY = (
    Status.RECONCILED,
    Status.TOO_MANY_QUARANTINED,
    Status.TOO_MANY_REFUSED,
    Status.NOTHING_PASSED,
    Status.DUPLICATED,
    Status.LOST,
    Status.UNVERIFIED,
)
"""From good to worst. Shares say something only where sums agree, and a sum only where it was counted."""

POSITIONED = (Status.DUPLICATED, Status.LOST, Status.UNVERIFIED)


class Finding(BaseModel):
    """The state of one entity at one hop.

    ``records`` is how many records are lost, duplicated, refused or in quarantine. ``uncounted`` says that there is
    nothing to judge, because this hop or the one before it has no entry: the cause is elsewhere.
    """

    model_config = ConfigDict(frozen=True)

    route: RouteField = "batch"
    entity: EntityField
    hop: Hop
    status: Status
    records: int = 0
    positions: tuple[str, ...] = ()
    explanation: str = ""
    uncounted: bool = False

    def __str__(self) -> str:
        where = f" at {_shortened(self.positions)}" if self.positions else ""
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

    def hops(self, route: Route) -> tuple[Hop, ...]:
        """The hops of a route that were judged."""
        judged = {finding.hop for finding in self.findings if finding.route == route}
        return tuple(hop for hop in HOPS[route] if hop in judged)

    def finding(self, route: Route, entity: Entity, hop: Hop) -> Finding:
        return next(f for f in self.findings if (f.route, f.entity, f.hop) == (route, entity, hop))


class LedgerDocument(BaseModel):
    """A run's ledger, as stored in ``reports/<dag_id>/<run_id>/ledger.json``.

    ``failed_tasks`` are those that had failed when it was written.
    """

    model_config = ConfigDict(frozen=True)

    dag_id: str
    run_id: str
    written_at: str
    verdict: Verdict
    entries: tuple[Entry, ...]
    failed_tasks: tuple[str, ...] = ()

    @property
    def failure_lines(self) -> tuple[str, ...]:
        """Everything that is not reconciled, a line each, by route and hop: the first cause comes first.

        Hops that are not counted share one line, which says why. Rows of gold that have no partner are left out if
        there is anything else: they lack what did not come through.
        """
        return tuple(line for route in self.verdict.routes for line in self._failures_of(route))

    def _failures_of(self, route: Route) -> list[str]:
        failures = [one for one in self.verdict.failures if one.route == route]
        causes = [one for one in failures if not one.uncounted]
        upstream = [one for one in causes if (one.hop, one.status) != ("gold", Status.NOTHING_PASSED)]
        causes = sorted(upstream or causes, key=lambda one: HOPS[route].index(one.hop))
        uncounted = [one for one in failures if one.uncounted]
        if not uncounted:
            return [str(one) for one in causes]
        first = min(HOPS[route].index(one.hop) for one in uncounted)
        before = [one for one in causes if HOPS[route].index(one.hop) <= first]
        lines = [str(one) for one in causes]
        lines.insert(len(before), self._uncounted(route, uncounted, before))
        return lines

    def _uncounted(self, route: Route, findings: Sequence[Finding], before: Sequence[Finding]) -> str:
        hops = [hop for hop in HOPS[route] if any(one.hop == hop for one in findings)]
        entities = [entity for entity in ENTITIES if any(one.entity == entity for one in findings)]
        failed = [task for task in self.failed_tasks if task.split(".")[0] not in set(HOPS) - {route}]
        if failed:
            why = f"because {_listed(failed)} failed"
        elif before:
            why = f"because hop {before[0].hop} is not in order"
        else:
            why = "because the task that counts it failed or did not run"
        place = f"hop{'s' if len(hops) > 1 else ''} {_listed(hops)}"
        return f"{route}: {_listed(entities)} at {place}: {Status.UNVERIFIED.value}: not counted, {why}"


def reconcile(
    entries: Iterable[Entry],
    run_id: str,
    *,
    limits: Ledger = STRICT,
    hops: Mapping[Route, tuple[Hop, ...]] = HOPS,
    entities: tuple[Entity, ...] = ENTITIES,
) -> Verdict:
    """Judge a run: every hop must balance, and its input must equal the output of the hop before it.

    Of each entity on each route, something must come through, and no more may be refused or put in quarantine than
    ``limits`` allow. These are judged by what was counted, also where other hops were not.
    """
    by_place: dict[tuple[Route, Entity, Hop], list[Entry]] = {}
    for one in entries:
        by_place.setdefault((one.route, one.entity, one.hop), []).append(one)

    findings = []
    for route, entity in product(hops, entities):
        found = {hop: by_place.get((route, entity, hop), []) for hop in hops[route]}
        counted = {hop: _countable(of_hop, run_id) for hop, of_hop in found.items()}
        trusted = [entry for entry, _ in counted.values() if entry is not None]
        excesses = _excesses(trusted, limits) if route != "replay" else {}  # what it leaves was refused before
        before: Hop | None = None
        for hop, (entry, problem) in counted.items():
            if entry is None:
                problems = [(Status.UNVERIFIED, 0, problem)]
                uncounted = not found[hop]
            else:
                own = _own_balance(entry)
                uncounted = before is not None and counted[before][0] is None and not own and hop not in excesses
                problems = own + (_handed_over(entry, before, counted[before][0]) if before else [])
                problems += excesses.get(hop, [])
            positions = entry.positions if entry else ()
            findings.append(_finding(route, entity, hop, problems, positions, uncounted=uncounted))
            before = hop

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
    received = given(entry)
    outcomes = {
        "out": entry.records_out,
        "duplicates": entry.duplicates,
        "quarantined": entry.quarantined,
        "refused": entry.refused,
        "unmatched": entry.unmatched,
    }
    accounted = sum(count or 0 for count in outcomes.values())
    if received == accounted:
        return []
    told = ", ".join(f"{name} {count}" for name, count in outcomes.items() if count or name == "out")
    sums = f"in {entry.records_in}" + (f" + extra {entry.extra}" if entry.extra else "") + f", but {told}"
    if received > accounted:
        return [(Status.LOST, received - accounted, f"{received - accounted} lost inside the hop ({sums})")]
    return [(Status.DUPLICATED, accounted - received, f"{accounted - received} too many inside the hop ({sums})")]


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


def _excesses(entries: Sequence[Entry], limits: Ledger) -> dict[Hop, list[_Problem]]:
    """What one entity left aside on one route, by the hop to blame. If nothing passed, shares say no more."""
    found: dict[Hop, list[_Problem]] = {}
    for status, excess in (
        (Status.NOTHING_PASSED, nothing_passed(entries)),
        (Status.TOO_MANY_REFUSED, refused_excess(entries, limits.max_refused_share)),
        (Status.TOO_MANY_QUARANTINED, quarantined_excess(entries, limits.max_quarantined_share)),
    ):
        if excess is not None and excess.hop not in found:
            found[excess.hop] = [_problem(status, excess)]
    return found


def _problem(status: Status, excess: Excess) -> _Problem:
    return status, excess.records, excess.explanation


def _finding(
    route: Route,
    entity: Entity,
    hop: Hop,
    problems: list[_Problem],
    positions: tuple[str, ...] = (),
    *,
    uncounted: bool = False,
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
        positions=positions if worst in POSITIONED else (),
        explanation="; ".join(text for _, _, text in problems),
        uncounted=uncounted,
    )


def _shortened(positions: Sequence[str]) -> str:
    return ", ".join(positions[:POSITIONS_TOLD]) + (" and more" if len(positions) > POSITIONS_TOLD else "")


def _listed(names: Sequence[str]) -> str:
    """``a``, ``a and b``, ``a, b and c``."""
    return names[0] if len(names) == 1 else f"{', '.join(names[:-1])} and {names[-1]}"

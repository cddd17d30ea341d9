"""The page "Pinterest pipeline" in Airflow's UI: how both routes are, the last runs side by side, one run in detail.

Pure: documents in, HTML out. It asks for nothing from elsewhere and runs no script; its own addresses are relative, so
that it works below any path.
"""

from __future__ import annotations

import base64
import json
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any
from urllib.parse import quote, urlencode, urlsplit

from pydantic import ValidationError

from include.ledger.entry import HOPS, Entry, Hop, Route
from include.ledger.verdict import LedgerDocument, reconcile
from include.report.cost import RunCost
from include.report.health import JUDGED, LAKE, Health, SeenRun, State, freshness, health
from include.report.page import HEADLINES, ROUTE_TITLES, environment, route_views, shortened, summary

SAMPLE_SHOWN = 200
UNKNOWN = "?"
NO_REPORT = {
    "queued": "This run has not begun.",
    "running": "This run goes on.",
    "failed": "This run failed before it wrote a report.",
    "success": "This run wrote no report.",
}


@dataclass(frozen=True)
class RecentRun:
    """A run and its ledger: the one in its report, or what was counted so far. None if nothing was."""

    seen: SeenRun
    document: LedgerDocument | None = None
    reported: bool = False

    @property
    def says(self) -> str:
        """The verdict; before there is one, Airflow's state."""
        return self.document.verdict.status.value if self.document and self.reported else self.seen.state

    @property
    def headline(self) -> str:
        if self.document and self.reported:
            return HEADLINES[self.document.verdict.status]
        return NO_REPORT.get(self.seen.state, f"Airflow says: {self.seen.state}.")

    @property
    def ended_at(self) -> datetime | None:
        """When it had counted everything; None while it goes on, and if it never wrote a report."""
        try:
            written_at = datetime.fromisoformat(self.document.written_at) if self.document and self.reported else None
        except ValueError:
            return None
        return written_at if written_at and written_at.tzinfo else None

    @property
    def query(self) -> str:
        return urlencode({"dag_id": self.seen.dag_id, "run_id": self.seen.run_id})

    @property
    def in_airflow(self) -> str:
        return f"../dags/{quote(self.seen.dag_id, safe='')}/runs/{quote(self.seen.run_id, safe='')}"

    @property
    def routes(self) -> tuple[tuple[Route, int | None, int | None], ...]:
        """By route: what it began with, which is rows of the source or refused records, and what came into the lake."""
        found: dict[Route, tuple[int | None, int | None]] = {
            route: (self._total(route, hops[0]), self._total(route, LAKE[route])) for route, hops in HOPS.items()
        }
        return tuple((route, *counts) for route, counts in found.items() if self.seen.of(route))

    def _total(self, route: Route, hop: Hop) -> int | None:
        counts = [one.records_out for one in self.seen.counted(route, hop).values()]
        return sum(count or 0 for count in counts) if counts and None not in counts else None


@dataclass(frozen=True)
class SetAside:
    """Records that a run set aside for one reason, with the first of them. ``where`` keeps them whole."""

    where: str
    reason: str
    entity: str
    count: int
    message: str
    sample: str


@dataclass(frozen=True)
class Link:
    name: str
    url: str


def recent_run(
    dag_id: str,
    run_id: str,
    *,
    state: str,
    started_at: datetime | None,
    report: bytes | None,
    entries: Sequence[Entry] = (),
) -> RecentRun:
    """A run out of its report's ``ledger.json``; without a readable one, out of the entries it has written so far."""
    try:
        document = None if report is None else LedgerDocument.model_validate_json(report)
    except ValidationError:
        document = None
    if document is not None:
        seen = SeenRun(dag_id, run_id, state, started_at, document.entries, document.failed_tasks)
        return RecentRun(seen, document, reported=True)
    seen = SeenRun(dag_id, run_id, state, started_at, tuple(entries))
    if not entries:
        return RecentRun(seen)
    hops = {route: hops for route, hops in HOPS.items() if seen.of(route)}
    written_at = max(one.counted_at for one in entries)
    verdict = reconcile(entries, run_id, hops=hops)
    made = LedgerDocument(dag_id=dag_id, run_id=run_id, written_at=written_at, verdict=verdict, entries=tuple(entries))
    return RecentRun(seen, made)


def set_aside(
    letters: Iterable[Mapping[str, Any]], refused: Mapping[Route, Iterable[Mapping[str, Any]]]
) -> list[SetAside]:
    """What the documents of a run say of records that it set aside, most frequent reason first.

    The reasons of records that the lake refused are in its table ``quarantine`` only.

    :param letters: lines of ``dead_letters.jsonl``
    :param refused: lines of ``….refused.jsonl``, by route
    """
    found = [("quarantine", _entity(one), _said(one, "reason"), _said(one, "message"), _raw(one)) for one in letters]
    for route, rows in refused.items():
        for one in rows:
            value = json.dumps(one.get("value"), ensure_ascii=False)
            found.append((f"refused, {route}", _entity(one), _said(one, "code"), _said(one, "message"), value))
    groups: dict[tuple[str, str, str], list[tuple[str, str]]] = {}
    for where, entity, reason, message, sample in found:
        groups.setdefault((where, reason, entity), []).append((message, sample))
    views = [
        SetAside(where, reason, entity, len(those), those[0][0], shortened(those[0][1], SAMPLE_SHOWN))
        for (where, reason, entity), those in groups.items()
    ]
    return sorted(views, key=lambda one: (-one.count, one.where, one.reason, one.entity))


def json_lines(content: bytes) -> list[Mapping[str, Any]]:
    """The objects of a JSON-lines document, or of its beginning. What is not an object is left out."""
    found: list[Mapping[str, Any]] = []
    for line in content.split(b"\n"):
        try:
            one = json.loads(line)
        except ValueError:  # the last line of a beginning is cut off
            continue
        if isinstance(one, dict):
            found.append(one)
    return found


def web_links(named: Mapping[str, Any]) -> list[Link]:
    """Only addresses that lead somewhere: another scheme could run a script."""
    return [Link(name, url) for name, url in named.items() if urlsplit(str(url)).scheme in ("http", "https")]


def render_overview(
    runs: Sequence[RecentRun],
    shown: RecentRun | None,
    *,
    now: datetime,
    aside: Sequence[SetAside] = (),
    links: Sequence[Link] = (),
    cost: RunCost | None = None,
    tab: bool = False,
    problem: str = "",
) -> str:
    """Render the page as HTML. Everything from a run is escaped.

    :param runs: the last runs of all DAGs, newest first
    :param shown: the run to show hop by hop
    :param cost: what it costs, an estimate
    :param tab: a tab on a run, which Airflow puts into a frame whose links lead nowhere: addresses are text there,
        and the other runs are left out
    :param problem: why the documents cannot be read
    """
    seen = [run.seen for run in runs]
    routes = [] if tab or problem else [(health(route, seen, now), freshness(route, seen)) for route in JUDGED]
    quarantined = {route: _quarantined(shown.seen, route) for route in HOPS if shown and shown.seen.of(route)}
    return (
        environment()
        .get_template("overview.html")
        .render(
            tab=tab,
            problem=problem,
            now=now.astimezone(UTC),
            runs=runs,
            shown=shown,
            titles=ROUTE_TITLES,
            routes=routes,
            headline=headline([one for one, _ in routes]),
            summary=summary(shown.document) if shown and shown.document else "",
            hops=route_views(shown.document) if shown and shown.document else [],
            quarantined=quarantined,
            aside=aside,
            links=links,
            cost=cost,
        )
    )


def headline(routes: Sequence[Health]) -> str:
    """What is worst of the routes, in a sentence."""
    still = [one for one in routes if one.state in (State.STALLED, State.LYING)]
    if still:
        return " ".join(f"The {one.route} route stands still at hop {one.hop}." for one in still)
    states = {one.state for one in routes} - {State.UNKNOWN}
    if not states:
        return "Nothing has been counted yet."
    return "Nothing new has come for a while." if states == {State.IDLE} else "Records move."


def _quarantined(run: SeenRun, route: Route) -> int | None:
    counts = [one.quarantined for one in run.of(route)]
    return None if None in counts else sum(count or 0 for count in counts)


def _entity(line: Mapping[str, Any]) -> str:
    """Documents of earlier runs name it ``stream``."""
    return str(line.get("entity") or line.get("stream") or UNKNOWN)


def _said(line: Mapping[str, Any], name: str) -> str:
    return str(line.get(name, UNKNOWN))


def _raw(letter: Mapping[str, Any]) -> str:
    try:
        return base64.b64decode(letter.get("raw_base64") or "").decode("utf-8", errors="replace")
    except (TypeError, ValueError):
        return UNKNOWN

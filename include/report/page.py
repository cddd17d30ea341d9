"""A run's page: the verdict, the records hop by hop, the nine analyses. One self-contained HTML file."""

from __future__ import annotations

import base64
import pathlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import timedelta
from typing import Any

from jinja2 import Environment, FileSystemLoader, StrictUndefined

from include.ledger.entry import HOLDS_OTHERS, HOPS, Entry, Hop, Route
from include.ledger.verdict import Finding, LedgerDocument, Status
from include.report.charts import ANALYSES, Analysis, Chart, Row, text
from include.settings import ENTITIES, Entity

TEMPLATES = pathlib.Path(__file__).parent
LETTERS_SHOWN = 50
RAW_SHOWN = 120

HEADLINES = {
    Status.RECONCILED: "Every record is accounted for.",
    Status.LOST: "Records are lost.",
    Status.DUPLICATED: "There are more records than there should be.",
    Status.UNVERIFIED: "Not every hop could be counted.",
    Status.NOTHING_PASSED: "Nothing of an entity came through.",
    Status.TOO_MANY_REFUSED: "Too many records were refused.",
    Status.TOO_MANY_QUARANTINED: "Too many records are in quarantine.",
}
HOP_TITLES: dict[Hop, tuple[str, str]] = {
    "source": ("Source", "rows drawn and read from MySQL"),
    "api": ("API", "records acknowledged by the REST API"),
    "topic": ("Topic", "records on the Kafka brokers"),
    "landed": ("Landed", "records in S3 objects"),
    "bronze": ("Bronze", "raw lines in the lake"),
    "silver": ("Silver", "clean rows inserted or updated"),
    "gold": ("Gold", "rows of the whole table, joined"),
    "kinesis": ("Kinesis", "records in the shards"),
    "table": ("Table", "clean rows inserted or updated"),
    "chosen": ("Chosen", "records that pass by today's rules"),
    "replayed": ("Replayed", "rows that the lake holds of them"),
}
BEGINNINGS: dict[Hop, str] = {
    "source": "rows were read from the source",
    "landed": "records were looked for in the bucket",
    "chosen": "records were chosen",
}
LAKE: dict[Route, Hop] = {"batch": "silver", "stream": "table", "replay": "replayed"}
ROUTE_TITLES: dict[Route, tuple[str, str]] = {
    "batch": ("From the source to the lake", "Through Kafka and S3, in batches."),
    "stream": ("From the source to the stream's tables", "Through Kinesis, as records arrive."),
    "replay": ("From the lake into the lake", "Records that get a second chance."),
}
ASIDE = ("extra", "duplicates", "quarantined", "refused", "unmatched")


@dataclass(frozen=True)
class HopEntity:
    entity: Entity
    entry: Entry | None
    finding: Finding
    share: float
    asides: tuple[tuple[str, int], ...]


@dataclass(frozen=True)
class HopView:
    hop: Hop
    title: str
    meaning: str
    entities: tuple[HopEntity, ...]

    @property
    def mark(self) -> str:
        """How the hop's dot is drawn: ``bad``, ``doubt`` if it is only that something was not counted, or plain."""
        statuses = {one.finding.status for one in self.entities}
        if statuses <= {Status.RECONCILED}:
            return ""
        return "doubt" if statuses <= {Status.RECONCILED, Status.UNVERIFIED} else "bad"


@dataclass(frozen=True)
class RouteView:
    route: Route
    title: str
    meaning: str
    hops: tuple[HopView, ...]
    others: tuple[str, ...]


@dataclass(frozen=True)
class AnalysisView:
    """``chart`` is None if the run has no such table."""

    analysis: Analysis
    columns: tuple[str, ...]
    rows: tuple[tuple[str, ...], ...]
    chart: Chart | None


def render_report(
    document: LedgerDocument,
    *,
    analyses: Mapping[str, Any] | None,
    dead_letters: Sequence[Mapping[str, Any]],
    user_id: str,
) -> str:
    """Render the page as HTML. Everything from the run is escaped: titles and poster names are other people's text.

    :param analyses: by table name ``{"columns": […], "rows": [[…]…]}``; the page says which are missing. None if the
        run was not meant to compute any
    :param dead_letters: lines of ``dead_letters.jsonl``
    """
    return (
        environment()
        .get_template("report.html")
        .render(
            document=document,
            headline=HEADLINES[document.verdict.status],
            summary=summary(document),
            routes=route_views(document),
            analyses=[analysis_view(analysis, analyses.get(analysis.name)) for analysis in ANALYSES]
            if analyses is not None
            else [],
            letters=[letter_view(letter) for letter in dead_letters[:LETTERS_SHOWN]],
            letters_left=max(0, len(dead_letters) - LETTERS_SHOWN),
            user_id=user_id,
        )
    )


def environment() -> Environment:
    """The templates of this folder; what they are given is escaped."""
    templates = Environment(
        loader=FileSystemLoader(TEMPLATES),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    templates.filters["thousands"] = thousands
    templates.filters["css_class"] = css_class
    templates.filters["age"] = age
    return templates


def thousands(count: int | None) -> str:
    return "?" if count is None else f"{count:,}"


def age(span: timedelta | None) -> str:
    """``75 s``, ``3 min``, ``47 h``, ``5 d``: the greatest unit of which there are two."""
    if span is None:
        return "unknown"
    seconds = max(0, round(span.total_seconds()))
    for unit, size in (("d", 86_400), ("h", 3_600), ("min", 60)):
        if seconds >= 2 * size:
            return f"{seconds // size} {unit}"
    return f"{seconds} s"


def css_class(status: str) -> str:
    return str(status).replace(" ", "-")


def summary(document: LedgerDocument) -> str:
    """What became of the run's records, in a sentence or two per route."""
    return " ".join(_route_summary(document, route) for route in document.verdict.routes)


def _route_summary(document: LedgerDocument, route: Route) -> str:
    def total(hop: Hop, name: str) -> int | None:
        counts = [getattr(e, name) for e in document.entries if (e.route, e.hop) == (route, hop)]
        return sum(counts) if counts and None not in counts else None

    lake, first = LAKE[route], document.verdict.hops(route)[0]
    begun, stored = total(first, "records_out" if first == "source" else "records_in"), total(lake, "records_out")
    what = BEGINNINGS.get(first, "records were given")
    if begun is None:
        return f"{route.capitalize()}: how many {what} was not counted."
    told = [f"{route.capitalize()}: {begun:,} {what}"]
    extra = sum(total(hop, "extra") or 0 for hop in HOLDS_OTHERS)
    if extra:
        told.append(f"{extra:,} more records came from earlier runs or other producers")
    if stored is None:
        return f"{'; '.join(told)}. What reached the lake was not counted."
    outcomes = [f"{stored:,} rows of the lake are new or newer"]
    duplicates = total(lake, "duplicates")
    if duplicates:
        outcomes.append(f"{duplicates:,} changed nothing")
    quarantined = sum(total(hop, "quarantined") or 0 for hop in HOPS[route])
    if quarantined:
        outcomes.append(f"{quarantined:,} are in quarantine")
    refused = total("api", "refused")
    if refused:
        outcomes.append(f"{refused:,} were refused by the API")
    return f"{'; '.join(told)}. {', '.join(outcomes)}."


def route_views(document: LedgerDocument) -> list[RouteView]:
    return [
        RouteView(
            route,
            *ROUTE_TITLES[route],
            tuple(hop_views(document, route)),
            tuple(entry.others for entry in document.entries if entry.route == route and entry.others),
        )
        for route in document.verdict.routes
    ]


def hop_views(document: LedgerDocument, route: Route) -> list[HopView]:
    entries = {(entry.hop, entry.entity): entry for entry in document.entries if entry.route == route}
    views = []
    for hop in document.verdict.hops(route):
        counts = [
            c for e in entries.values() if (c := e.records_out) is not None and (e.hop == "gold") == (hop == "gold")
        ]
        most = max(counts, default=0) or 1
        entities = []
        for entity in ENTITIES:
            entry = entries.get((hop, entity))
            out = (entry.records_out or 0) if entry else 0
            asides = [(name, getattr(entry, name)) for name in ASIDE if entry and getattr(entry, name)]
            finding = document.verdict.finding(route, entity, hop)
            entities.append(HopEntity(entity, entry, finding, out / most, tuple(asides)))
        views.append(HopView(hop, *HOP_TITLES[hop], tuple(entities)))
    return views


def analysis_view(analysis: Analysis, table: Mapping[str, Any] | None) -> AnalysisView:
    if not table:
        return AnalysisView(analysis, analysis.columns, (), None)
    columns = tuple(table["columns"])
    rows: list[Row] = [dict(zip(columns, row, strict=True)) for row in table["rows"]]
    shown_rows = tuple(tuple(_cell(value) for value in row) for row in table["rows"])
    known = set(analysis.columns) <= set(columns)
    return AnalysisView(analysis, columns, shown_rows, analysis.draw(rows) if known and rows else None)


def letter_view(letter: Mapping[str, Any]) -> dict[str, Any]:
    """Dead letters of earlier runs name their entity ``stream``."""
    return {**letter, "entity": letter.get("entity") or letter["stream"], "raw": shown(letter)}


def shown(letter: Mapping[str, Any]) -> str:
    raw = base64.b64decode(letter.get("raw_base64") or "").decode("utf-8", errors="replace")
    return shortened(raw, RAW_SHOWN)


def shortened(content: str, most: int) -> str:
    return content if len(content) <= most else f"{content[:most]}… ({len(content):,} characters)"


def _cell(value: object) -> str:
    if isinstance(value, bool) or not isinstance(value, (int, float)):
        return text(value)
    return f"{value:,.10g}" if abs(value) >= 10_000 else f"{value:.10g}"

"""A run's page: the verdict, the records hop by hop, the nine analyses. One HTML file that needs no other."""

from __future__ import annotations

import base64
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from jinja2 import Environment, FileSystemLoader, StrictUndefined

from include.ledger import HOPS, Entry, Finding, Hop, LedgerDocument, Status
from include.report_charts import ANALYSES, Analysis, Chart, Row, text
from include.settings import STREAMS, Stream

TEMPLATES = Path(__file__).parent / "templates"
LETTERS_SHOWN = 50
RAW_SHOWN = 120

HEADLINES = {
    Status.RECONCILED: "Every record is accounted for.",
    Status.LOST: "Records are lost.",
    Status.DUPLICATED: "There are more records than there should be.",
    Status.UNVERIFIED: "Not every hop could be counted.",
}
HOP_TITLES: dict[Hop, tuple[str, str]] = {
    "source": ("Source", "rows drawn and read from MySQL"),
    "api": ("API", "records acknowledged by the REST API"),
    "topic": ("Topic", "records on the Kafka brokers"),
    "landed": ("Landed", "records in S3 objects"),
    "bronze": ("Bronze", "raw lines in the lake"),
    "silver": ("Silver", "clean rows inserted or updated"),
    "gold": ("Gold", "rows of the whole table, joined"),
}
ASIDE = ("extra", "duplicates", "quarantined", "refused", "unmatched")


@dataclass(frozen=True)
class HopStream:
    stream: Stream
    entry: Entry | None
    finding: Finding
    share: float
    asides: tuple[tuple[str, int], ...]


@dataclass(frozen=True)
class HopView:
    hop: Hop
    title: str
    meaning: str
    streams: tuple[HopStream, ...]


@dataclass(frozen=True)
class AnalysisView:
    """``chart`` is None where the run has no such table."""

    analysis: Analysis
    columns: tuple[str, ...]
    rows: tuple[tuple[str, ...], ...]
    chart: Chart | None


def render_report(
    document: LedgerDocument,
    *,
    analyses: Mapping[str, Any],
    dead_letters: Sequence[Mapping[str, Any]],
    user_id: str,
) -> str:
    """The page as HTML. Everything from the run is escaped: titles and posters' names are other people's text.

    :param analyses: by table name ``{"columns": […], "rows": [[…]…]}``; a missing one is said to be missing
    :param dead_letters: lines of ``dead_letters.jsonl``
    """
    templates = Environment(
        loader=FileSystemLoader(TEMPLATES),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    templates.filters["thousands"] = thousands
    return templates.get_template("report.html").render(
        document=document,
        headline=HEADLINES[document.verdict.status],
        summary=summary(document),
        hops=hop_views(document),
        analyses=[analysis_view(analysis, analyses.get(analysis.name)) for analysis in ANALYSES],
        letters=[{**letter, "raw": shown(letter)} for letter in dead_letters[:LETTERS_SHOWN]],
        letters_left=max(0, len(dead_letters) - LETTERS_SHOWN),
        user_id=user_id,
    )


def thousands(count: int | None) -> str:
    return "?" if count is None else f"{count:,}"


def summary(document: LedgerDocument) -> str:
    """What became of the run's records, in a sentence or two."""
    total = {(hop, name): _sum(document, hop, name) for hop in HOPS for name in ("records_out", *ASIDE)}
    posted, stored = total["source", "records_out"], total["silver", "records_out"]
    if posted is None:
        return "The rows that were read from the source were not counted."
    told = [f"{posted:,} rows were read from the source"]
    extra = total["topic", "extra"] or 0
    if extra:
        told.append(f"{extra:,} more records of others were on the topics")
    if stored is None:
        return f"{'; '.join(told)}. What reached the lake was not counted."
    quarantined = sum(total[hop, "quarantined"] or 0 for hop in HOPS)
    outcomes = [f"{stored:,} rows of the lake are new or newer"]
    if total["silver", "duplicates"]:
        outcomes.append(f"{total['silver', 'duplicates']:,} changed nothing")
    if quarantined:
        outcomes.append(f"{quarantined:,} are in quarantine")
    if total["api", "refused"]:
        outcomes.append(f"{total['api', 'refused']:,} were refused by the API")
    return f"{'; '.join(told)}. {', '.join(outcomes)}."


def hop_views(document: LedgerDocument) -> list[HopView]:
    entries = {(entry.hop, entry.stream): entry for entry in document.entries}
    views = []
    for hop in HOPS:
        counts = [
            c for e in document.entries if (c := e.records_out) is not None and (e.hop == "gold") == (hop == "gold")
        ]
        most = max(counts, default=0) or 1
        streams = []
        for stream in STREAMS:
            entry = entries.get((hop, stream))
            out = (entry.records_out or 0) if entry else 0
            asides = [(name, getattr(entry, name)) for name in ASIDE if entry and getattr(entry, name)]
            finding = document.verdict.finding(stream, hop)
            streams.append(HopStream(stream, entry, finding, out / most, tuple(asides)))
        views.append(HopView(hop, *HOP_TITLES[hop], tuple(streams)))
    return views


def analysis_view(analysis: Analysis, table: Mapping[str, Any] | None) -> AnalysisView:
    if not table:
        return AnalysisView(analysis, analysis.columns, (), None)
    columns = tuple(table["columns"])
    rows: list[Row] = [dict(zip(columns, row, strict=True)) for row in table["rows"]]
    shown_rows = tuple(tuple(_cell(value) for value in row) for row in table["rows"])
    known = set(analysis.columns) <= set(columns)
    return AnalysisView(analysis, columns, shown_rows, analysis.draw(rows) if known and rows else None)


def shown(letter: Mapping[str, Any]) -> str:
    raw = base64.b64decode(letter.get("raw_base64") or "").decode("utf-8", errors="replace")
    return raw if len(raw) <= RAW_SHOWN else f"{raw[:RAW_SHOWN]}… ({len(raw):,} characters)"


def _cell(value: object) -> str:
    if isinstance(value, bool) or not isinstance(value, (int, float)):
        return text(value)
    return f"{value:,.10g}" if abs(value) >= 10_000 else f"{value:.10g}"


def _sum(document: LedgerDocument, hop: Hop, name: str) -> int | None:
    counts = [getattr(entry, name) for entry in document.entries if entry.hop == hop]
    return sum(counts) if counts and None not in counts else None

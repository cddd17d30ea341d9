"""The ledger as a text table for a terminal: ``python -m include.ledger.table build/report/ledger.json``."""

from __future__ import annotations

import sys
from collections.abc import Sequence
from pathlib import Path

from include.ledger.entry import Entry
from include.ledger.verdict import Finding, LedgerDocument, Status
from include.settings import ENTITIES

COLUMNS = (
    "route",
    "hop",
    "entity",
    "in",
    "extra",
    "out",
    "duplicate",
    "quarantined",
    "refused",
    "unmatched",
    "verdict",
)
NOT_COUNTED = "?"


def ledger_table(document: LedgerDocument) -> str:
    """One row per hop and entity; below the table, whose the extra records are, and what is not reconciled."""
    entries = {(entry.route, entry.hop, entry.entity): entry for entry in document.entries}
    rows = [
        _row(document.verdict.finding(route, entity, hop), entries.get((route, hop, entity)))
        for route in document.verdict.routes
        for hop in document.verdict.hops(route)
        for entity in ENTITIES
    ]
    lines = [f"{document.dag_id} {document.run_id}", "", *_aligned([COLUMNS, *rows]), ""]
    remarks = [entry.remark for entry in document.entries if entry.remark]
    for block in ([entry.others for entry in document.entries if entry.others], remarks, document.failure_lines):
        lines += [f"  {line}" for line in block]
        if block:
            lines.append("")
    lines.append(f"verdict: {document.verdict.status.value}")
    return "\n".join(lines)


def _row(finding: Finding, entry: Entry | None) -> tuple[str, ...]:
    verdict = finding.status.value
    if finding.status in (Status.LOST, Status.DUPLICATED):
        verdict += f" {finding.records}"
    if entry is None:
        return (finding.route, finding.hop, finding.entity, *([NOT_COUNTED] * 7), verdict)
    counts = (
        entry.records_in,
        entry.extra,
        entry.records_out,
        entry.duplicates,
        entry.quarantined,
        entry.refused,
        entry.unmatched,
    )
    always = {0, 2}
    told = [
        NOT_COUNTED if count is None else f"{count:,}" if count or place in always else "·"
        for place, count in enumerate(counts)
    ]
    return (finding.route, finding.hop, finding.entity, *told, verdict)


def _aligned(rows: Sequence[Sequence[str]]) -> list[str]:
    """Names aligned left and numbers right, a rule below the header; a route or hop appears only where it changes."""
    widths = [max(len(row[column]) for row in rows) for column in range(len(COLUMNS))]
    left = {0, 1, 2, len(COLUMNS) - 1}
    lines: list[str] = []
    for number, row in enumerate(rows):
        before = rows[number - 1] if number else COLUMNS
        route = row[0] if number == 0 or row[0] != before[0] else ""
        hop = row[1] if number == 0 or row[:2] != before[:2] else ""
        cells = (route, hop, *row[2:])
        line = "  ".join(
            cell.ljust(width) if column in left else cell.rjust(width)
            for column, (cell, width) in enumerate(zip(cells, widths, strict=True))
        )
        lines.append(line.rstrip())
        if number == 0:
            lines.append("  ".join("-" * width for width in widths))
    return lines


if __name__ == "__main__":
    print(ledger_table(LedgerDocument.model_validate_json(Path(sys.argv[1]).read_text())))

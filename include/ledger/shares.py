"""How much of an entity's records came through on one route, by what its hops counted.

Shares are of the records that reached the place where records are refused or put in quarantine. Those of other
producers are among them: nobody can tell from a record that breaks a rule who sent it.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

from include.ledger.entry import HOLDS_OTHERS, Entry, Hop, Route

QUARANTINE = "select reason, message, object, raw from quarantine where stream = '{}' order by first_seen desc"
REFUSED_ROWS: dict[Route, str] = {
    "batch": "posting/<dag_id>/<run_id>.refused.jsonl",
    "stream": "posting/<dag_id>/<run_id>.stream.refused.jsonl",
}


class Excess(NamedTuple):
    """More than is allowed was left aside: at ``hop`` most of it, ``records`` in all."""

    hop: Hop
    records: int
    explanation: str


def given(entry: Entry) -> int:
    """What a hop had to account for."""
    return (entry.records_in or 0) + (entry.extra or 0)


def nothing_passed(entries: Sequence[Entry]) -> Excess | None:
    """A hop that was given records, accounts for all of them, and handed on none.

    A duplicate passed: the hop after holds what it says. So a replay of old posts passes, although it adds nothing.

    :param entries: of one entity on one route, in the order of the hops
    """
    for entry in entries:
        aside = {"refused": entry.refused, "in quarantine": entry.quarantined, "without a partner": entry.unmatched}
        left = sum(count or 0 for count in aside.values())
        if left and left == given(entry) and not entry.records_out and not entry.duplicates:
            told = ", ".join(f"{count:,} {name}" for name, count in aside.items() if count)
            return Excess(entry.hop, left, f"none of {left:,} came through: {told}{_most(entry)}{_where(entry)}")
    return None


def refused_excess(entries: Sequence[Entry], allowed: float) -> Excess | None:
    """More records refused by the source and the API than ``allowed``, a share of those that were drawn."""
    refusing = [entry for entry in entries if entry.refused]
    if not refusing:
        return None
    records, refused = given(entries[0]), sum(entry.refused or 0 for entry in refusing)
    if records and refused / records <= allowed:
        return None
    worst = max(refusing, key=lambda entry: entry.refused or 0)
    return Excess(
        worst.hop,
        refused,
        f"{refused:,} of {records:,} records were refused, {_percent(refused, records)}; "
        f"ledger.max_refused_share allows {_percent(allowed)}{_most(worst)}. "
        f"Correct what is refused, or raise it{_where(worst)}",
    )


def quarantined_excess(entries: Sequence[Entry], allowed: float) -> Excess | None:
    """More records in quarantine than ``allowed``, a share of those that reached the lake's side of the route."""
    holding = [entry for entry in entries if entry.quarantined]
    if not holding:
        return None
    # What landed has beyond its input are repeats of the same records; what a batch of a stream has, are others.
    records = max(given(entry) if entry.hop != "landed" else entry.records_in or 0 for entry in holding)
    quarantined = sum(entry.quarantined or 0 for entry in holding)
    if records and quarantined / records <= allowed:
        return None
    foreign = sum(entry.extra or 0 for entry in entries if entry.hop in HOLDS_OTHERS)
    among = f" ({foreign:,} of all are of earlier runs or other producers)" if foreign else ""
    worst = max(holding, key=lambda entry: entry.quarantined or 0)
    return Excess(
        worst.hop,
        quarantined,
        f"{quarantined:,} of {records:,} records{among} are in quarantine, {_percent(quarantined, records)}; "
        f"ledger.max_quarantined_share allows {_percent(allowed)}. Correct what sends them, or raise it{_where(worst)}",
    )


def _most(entry: Entry) -> str:
    return f" (most often {entry.reason})" if entry.refused and entry.reason else ""


def _where(entry: Entry) -> str:
    if entry.refused:
        return f". The rows: {REFUSED_ROWS[entry.route]}"
    return f". The records: {QUARANTINE.format(entry.entity)}" if entry.quarantined else ""


def _percent(count: float, of: int = 1) -> str:
    return f"{100 * count / of:.3g} %"

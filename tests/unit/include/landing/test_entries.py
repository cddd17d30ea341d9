"""The hop ``landed`` in the ledger."""

from __future__ import annotations

from include.landing.coverage import cover
from include.landing.entries import landed_entries
from tests.unit.include.landing.sink_objects import TOPIC, holds, interval, landed, line


def test_the_ledger_of_a_complete_interval_balances():
    found = cover(TOPIC, 0, (0, 10), [holds(0, 6), landed(5, [line(n) for n in (5, 6, 7, 9)])], [8])

    (entry,) = landed_entries("r", interval(), [found])

    assert (entry.records_in, entry.records_out, entry.quarantined) == (10, 9, 1)
    assert (entry.extra, entry.duplicates, entry.positions) == (2, 2, ("p0@5-6",))
    assert (entry.first, entry.last) == ("p0@0", "p0@9")


def test_the_ledger_of_a_gap_names_what_is_missing():
    found = cover(TOPIC, 0, (0, 10), [holds(0, 3), holds(6, 9)], [])

    (entry,) = landed_entries("r", interval(), [found])

    assert (entry.records_in, entry.records_out, entry.positions) == (10, 8, ("p0@4-5",))

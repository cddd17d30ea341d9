"""The ledger as the log and ``make demo`` print it."""

from __future__ import annotations

from include.ledger.table import ledger_table
from include.ledger.verdict import LedgerDocument, reconcile
from tests.unit.include.ledger.balanced_run import RUN, entry, run_with


def test_the_table_for_the_terminal_shows_every_hop_and_what_is_wrong():

    entries = run_with(entry("landed", "geo", records_out=90, positions=("p1@40-46",)), without=[("gold", "user")])
    table = ledger_table(
        LedgerDocument(
            dag_id="d", run_id=RUN, written_at="now", verdict=reconcile(entries, RUN), entries=tuple(entries)
        )
    )

    lines = [line.split() for line in table.splitlines()]
    assert ["geo", "101", "1", "90", "1", "4", "·", "·", "lost", "7"] in lines
    assert ["user", *["?"] * 7, "unverified"] in lines
    assert "geo at hop landed: lost at p1@40-46" in table
    assert table.endswith("verdict: unverified")

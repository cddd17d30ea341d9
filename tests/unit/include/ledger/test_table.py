"""The ledger as the log and ``make demo`` print it."""

from __future__ import annotations

from include.ledger.table import ledger_table
from include.ledger.verdict import LedgerDocument, reconcile
from tests.unit.include.ledger.balanced_run import LIMITS, RUN, entry, run_with


def document(entries):
    verdict = reconcile(entries, RUN, limits=LIMITS)
    return LedgerDocument(dag_id="d", run_id=RUN, written_at="now", verdict=verdict, entries=tuple(entries))


def test_the_table_for_the_terminal_shows_every_hop_and_what_is_wrong():

    entries = run_with(entry("landed", "geo", records_out=90, positions=("p1@40-46",)), without=[("gold", "user")])
    table = ledger_table(document(entries))

    lines = [line.split() for line in table.splitlines()]
    assert ["geo", "101", "1", "90", "1", "4", "·", "·", "lost", "7"] in lines
    assert ["user", *["?"] * 7, "unverified"] in lines
    assert "geo at hop landed: lost at p1@40-46" in table
    assert table.endswith("verdict: unverified")


def test_extra_records_are_named_below_the_table_of_a_reconciled_run():
    left_over = ("4 of run manual__0 of pinterest_stream",)
    lines = ledger_table(document(run_with(entry("table", "pin", "stream", extra_of=left_over)))).splitlines()

    assert "  stream: pin at hop table: 4 extra: 4 of run manual__0 of pinterest_stream" in lines
    assert "  batch: geo at hop topic: 3 extra: records of earlier runs or other producers" in lines
    assert not [line for line in lines if "at hop landed" in line]
    assert lines[-1] == "verdict: reconciled"


def test_a_row_says_that_nothing_passed():
    nothing = [entry("silver", "geo", records_out=0, duplicates=0, quarantined=97), entry("gold", "geo")]
    lines = [line.split() for line in ledger_table(document(run_with(*nothing))).splitlines()]

    assert ["geo", "97", "·", "0", "·", "97", "·", "·", "nothing", "passed"] in lines
    assert lines[-1] == ["verdict:", "nothing", "passed"]

"""What ``make demo`` prints of a run: the ledger's one table, by the program that writes it into the run's log."""

from __future__ import annotations

import pytest

from include.ledger.entry import HOPS, Entry
from include.ledger.table import ledger_table
from include.ledger.verdict import LedgerDocument, reconcile
from include.settings import ENTITIES
from lab import demo
from lab.progress import StepError

RUN = "manual__1"


@pytest.fixture
def target(tmp_path, monkeypatch):
    monkeypatch.setattr(demo, "TARGET", tmp_path)
    return tmp_path


def test_the_demo_prints_the_table_of_the_run_s_log(target):
    entries = tuple(
        Entry(route=route, hop=hop, entity=entity, run_id=RUN, counted_by="hand", records_in=5, records_out=5)
        for route in HOPS
        for hop in HOPS[route]
        for entity in ENTITIES
    )
    document = LedgerDocument(
        dag_id="d", run_id=RUN, written_at="now", verdict=reconcile(entries, RUN), entries=entries
    )
    (target / "ledger.json").write_text(document.model_dump_json())

    assert demo.ledger_table() == ledger_table(document) + "\n"


def test_a_file_that_is_no_ledger_is_named(target):
    (target / "ledger.json").write_text("{}")

    with pytest.raises(StepError, match=r"ledger\.json is not a ledger\n(.|\n)*verdict"):
        demo.ledger_table()

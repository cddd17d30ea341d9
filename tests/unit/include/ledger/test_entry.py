"""One hop's entry: its bounds, and its way through the bucket."""

from __future__ import annotations

import pytest

from include.ledger.entry import entries_json, parse_entries
from tests.unit.include.ledger.balanced_run import entry, run_with


def test_entries_survive_the_bucket():
    entries = run_with()

    assert parse_entries(entries_json(entries)) == entries


def test_a_negative_count_is_refused_by_name():
    with pytest.raises(ValueError, match="records_out"):
        entry("api", records_out=-1)

"""Two runs write one table at the same time: both end, and every row is there once."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from threading import Barrier

import pytest
from delta.exceptions import ConcurrentAppendException

from pinterest_lake import conflicts
from pinterest_lake.conflicts import TRIES, committed

ROUNDS = 2


def test_two_writers_of_the_same_rows_insert_each_once(bare_lake):
    bare_lake.create_table("raced", "ind INT, writer INT", found_by="ind")
    start = Barrier(2)

    def write(writer: int) -> int:
        lake, inserted = replace(bare_lake, spark=bare_lake.spark.newSession()), 0
        for number in range(ROUNDS):
            rows = lake.spark.range(number * 10, number * 10 + 15).selectExpr("int(id) AS ind", f"{writer} AS writer")
            start.wait(60)
            inserted += lake.insert_missing("raced", rows, on="stored.ind = row.ind")
        return inserted

    with ThreadPoolExecutor(2) as writers:
        inserted = sum(writers.map(write, (1, 2)))

    stored = [row.ind for row in bare_lake.table("raced").collect()]
    assert sorted(stored) == list(range(ROUNDS * 10 + 5))
    assert inserted == len(stored), "each row was counted by the writer that inserted it"


def test_a_conflict_that_never_ends_is_raised(monkeypatch):
    monkeypatch.setattr(conflicts.time, "sleep", lambda _: None)
    tried = []

    def commit():
        tried.append(True)
        raise ConcurrentAppendException("another writer", "", None)

    with pytest.raises(ConcurrentAppendException):
        committed(commit)

    assert len(tried) == TRIES


def test_another_error_is_raised_at_once():
    tried = []

    def commit():
        tried.append(True)
        raise ValueError("no conflict")

    with pytest.raises(ValueError, match="no conflict"):
        committed(commit)

    assert len(tried) == 1

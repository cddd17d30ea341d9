"""Numbers beside a chart."""

from __future__ import annotations

import pytest

from include.report.charts import compact


@pytest.mark.parametrize(
    ("number", "expected"),
    [(437, "437"), (26_000, "26k"), (130_000.5, "130k"), (15_000_000, "15M"), (2.5, "2.5"), (0, "0")],
)
def test_compact_numbers(number, expected):
    assert compact(number) == expected

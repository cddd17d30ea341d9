"""``docs/seed-coverage.md``: every step that was done by hand is a task of ``pinterest_pipeline``, and has a test."""

from __future__ import annotations

import re
from pathlib import Path
from typing import NamedTuple

import pytest

DOCUMENT = Path(__file__).parents[2] / "docs" / "seed-coverage.md"


class Step(NamedTuple):
    number: int
    tasks: list[str]
    tests: list[str]


def steps() -> list[Step]:
    rows = [line.strip("|").split("|") for line in DOCUMENT.read_text().splitlines() if re.match(r"\| \d+ \|", line)]
    return [
        Step(int(number), re.findall(r"`([^`]+)`", tasks), re.findall(r"\]\(([^)]+)\)", tests))
        for number, _, tasks, tests in rows
    ]


def test_no_step_is_missing():
    assert [step.number for step in steps()] == list(range(1, 41))
    assert [step.number for step in steps() if not step.tasks or not step.tests] == []


@pytest.mark.parametrize("step", steps(), ids=lambda step: str(step.number))
def test_a_step_is_tasks_and_has_tests(dag_bag, step):
    tasks = {task.task_id for task in dag_bag.dags["pinterest_pipeline"].tasks}

    assert set(step.tasks) <= tasks
    for path in step.tests:
        test = DOCUMENT.parent / path
        assert test.is_file(), path
        assert "\ndef test_" in test.read_text() or "    def test_" in test.read_text(), path

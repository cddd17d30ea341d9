"""The README's picture of pinterest_pipeline shows the stages and their order as the DAG has them."""

from __future__ import annotations

import re
from itertools import pairwise
from pathlib import Path

import pytest

README = Path(__file__).parents[2] / "README.md"
FLOWS = ("provision", "batch", "stream")
IDENTITY = "identity"
"""A task of the flow ``stream`` itself, and no stage."""


def stage_of(task_id: str) -> str:
    """``provision.topics.brokers`` belongs to ``topics``, ``reconcile.verdict`` to ``reconcile``."""
    first, *rest = task_id.split(".")
    return rest[0] if first in FLOWS else first


@pytest.fixture
def tasks(dag_bag):
    return [task for task in dag_bag.dags["pinterest_pipeline"].tasks if stage_of(task.task_id) != IDENTITY]


@pytest.fixture
def picture() -> str:
    return README.read_text().split("```mermaid\n")[1].split("```")[0]


def test_every_stage_is_in_the_picture(tasks, picture):
    assert set(re.findall(r"\w+", picture)) >= {stage_of(task.task_id) for task in tasks}


def test_the_picture_has_the_order_of_the_stages(tasks, picture):
    drawn = {pair for line in picture.splitlines() if "-->" in line for pair in pairwise(line.strip().split(" --> "))}
    inside = {
        (stage_of(before), stage_of(task.task_id))
        for task in tasks
        for before in task.upstream_task_ids
        if before.split(".")[0] == task.task_id.split(".")[0]
        and stage_of(before) not in (stage_of(task.task_id), IDENTITY)
    }

    assert {pair for pair in drawn if not {*pair} & {*FLOWS}} == inside
    assert {pair for pair in drawn if {*pair} & {*FLOWS}} == {
        ("provision", "batch"), ("provision", "stream"), ("batch", "reconcile"), ("stream", "reconcile"),
    }  # fmt: skip

"""What a run costs, as far as the settings say."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest

from include.report.cost import run_cost
from tests.builders import settings

START = datetime(2026, 11, 1, tzinfo=UTC)
MACHINE = 0.0208 + 20 * 0.00011 + 0.005 + 0.11


@pytest.mark.parametrize(
    ("sections", "per_hour"),
    [
        ({}, MACHINE + 3 * 0.015),
        ({"kinesis": {"mode": "on_demand"}}, MACHINE + 3 * 0.04),
        ({"kinesis": {"mode": "provisioned", "shards": 2}}, MACHINE + 6 * 0.015),
        ({"kafka_client": {"instance_type": "t3.large"}}, MACHINE - 0.0208 + 0.0832 + 3 * 0.015),
    ],
)
def test_what_stands_is_paid_for_by_the_hour(sections, per_hour):
    found = run_cost(settings(**sections), START, START + timedelta(hours=10))

    assert found.said == f"{10 * per_hour:.2f} USD"
    assert f"{per_hour:.3f} USD per hour" in found.basis
    assert "by list prices of us-east-1, 2026-11; without brokers" in found.basis


def test_a_short_run_costs_less_than_a_cent():
    assert run_cost(settings(), START, START + timedelta(seconds=90)).said == "less than 0.01 USD"


@pytest.mark.parametrize(
    ("sections", "started_at", "ended_at"),
    [
        ({}, None, START),
        ({}, START, START - timedelta(seconds=1)),
        ({"kafka_client": {"instance_type": "x9.huge"}}, START, START),
    ],
    ids=["unknown beginning", "an end before the beginning", "unlisted machine"],
)
def test_what_nobody_knows_is_not_said(sections, started_at, ended_at):
    assert run_cost(settings(**sections), started_at, ended_at) is None

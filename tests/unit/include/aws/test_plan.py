"""What the plan says of an account, and the sums below it."""

from __future__ import annotations

import re

import pytest

from include.aws.plan import Action, Resource, action, per_hour, prices, rows, table

MACHINE = Resource("instance", "0e36", Action.MADE, priced={"ec2:t3.small": 1, "ec2:public_address": 1})
STREAM = Resource("data stream", "s-pin", Action.USED, "ACTIVE", ours=True, priced={"kinesis:shard": 2})
BUCKET = Resource("bucket", "user-bucket", Action.USED, "there", ours=False)
CLUSTER = Resource("MSK cluster", "msk", Action.MISSED, priced={"msk:kafka.t3.small": 2})
ODD = Resource("instance", "odd", Action.MADE, priced={"ec2:x9.huge": 1})


def test_a_resource_costs_the_sum_of_what_is_paid_for():
    assert per_hour(MACHINE, prices()) == pytest.approx(0.0258)
    assert per_hour(STREAM, prices()) == pytest.approx(0.03)
    assert per_hour(BUCKET, prices()) == 0
    assert per_hour(ODD, prices()) is None


@pytest.mark.parametrize(
    ("found", "may_make", "what"),
    [(True, True, "used"), (True, False, "used"), (False, True, "made"), (False, False, "missed")],
)
def test_what_is_there_is_used_and_what_is_not_is_made_where_that_is_allowed(found, may_make, what):
    assert action(found=found, may_make=may_make).value == what


def test_the_table_has_a_line_for_each_resource():
    lines = table([MACHINE, STREAM, BUCKET], "us-east-1").splitlines()

    assert [re.split(r"  +", line) for line in lines[:4]] == [
        ["resource", "name", "there", "whose", "would be", "per hour", "per month"],
        ["instance", "0e36", "·", "·", "made", "0.0258", "18.83"],
        ["data stream", "s-pin", "ACTIVE", "ours", "used", "0.0300", "21.90"],
        ["bucket", "user-bucket", "there", "others'", "used", "·", "·"],
    ]


def test_the_estimate_tells_what_would_be_added_and_leaves_out_what_is_missed():
    text = table([MACHINE, STREAM, CLUSTER], "us-east-1")

    assert "estimate: 0.056 USD per hour, 41 per month, of which would be added: 0.026 per hour, 19 per month" in text
    assert f"list prices of us-east-1, {prices().as_of}" in text


def test_what_the_estimate_does_not_know_is_said():
    assert "no price is listed" in table([ODD], "us-east-1")
    assert "eu-west-1 has other prices" in table([MACHINE], "eu-west-1")
    assert "other prices" not in table([MACHINE], "us-east-1")


def test_the_plan_is_plain_data_for_other_programs():
    assert rows([STREAM]) == [
        {"kind": "data stream", "name": "s-pin", "found": "ACTIVE", "ours": True, "action": "used", "per_hour": 0.03}
    ]


def test_prices_are_dated():
    assert re.fullmatch(r"20\d\d-\d\d", prices().as_of)
    assert all(price > 0 for price in prices().per_hour.values())

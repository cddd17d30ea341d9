"""Is there room in the account?"""

from __future__ import annotations

import pytest

from include.doctor.quotas import REST_APIS, VPCS, Room, findings


@pytest.mark.parametrize("room", [Room(VPCS, 5, 4, 1), Room(VPCS, 5, 5, 0), Room(VPCS, 5, 7, 0)])
def test_there_is_room_or_nothing_is_needed(room):
    assert list(findings([room], "us-east-1")) == []


def test_a_full_quota_comes_with_the_command_that_asks_for_more():
    [found] = findings([Room(VPCS, 5, 5, 1)], "us-east-1")

    assert found.problem == "VPCs in us-east-1: 5 of 5 are used, 1 more are needed"
    assert found.fix.endswith(
        "aws service-quotas request-service-quota-increase --region us-east-1 --service-code vpc "
        "--quota-code L-F678F1CE --desired-value 6"
    )


def test_a_quota_that_cannot_be_raised_offers_no_such_command():
    [found] = findings([Room(REST_APIS, 120, 120, 1)], "eu-west-1")

    assert found.fix == "delete some that nobody uses, or use another account or region"

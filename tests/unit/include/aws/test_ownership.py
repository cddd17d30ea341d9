"""Whose a resource is, and until when: by its tags, as every service spells them."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest

from include.aws.ownership import (
    as_pairs,
    as_tags,
    expires_at,
    expiry,
    filters,
    given,
    is_expired,
    is_ours,
    owner_tags,
)
from tests.builders import USER_ID

OURS = {"project": "pinterest-pipeline", "user_id": USER_ID}
START = datetime(2026, 1, 1, 12, tzinfo=UTC)


@pytest.mark.parametrize(
    ("found", "ours"),
    [
        (OURS, True),
        ({**OURS, "Name": USER_ID}, True),
        ([{"Key": "user_id", "Value": USER_ID}, {"Key": "project", "Value": "pinterest-pipeline"}], True),
        ({"project": "pinterest-pipeline"}, False),
        ({"project": "pinterest-pipeline", "user_id": "0123456789ab"}, False),
        ([{"Key": "user_id", "Value": USER_ID}], False),
        ([], False),
        (None, False),
    ],
)
def test_ours_is_what_has_both_tags(found, ours):
    assert is_ours(found, USER_ID) is ours


def test_tags_are_read_and_written_as_pairs():
    assert as_tags(as_pairs(OURS)) == OURS == owner_tags(USER_ID)
    assert filters(USER_ID) == [
        {"Name": "tag:project", "Values": ["pinterest-pipeline"]},
        {"Name": "tag:user_id", "Values": [USER_ID]},
    ]


def test_a_tag_without_a_value_is_left_out_and_others_are_as_aws_takes_them():
    assert given({"expires_at": "", "run_id": "manual__2026-01-01T00:00:00+00:00", "dag_id": "a~b(c)"}) == {
        "run_id": "manual__2026-01-01T00:00:00+00:00",
        "dag_id": "a_b_c_",
    }
    assert len(given({"run_id": "x" * 300})["run_id"]) == 256


def test_what_a_run_makes_expires_so_many_hours_after_its_start():
    assert expiry(START, None) == ""
    assert expiry(START, 30) == "2026-01-02T18:00:00Z"
    assert expires_at({"expires_at": expiry(START, 30)}) == datetime(2026, 1, 2, 18, tzinfo=UTC)


@pytest.mark.parametrize("value", ["", "tomorrow", "2026-01-01T11:00:00"])
def test_nothing_expires_by_a_tag_that_cannot_be_read(value):
    assert not is_expired({"expires_at": value}, START)
    assert not is_expired(None, START)


@pytest.mark.parametrize(("value", "expired"), [("2026-01-01T12:00:00Z", True), ("2026-01-01T12:00:01Z", False)])
def test_a_resource_expires_at_its_time(value, expired):
    assert is_expired([{"Key": "expires_at", "Value": value}], START) is expired

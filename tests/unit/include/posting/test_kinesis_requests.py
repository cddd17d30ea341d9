"""What one request to Kinesis may carry."""

from __future__ import annotations

import json

import pytest

from include.posting.kinesis_requests import LARGEST_RECORD, MOST_BYTES, body_of, error_of, is_too_large, requests_of
from include.posting.sender import SourceRow


def row(draw: int, size: int = 10) -> SourceRow:
    return SourceRow(draw, draw, b'"%b"' % (b"x" * (size - 2)))


def test_no_request_is_larger_than_kinesis_takes_and_none_is_smaller_than_it_must():
    rows = [row(draw, 300_000) for draw in range(40)]

    requests = [*requests_of(rows, "records")]

    assert [one for request in requests for one in request] == rows
    for request in requests:
        assert sum(len(one.value) + len(str(one.ind)) for one in request) <= MOST_BYTES
    assert [len(request) for request in requests] == [17, 17, 6]


def test_a_request_holds_500_records_at_most():
    assert [len(request) for request in requests_of([row(n) for n in range(1001)], "records")] == [500, 500, 1]


def test_a_request_of_the_seeds_mode_holds_one():
    assert [len(request) for request in requests_of([row(n) for n in range(3)], "record")] == [1, 1, 1]


def test_nothing_is_no_request():
    assert [*requests_of([], "records")] == []


def test_bodies_are_what_the_api_asks_for():
    rows = [SourceRow(0, 7528, b'{"index":7528}'), SourceRow(1, 2863, b'{"index":2863}')]

    assert json.loads(body_of(rows[:1], "record")) == {"Data": {"index": 7528}, "PartitionKey": "7528"}
    assert json.loads(body_of(rows, "records")) == {
        "records": [
            {"data": {"index": 7528}, "partition-key": "7528"},
            {"data": {"index": 2863}, "partition-key": "2863"},
        ]
    }


@pytest.mark.parametrize(
    ("value", "ind", "too_large"),
    [
        ("x" * (LARGEST_RECORD - 2 - 4), 7528, False),
        ("x" * (LARGEST_RECORD - 2 - 3), 7528, True),
        ("🚗" * (LARGEST_RECORD // 4 - 2), 1, False),
        ("🚗" * (LARGEST_RECORD // 4), 1, True),
    ],
    ids=["as large as may be", "one byte more", "escapes are not what is stored", "nor are characters"],
)
def test_key_and_data_may_have_1_mib_together(value, ind, too_large):
    assert is_too_large(SourceRow(0, ind, json.dumps(value).encode())) is too_large


@pytest.mark.parametrize(
    ("content", "error"),
    [
        (b'{"__type":"ResourceNotFoundException","message":"x"}', "ResourceNotFoundException"),
        (b'{"__type":"com.amazonaws.kinesis.v20131202#LimitExceededException"}', "LimitExceededException"),
        (b'{"message":"Invalid request body"}', ""),
        (b"[]", ""),
        (b"<html>", ""),
        (b'{"__type":null}', ""),
    ],
)
def test_kinesis_errors_are_told_from_the_apis_own(content, error):
    assert error_of(content) == error

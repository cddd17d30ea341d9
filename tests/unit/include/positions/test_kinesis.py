"""Ranges of sequence numbers: what they add up to, and that no digit of them is lost."""

from __future__ import annotations

import json

import pytest

from include.positions.kinesis import ShardPosition, ShardRange, spell, with_records

A, B = "shardId-000000000000", "shardId-000000000001"


LONG = 49_590_338_271_490_256_608_559_692_538_361_571_095_921_575_989_136_588_898


def test_records_of_a_shard_are_one_range_whatever_their_order():
    ranges = with_records([], [ShardPosition(B, 5), ShardPosition(A, 9), ShardPosition(A, 2)])
    ranges = with_records(ranges, [ShardPosition(A, 4), ShardPosition(B, 1)])

    assert [(r.shard_id, r.first, r.last, r.count, r.sum) for r in ranges] == [(A, 2, 9, 3, 15), (B, 1, 5, 2, 6)]


def test_sequence_numbers_are_stored_as_text_with_all_their_digits():
    one = ShardRange.of(A, [LONG, LONG + 2])
    stored = json.loads(one.model_dump_json())

    assert stored == {
        "shard_id": A,
        "first": str(LONG),
        "last": str(LONG + 2),
        "count": 2,
        "sum": str((2 * LONG + 2) % 2**128),
    }
    assert ShardRange.model_validate_json(one.model_dump_json()) == one


def test_the_sum_does_not_grow_without_end():
    assert ShardRange.of(A, [2**128 - 1, 2]).sum == 1
    assert (ShardRange.of(A, [2**128 - 1]) + ShardRange.of(A, [2])).sum == 1


@pytest.mark.parametrize(("last", "spelled"), [(None, f"{A}@7"), (7, f"{A}@7"), (9, f"{A}@7-9")])
def test_a_position_is_spelled(last, spelled):
    assert spell(A, 7, last) == spelled

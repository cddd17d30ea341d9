"""Ranges of sequence numbers: what they add up to, and that no digit of them is lost."""

from __future__ import annotations

import json

import pytest

from include.ledger.verdict import reconcile
from include.positions.kinesis import ShardPosition, ShardRange, spell, with_records
from include.posting.entries import posting_entries
from include.posting.progress import PostingProgress, Settled

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


def settled_progress() -> PostingProgress:
    progress = PostingProgress(route="stream", dag_id="d", run_id="r", seed=100, first_draw=0, posts=3)
    for entity in ("pin", "geo", "user"):
        progress.hand_out(entity, [0, 1, 2], [])
        positions = {0: ShardPosition(A, LONG), 1: ShardPosition(B, 4), 2: ShardPosition(A, LONG + 8)}
        progress.settle(entity, Settled(acknowledged=positions))
    return progress


def test_progress_keeps_shards_and_survives_being_stored():
    progress = settled_progress()

    assert progress.complete
    assert progress.entities["geo"].shards == [ShardRange.of(A, [LONG, LONG + 8]), ShardRange.of(B, [4])]
    assert progress.entities["geo"].ranges == []
    assert PostingProgress.parse(progress.model_dump_json(indent=2), source="s3://b/k") == progress


def test_its_hops_are_those_of_the_stream():
    entries = posting_entries(settled_progress())

    api = entries["api"][0]
    assert (api.route, api.records_in, api.records_out) == ("stream", 3, 3)
    assert (api.first, api.last) == (f"{A}@{LONG}", f"{B}@4")
    verdict = reconcile([*entries["source"], *entries["api"]], "r", hops={"stream": ("source", "api")})
    assert verdict.reconciled, verdict.failures

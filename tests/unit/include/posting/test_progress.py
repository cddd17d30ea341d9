"""What a run remembers of itself."""

from __future__ import annotations

import pytest

from include.positions.kinesis import ShardRange
from include.posting.progress import PostingProgress, ProgressError, Settled
from tests.unit.include.posting.settled import LONG, A, B, acknowledged, new, refusal, settle, settled_progress


def ranges(progress: PostingProgress) -> list[tuple[int, int, int, int]]:
    return [(r.partition, r.first, r.last, r.count) for r in progress.entities["pin"].ranges]


def test_neighbouring_offsets_are_one_range_whatever_their_order():
    progress = new()
    settle(progress, "pin", due=range(3), settled=Settled(acknowledged={0: (0, 12), 1: (1, 7), 2: (0, 13)}))
    settle(progress, "pin", due=range(3, 6), settled=Settled(acknowledged={3: (0, 16), 4: (0, 15), 5: (1, 8)}))
    assert ranges(progress) == [(0, 12, 13, 2), (0, 15, 16, 2), (1, 7, 8, 2)]

    settle(progress, "pin", due=[6], settled=Settled(acknowledged={6: (0, 14)}))
    assert ranges(progress) == [(0, 12, 16, 5), (1, 7, 8, 2)]


def test_a_record_without_an_outcome_stays_due():
    progress = new()
    settle(progress, "pin", due=range(5), settled=acknowledged(0, 1, 3))

    assert progress.entities["pin"].due(0, 8) == [2, 4, 5, 6, 7]
    assert progress.entities["pin"].drawn == 5
    assert progress.entities["pin"].read == 5


def test_what_was_read_before_is_not_counted_again():
    progress = new()
    settle(progress, "pin", due=range(5), settled=acknowledged(0, 1, 3))
    settle(progress, "pin", due=[2, 4, 5], settled=acknowledged(2, 4, 5, first_offset=3))

    pin = progress.entities["pin"]
    assert (pin.drawn, pin.read, pin.acknowledged, pin.unsettled) == (6, 6, 6, [])


def test_a_run_is_as_far_as_its_slowest_stream():
    progress = new()
    for entity, posts in (("pin", 10), ("geo", 10), ("user", 6)):
        settle(progress, entity, due=range(posts), settled=acknowledged(*range(posts)))
    assert (progress.drawn, progress.next_draw, progress.complete) == (6, 46, False)

    settle(progress, "user", due=range(6, 10), settled=acknowledged(6, 7, 9))
    assert (progress.drawn, progress.next_draw, progress.complete) == (8, 48, False)

    settle(progress, "user", due=[8], settled=acknowledged(8))
    assert (progress.next_draw, progress.complete) == (50, True)


def test_at_most_a_hundred_refusals_are_shown_and_all_are_counted():
    progress = new(posts=300)
    settle(progress, "pin", due=range(300), settled=Settled(refused={draw: refusal(draw) for draw in range(300)}))

    assert progress.entities["pin"].refused == 300
    assert len(progress.entities["pin"].refusals) == 100
    assert progress.entities["pin"].refusals[0].model_dump() == {"ind": 1000, "code": "42201", "message": "why"}


def test_it_survives_being_stored():
    progress = new()
    settle(progress, "pin", due=range(4), settled=Settled(acknowledged={0: (2, 5)}, refused={1: refusal(1)}))

    assert PostingProgress.parse(progress.model_dump_json(), source="s3://b/k") == progress


@pytest.mark.parametrize("text", ["", "{}", "[]", '{"dag_id": 1}', "not json"])
def test_an_object_that_is_no_progress_is_named(text):
    with pytest.raises(ProgressError, match=r"s3://bucket/posting/x\.json is not a progress object"):
        PostingProgress.parse(text, source="s3://bucket/posting/x.json")


@pytest.mark.parametrize("order", [{"seed": 7, "posts": 10}, {"seed": 100, "posts": 11}])
def test_a_run_does_not_go_on_with_another_order(order):
    with pytest.raises(ProgressError, match="started with seed=100, posts=10"):
        new().check_order(**order)


def test_progress_keeps_shards_and_survives_being_stored():
    progress = settled_progress()

    assert progress.complete
    assert progress.entities["geo"].shards == [ShardRange.of(A, [LONG, LONG + 8]), ShardRange.of(B, [4])]
    assert progress.entities["geo"].ranges == []
    assert PostingProgress.parse(progress.model_dump_json(indent=2), source="s3://b/k") == progress

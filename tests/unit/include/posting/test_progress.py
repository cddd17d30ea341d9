"""What a run remembers of itself."""

from __future__ import annotations

import pytest

from include.ledger.verdict import reconcile
from include.posting.entries import posting_entries
from include.posting.progress import PostingProgress, ProgressError, RefusedRow, Settled


def new(**fields) -> PostingProgress:
    return PostingProgress(
        **{"dag_id": "pinterest_batch", "run_id": "manual__1", "seed": 100, "first_draw": 40, "posts": 10, **fields}
    )


def settle(progress, entity, *, due, settled, missing=()) -> None:
    progress.hand_out(entity, list(due), list(missing))
    progress.settle(entity, settled)


def refusal(draw: int, code: str = "42201") -> RefusedRow:
    return RefusedRow("pin", draw, 1000 + draw, code, "why", {"index": 1000 + draw})


def acknowledged(*draws: int, partition: int = 0, first_offset: int = 0) -> Settled:
    return Settled(acknowledged={draw: (partition, first_offset + n) for n, draw in enumerate(draws)})


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
    with pytest.raises(ProgressError, match=r"s3://bucket/posting/x\.json is no progress object"):
        PostingProgress.parse(text, source="s3://bucket/posting/x.json")


@pytest.mark.parametrize("order", [{"seed": 7, "posts": 10}, {"seed": 100, "posts": 11}])
def test_a_run_does_not_go_on_with_another_order(order):
    with pytest.raises(ProgressError, match="begun with seed=100, posts=10"):
        new().check_order(**order)


def test_both_hops_balance_with_missing_and_refused_rows():
    progress = new(posts=4)
    gone = [RefusedRow("pin", 3, 1003, "no_source_row", "no row", None)]
    settle(
        progress,
        "pin",
        due=range(4),
        settled=Settled(acknowledged={0: (2, 9), 1: (0, 4)}, refused={2: refusal(2)}),
        missing=gone,
    )
    for entity in ("geo", "user"):
        settle(progress, entity, due=range(4), settled=acknowledged(*range(4)))

    entries = posting_entries(progress)
    source, api = entries["source"][0], entries["api"][0]
    assert (source.records_in, source.records_out, source.refused) == (4, 3, 1)
    assert (source.first, source.last) == ("draw 40", "draw 43")
    assert (api.records_in, api.records_out, api.refused, api.first, api.last) == (3, 2, 1, "p0@4", "p2@9")
    verdict = reconcile([*entries["source"], *entries["api"]], "manual__1", hops={"batch": ("source", "api")})
    assert verdict.reconciled, verdict.failures


def test_an_open_record_is_a_loss_at_the_api():
    progress = new(posts=4)
    for entity in ("pin", "geo", "user"):
        settle(progress, entity, due=range(4), settled=acknowledged(*range(4 if entity != "geo" else 3)))

    entries = posting_entries(progress)
    verdict = reconcile([*entries["source"], *entries["api"]], "manual__1", hops={"batch": ("source", "api")})
    assert [(f.entity, f.hop, f.status, f.records) for f in verdict.failures] == [("geo", "api", "lost", 1)]

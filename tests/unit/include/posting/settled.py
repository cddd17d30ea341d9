"""Runs of posting whose records have an outcome."""

from __future__ import annotations

from include.positions.kinesis import ShardPosition
from include.posting.progress import PostingProgress, RefusedRow, Settled

A, B = "shardId-000000000000", "shardId-000000000001"
LONG = 49_590_338_271_490_256_608_559_692_538_361_571_095_921_575_989_136_588_898


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


def settled_progress() -> PostingProgress:
    progress = PostingProgress(route="stream", dag_id="d", run_id="r", seed=100, first_draw=0, posts=3)
    for entity in ("pin", "geo", "user"):
        progress.hand_out(entity, [0, 1, 2], [])
        positions = {0: ShardPosition(A, LONG), 1: ShardPosition(B, 4), 2: ShardPosition(A, LONG + 8)}
        progress.settle(entity, Settled(acknowledged=positions))
    return progress

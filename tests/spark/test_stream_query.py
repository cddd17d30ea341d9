"""What a streaming query says when it cannot read on, and which one is started again."""

from __future__ import annotations

import re
from types import SimpleNamespace

import pytest

from pinterest_lake.stream_query import NO_WORKER, STARTS, Query, StreamError, run_side_by_side

JOB = SimpleNamespace(checkpoints="folder", checkpoint_names={"pin": "pins@1"}, region="us-east-1")


@pytest.mark.parametrize(
    ("error", "told"),
    [
        (
            "InvalidArgumentException: StartingSequenceNumber 49 is invalid because it did not come from this stream.",
            "the checkpoint folder/pins@1 is of another data stream than 'pins'.*on_new_identity=load_all",
        ),
        ("ResourceNotFoundException: Stream pins not found", "Kinesis has no data stream 'pins' in us-east-1"),
        ("Cannot start query: already active", "another query reads 'pins' with the checkpoint folder/pins@1"),
        ("something else", "reading 'pins' failed: something else"),
    ],
)
def test_the_cause_is_named_with_what_to_do(error, told):
    explained = Query(JOB, {"pin": "pins"})._explained(RuntimeError(error))

    assert str(explained).startswith("pin: ")
    assert re.search(told, str(explained))


class Ends(Query):
    """A query whose starts end as ``fates`` say: with an error, or None. What cannot start raises it."""

    def __init__(self, entity: str, *fates: str | None, starts_at_all: bool = True) -> None:
        super().__init__(JOB, {entity: entity})
        self.fates = [*fates]
        self.starts_at_all = starts_at_all

    def start(self) -> None:
        self.starts += 1
        fate = self.fates.pop(0)
        if fate and not self.starts_at_all:
            raise StreamError(fate)
        failure = RuntimeError(fate) if fate else None
        self.running = SimpleNamespace(isActive=False, exception=lambda: failure, stop=lambda: None)


def ended(*queries: Query, trigger: str = "available_now") -> str:
    streams = SimpleNamespace(awaitAnyTermination=lambda: None, resetTerminated=lambda: None)
    job = SimpleNamespace(trigger=trigger, lake=SimpleNamespace(spark=SimpleNamespace(streams=streams)))
    try:
        run_side_by_side(job, [*queries])
    except StreamError as error:
        return str(error)
    return ""


@pytest.mark.parametrize("trigger", ["available_now", "processing_time"])
def test_one_whose_worker_is_not_there_in_time_is_started_again(trigger):
    late, other = Ends("pin", NO_WORKER, NO_WORKER, None), Ends("geo", None)

    assert ended(late, other, trigger=trigger) == ""
    assert (late.starts, other.starts) == (3, 1)


def test_the_last_start_s_error_counts():
    late = Ends("pin", *[NO_WORKER] * STARTS)

    assert NO_WORKER in ended(late, Ends("geo", None))
    assert late.starts == STARTS


def test_any_other_error_ends_a_query_and_the_others_go_on():
    broken, other = Ends("pin", "no such shard"), Ends("geo", NO_WORKER, None)

    assert ended(broken, other) == "pin: reading 'pin' failed: no such shard"
    assert (broken.starts, other.starts) == (1, 2)


def test_one_that_cannot_start_is_told_though_the_others_end_well():
    assert ended(Ends("pin", "already active", starts_at_all=False), Ends("geo", NO_WORKER, None)) == "already active"

"""Reading shards: what counts, where it ends, and what an empty answer means."""

from __future__ import annotations

import itertools
from datetime import UTC, datetime, timedelta
from types import SimpleNamespace

import pytest

from include.positions.kinesis import ShardRange
from pinterest.hooks.kinesis_records import EMPTY_READS, KinesisRecordsHook

NAME, SHARD = "streaming-0e36c8cd403d-pin", "shardId-000000000000"
NOON = datetime(2026, 1, 1, 12, tzinfo=UTC)


class NotFound(Exception):
    pass


class Expired(Exception):
    pass


class Invalid(Exception):
    pass


class Kinesis:
    """One shard. ``a_read`` records an answer at most; ``empty`` answers come before each that has records."""

    exceptions = SimpleNamespace(
        ResourceNotFoundException=NotFound, ExpiredIteratorException=Expired, InvalidArgumentException=Invalid
    )

    def __init__(self, numbers, *, a_read=3, empty=0, closed=False, refuses=(), expires_at=None):
        self.numbers, self.a_read, self.empty, self.closed = sorted(numbers), a_read, empty, closed
        self.refuses, self.expires_at = set(refuses), expires_at
        self.reads = itertools.count(1)
        self.asked = []

    def get_shard_iterator(self, *, StreamName, ShardId, ShardIteratorType, StartingSequenceNumber="0"):
        if (StreamName, ShardId) != (NAME, SHARD):
            raise NotFound
        if StartingSequenceNumber in self.refuses:
            raise Invalid
        self.asked.append((ShardIteratorType, StartingSequenceNumber))
        start = int(StartingSequenceNumber) + (ShardIteratorType == "AFTER_SEQUENCE_NUMBER")
        return {"ShardIterator": f"{start}/{self.empty}"}

    def get_records(self, *, ShardIterator, Limit):
        if next(self.reads) == self.expires_at:
            raise Expired
        start, empty = map(int, ShardIterator.split("/"))
        left = [number for number in self.numbers if number >= start]
        if empty and left:
            return {"Records": [], "MillisBehindLatest": 1000, "NextShardIterator": f"{start}/{empty - 1}"}
        given = left[: min(self.a_read, Limit)]
        records = [
            {"SequenceNumber": str(n), "ApproximateArrivalTimestamp": NOON + timedelta(seconds=n)} for n in given
        ]
        rest = left[len(given) :]
        answer = {"Records": records, "MillisBehindLatest": 1000 if rest else 0}
        if rest or not self.closed:
            answer["NextShardIterator"] = f"{given[-1] + 1 if given else start}/{self.empty}"
        return answer


def hook(kinesis) -> KinesisRecordsHook:
    made = KinesisRecordsHook(pause=lambda _: None)
    made.__dict__["conn"] = kinesis
    return made


@pytest.mark.parametrize("a_read", [1, 3, 100])
@pytest.mark.parametrize("empty", [0, 2])
@pytest.mark.parametrize("closed", [False, True])
def test_records_are_counted_from_first_to_last(a_read, empty, closed):
    kinesis = Kinesis([3, 5, 8, 9, 12, 40], a_read=a_read, empty=empty, closed=closed)

    assert hook(kinesis).count(NAME, SHARD, [(5, 12)]) == [ShardRange.of(SHARD, [5, 8, 9, 12])]


def test_one_reading_counts_several_groups():
    found = hook(Kinesis(range(1, 30))).count(NAME, SHARD, [(2, 3), (6, 6), (20, 22)], [(6, 7)], [])

    assert found == [ShardRange.of(SHARD, [2, 3, 6, 20, 21, 22]), ShardRange.of(SHARD, [6, 7]), None]


def test_reading_ends_with_the_last_record_that_counts():
    kinesis = Kinesis(range(1, 1000), a_read=10)
    hook(kinesis).count(NAME, SHARD, [(1, 15)])

    assert next(kinesis.reads) == 3


def test_what_has_expired_is_not_found():
    assert hook(Kinesis([9, 12])).count(NAME, SHARD, [(5, 12)]) == [ShardRange.of(SHARD, [9, 12])]
    assert hook(Kinesis([])).count(NAME, SHARD, [(5, 12)]) == [None]


def test_a_shard_that_is_gone_holds_nothing():
    assert hook(Kinesis([5])).count(NAME, "shardId-000000000009", [(5, 12)]) == [None]
    assert hook(Kinesis([5])).count("renamed", SHARD, [(5, 12)]) == [None]


def test_a_position_that_kinesis_does_not_know_any_more_is_read_from_the_oldest_on():
    kinesis = Kinesis([9, 12], refuses=["5"])

    assert hook(kinesis).count(NAME, SHARD, [(5, 12)]) == [ShardRange.of(SHARD, [9, 12])]


def test_an_iterator_that_expires_is_made_anew_where_it_was():
    kinesis = Kinesis([5, 6, 7, 8, 9], a_read=2, expires_at=2)

    assert hook(kinesis).count(NAME, SHARD, [(5, 9)]) == [ShardRange.of(SHARD, [5, 6, 7, 8, 9])]
    assert kinesis.asked == [("AT_SEQUENCE_NUMBER", "5"), ("AFTER_SEQUENCE_NUMBER", "6")]


def test_a_shard_that_only_gives_empty_answers_is_told():
    with pytest.raises(TimeoutError, match=rf"{SHARD}: {EMPTY_READS} reads returned no record.*1000 ms behind"):
        hook(Kinesis([5], empty=EMPTY_READS + 1)).count(NAME, SHARD, [(5, 9)])


@pytest.mark.parametrize(
    ("start", "read_before", "waiting"),
    [(5, True, 8), (5, False, 5), (6, False, 8), (9, True, None)],
    ids=["after what was read", "nothing was read", "that one expired", "only others' records"],
)
def test_the_oldest_waiting_record_is_found(start, read_before, waiting):
    found = hook(Kinesis([3, 5, 8, 9, 12])).waiting(NAME, SHARD, start, 9, read_before=read_before)

    assert (found and found.sequence_number) == waiting
    if found:
        assert found.arrived_at == NOON + timedelta(seconds=waiting)


def test_nothing_waits_in_a_shard_that_is_gone():
    assert hook(Kinesis([5])).waiting("renamed", SHARD, 5, 9, read_before=False) is None

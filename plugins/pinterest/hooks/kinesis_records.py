"""Reads the shards of a data stream by sequence number."""

from __future__ import annotations

import time
from bisect import bisect_right
from collections.abc import Callable, Iterator, Sequence
from datetime import datetime
from typing import Any, NamedTuple

from include.positions.kinesis import ShardRange, Span
from pinterest.hooks.aws import KinesisHook

RECORDS_A_READ = 10_000
EMPTY_READS = 50
SECONDS_BETWEEN_READS = 0.25


class Waiting(NamedTuple):
    """The oldest record of a shard that still has to be read."""

    sequence_number: int
    arrived_at: datetime


class KinesisRecordsHook(KinesisHook):
    """Reads shards. A shard that is gone (its records expired, or the data stream was deleted) holds nothing.

    A shard allows five reads per second for all its readers together, so a throttled read is normal, and tried again.
    """

    def __init__(self, *args: Any, pause: Callable[[float], None] = time.sleep, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self._pause = pause

    def count(self, data_stream: str, shard_id: str, *groups: Sequence[Span]) -> list[ShardRange | None]:
        """What each group of ranges holds, in one pass over the shard; None for a group without a record."""
        first = min(span[0] for spans in groups for span in spans)
        last = max(span[1] for spans in groups for span in spans)
        found: list[ShardRange | None] = [None] * len(groups)
        for records in self._read(data_stream, shard_id, first, RECORDS_A_READ):
            numbers = [int(record["SequenceNumber"]) for record in records]
            for place, spans in enumerate(groups):
                inside = [number for number in numbers if _is_inside(number, spans)]
                if inside:
                    some, before = ShardRange.of(shard_id, inside), found[place]
                    found[place] = some if before is None else before + some
            if numbers and numbers[-1] >= last:
                break
        return found

    def waiting(self, data_stream: str, shard_id: str, start: int, last: int, *, read_before: bool) -> Waiting | None:
        """The first record from ``start`` to ``last``; None if it has expired or never existed.

        :param read_before: whether the record at ``start`` has already been read, so is no longer waiting
        """
        for records in self._read(data_stream, shard_id, start, 2):
            for record in records:
                number = int(record["SequenceNumber"])
                if number > start or (number == start and not read_before):
                    return Waiting(number, record["ApproximateArrivalTimestamp"]) if number <= last else None
        return None

    def _read(self, data_stream: str, shard_id: str, start: int, limit: int) -> Iterator[list[dict[str, Any]]]:
        """Yield the records from ``start``, or from the oldest one left, to the shard's current end.

        An empty answer is not the end: only a closed shard, or a reader that is 0 ms behind, has seen everything.
        """
        errors = self.conn.exceptions
        place: dict[str, str] = {"ShardIteratorType": "AT_SEQUENCE_NUMBER", "StartingSequenceNumber": str(start)}
        iterator = self._iterator(data_stream, shard_id, place)
        empty = 0
        while iterator:
            try:
                answer = self.conn.get_records(ShardIterator=iterator, Limit=limit)
            except errors.ExpiredIteratorException:
                iterator = self._iterator(data_stream, shard_id, place)
                continue
            except errors.ResourceNotFoundException:
                return
            records = answer["Records"]
            yield records
            iterator = answer.get("NextShardIterator")
            if not answer.get("MillisBehindLatest"):
                return
            if records:
                last = records[-1]["SequenceNumber"]
                place = {"ShardIteratorType": "AFTER_SEQUENCE_NUMBER", "StartingSequenceNumber": last}
                empty = 0
                continue
            empty += 1
            if empty > EMPTY_READS:
                raise TimeoutError(
                    f"{data_stream} {shard_id}: {EMPTY_READS} reads returned no record, and the reader is "
                    f"still {answer['MillisBehindLatest']} ms behind; run the task again"
                )
            self._pause(SECONDS_BETWEEN_READS)

    def _iterator(self, data_stream: str, shard_id: str, place: dict[str, str]) -> str | None:
        errors = self.conn.exceptions
        try:
            answer = self.conn.get_shard_iterator(StreamName=data_stream, ShardId=shard_id, **place)
        except errors.ResourceNotFoundException:
            self.log.warning("%s has no shard %s: its records have expired", data_stream, shard_id)
            return None
        except errors.InvalidArgumentException as error:
            self.log.warning("%s %s: %s; reading from the oldest record instead", data_stream, shard_id, error)
            answer = self.conn.get_shard_iterator(
                StreamName=data_stream, ShardId=shard_id, ShardIteratorType="TRIM_HORIZON"
            )
        return str(answer["ShardIterator"])


def _is_inside(number: int, spans: Sequence[Span]) -> bool:
    """Spans are sorted and do not overlap."""
    place = bisect_right(spans, number, key=lambda span: span[0])
    return place > 0 and number <= spans[place - 1][1]

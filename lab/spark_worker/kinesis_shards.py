"""One shard of a data stream: its newest record, and the records between two sequence numbers."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import cache
from typing import Any

PAGE = 10_000
GLIMPSE = 100
CLOSE = 0.002  # seconds; arrival times are in milliseconds

Record = dict[str, Any]


@cache
def connect(region: str, access_key: str | None, secret_key: str | None) -> Any:
    """One client per process, which may live as long as the query.

    Times stay in seconds, as Kinesis sends them: parsing them into datetimes would cost more than everything else.
    """
    import boto3
    import botocore.session

    session = botocore.session.get_session()
    session.get_component("response_parser_factory").set_parser_defaults(timestamp_parser=float)
    return boto3.Session(botocore_session=session).client(
        "kinesis", region_name=region, aws_access_key_id=access_key, aws_secret_access_key=secret_key
    )


def shards_of(client: Any, stream: str) -> list[str]:
    """All shards that hold records, closed ones included; parents come before their children."""
    answer = client.list_shards(StreamName=stream)
    shards = answer["Shards"]
    while "NextToken" in answer:
        answer = client.list_shards(NextToken=answer["NextToken"])
        shards += answer["Shards"]
    return sorted(shard["ShardId"] for shard in shards)


@dataclass(frozen=True)
class Page:
    records: list[Record]
    at_end: bool
    next: str | None


@dataclass(frozen=True)
class ShardReader:
    client: Any
    stream: str
    shard: str

    def newest(self, known: str | None) -> str | None:
        """The sequence number of the last record: ``known`` unless there is a newer one, None if there is none.

        If little has arrived, one short read after ``known`` is enough. Otherwise the newest record is near the latest
        moment from which a read still finds a record, and a binary search finds that moment.
        """
        page = self._page(self._after(known), GLIMPSE)
        if not page.records:
            return known
        before, beyond = _arrival(page), time.time() + 1
        while not page.at_end and beyond - before > CLOSE:
            moment = (before + beyond) / 2
            found = self._page(self._at(moment), GLIMPSE)
            if found.records and _arrival(found) > before:
                page, before = found, _arrival(found)
            elif found.records and found.at_end:
                page = found
            else:
                beyond = moment
        last: str | None = _last(page)
        while not page.at_end and page.next:
            page = self._page(page.next, PAGE)
            last = _last(page) or last
        return last

    def between(self, after: str | None, last: str, lost: Callable[[str], None]) -> Iterator[list[Record]]:
        """The records after ``after`` (None: from the oldest) up to ``last``, in pages.

        ``lost`` is called if records may have expired before they were read; reading continues with the oldest left.
        """
        read, is_first = after, True
        iterator: str | None
        iterator = self._iterator("AT_SEQUENCE_NUMBER", StartingSequenceNumber=after) if after else self._after(None)
        while iterator:
            page = self._page(iterator, PAGE)
            records = page.records
            if is_first and after and records:
                if records[0]["SequenceNumber"] == after:
                    records = records[1:]
                else:
                    lost(f"the record last read, {after}, has expired, and perhaps others before {_first(page)}")
            is_first = is_first and not page.records
            wanted = [record for record in records if int(record["SequenceNumber"]) <= int(last)]
            if wanted:
                read = wanted[-1]["SequenceNumber"]
                yield wanted
            if page.records and int(_last(page) or 0) >= int(last):
                break
            if page.at_end and not page.records:
                break
            iterator = page.next
        if read != last:
            lost(f"the records up to {last} have expired; read up to {read}")

    def _after(self, sequence_number: str | None) -> str:
        if sequence_number is None:
            return self._iterator("TRIM_HORIZON")
        return self._iterator("AFTER_SEQUENCE_NUMBER", StartingSequenceNumber=sequence_number)

    def _at(self, moment: float) -> str:
        return self._iterator("AT_TIMESTAMP", Timestamp=datetime.fromtimestamp(moment, UTC))

    def _iterator(self, kind: str, **position: Any) -> str:
        answer = self.client.get_shard_iterator(
            StreamName=self.stream, ShardId=self.shard, ShardIteratorType=kind, **position
        )
        iterator: str = answer["ShardIterator"]
        return iterator

    def _page(self, iterator: str, limit: int) -> Page:
        answer = self.client.get_records(ShardIterator=iterator, Limit=limit)
        following = answer.get("NextShardIterator")
        is_last = answer["MillisBehindLatest"] == 0 and len(answer["Records"]) < limit
        return Page(answer["Records"], at_end=is_last or following is None, next=following)


def _arrival(page: Page) -> float:
    return float(page.records[-1]["ApproximateArrivalTimestamp"])


def _first(page: Page) -> str:
    return str(page.records[0]["SequenceNumber"])


def _last(page: Page) -> str | None:
    return page.records[-1]["SequenceNumber"] if page.records else None

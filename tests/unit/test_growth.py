"""A year of runs: what a run lists, reads and writes stays as it was."""

from __future__ import annotations

import json
import math
from typing import Any

import pytest

from include import bucket_layout
from include.lake.checkpoints import Checkpoints, DataStream
from include.lake.contract import stream_tables
from include.lake.identity import LakeIdentity
from include.landing.bookmark import Bookmark, Place
from include.landing.broker import LogOffsets
from include.landing.coverage import cover
from include.landing.document import dump
from include.landing.interval import Interval, plan_interval
from include.landing.listing import FoundObjects
from include.landing.manifest import landed_manifest
from include.posting.order import PostingOrder
from include.settings import ENTITIES
from pinterest.posting_store import PostingStore
from pinterest.run_documents import RunDocuments
from pinterest.sink_bucket import SinkBucket
from tests.builders import BUCKET, USER_ID, Bucket, settings

pytestmark = pytest.mark.slow

DAYS = 365
PARTITIONS = 1
OBJECTS, LINES = 2, 5
A_DAY = OBJECTS * LINES
TOPICS = settings().topics
LAKE = LakeIdentity(catalog="main", schema_name="pinterest", tables={name: "0" * 36 for name in stream_tables(USER_ID)})
DIGITS = 4
"""How many digits more an offset has after a year than after the second day, at most."""


class CountingBucket(Bucket):
    """Counts the keys that it lists, and the objects that it hands out."""

    def __init__(self) -> None:
        super().__init__()
        self.listed = self.read = 0

    def page(self, *arguments: Any, **named: Any) -> dict[str, Any]:
        found = super().page(*arguments, **named)
        self.listed += len(found["Contents"])
        return found

    def get_object(self, **asked: Any) -> dict[str, Any]:
        self.read += 1
        return super().get_object(**asked)


def write_day(bucket: Bucket, day: int) -> None:
    """What the sink writes of a day's records, in every partition."""
    for topic in TOPICS.values():
        for partition in range(PARTITIONS):
            for first in range(day * A_DAY, (day + 1) * A_DAY, LINES):
                lines = (
                    json.dumps({"_value": "e30=", "_topic": topic, "_partition": partition, "_offset": first + n})
                    for n in range(LINES)
                )
                key = bucket_layout.sink_object(topic, partition, first)
                bucket.objects[key] = "".join(f"{line}\n" for line in lines).encode()


def land(bucket: Bucket, interval: Interval, bookmark: Bookmark, run_id: str) -> tuple[str, Bookmark]:
    """What the stage landing does with a run's interval: its manifest, and the bookmark once the lake has loaded it."""
    found = FoundObjects()
    SinkBucket(bucket, BUCKET).read_new(interval, bookmark, found)
    coverage = [cover(*place, one.range, found.of(place), []) for place, one in interval.partitions()]
    assert all(one.complete for one in coverage)
    manifest = landed_manifest(
        interval,
        coverage,
        dag_id="pinterest_batch",
        run_id=run_id,
        user_id=USER_ID,
        bucket=BUCKET,
        dead_letters_key=bucket_layout.dead_letters("pinterest_batch", run_id),
        dead_letters_id=None,
        letters=[],
        next_letters={0: 0},
        ignored=[],
        lake=bookmark.lake,
    )
    loaded = {
        topic: {
            str(one.partition): Place(next_offset=one.interval[1], object=one.objects[-1].key)
            for one in coverage
            if one.topic == topic
        }
        for topic in TOPICS.values()
    }
    return dump(manifest), bookmark.advanced(loaded, LAKE.tables)


def test_a_year_of_daily_runs():
    bucket, bookmark = CountingBucket(), Bookmark(lake=LAKE)
    listed, read, sizes = [], [], []
    for day in range(DAYS):
        write_day(bucket, day)
        broker = {
            topic: {p: LogOffsets(earliest=max(0, day - 7) * A_DAY, end=(day + 1) * A_DAY) for p in range(PARTITIONS)}
            for topic in TOPICS.values()
        }
        bucket.listed = bucket.read = 0
        interval = plan_interval(TOPICS, broker, bookmark, {})
        manifest, bookmark = land(bucket, interval, bookmark, f"scheduled__{day:03}")
        listed.append(bucket.listed)
        read.append(bucket.read)
        sizes.append([len(dump(interval)), len(manifest), len(dump(bookmark))])

    new = OBJECTS * PARTITIONS * len(TOPICS)
    again = PARTITIONS * len(TOPICS)  # the last object of each partition: the sink may have written it again
    assert (listed[0], read[0]) == (new, new)
    assert set(listed[1:]) == set(read[1:]) == {new + again}
    numbers = PARTITIONS * len(TOPICS) * 8 * OBJECTS
    for second, last in zip(sizes[1], sizes[-1], strict=True):
        assert last - second <= DIGITS * numbers


def test_a_year_of_stream_runs():
    """Each run compares identities and writes down the tables' ids."""
    found = {
        entity: DataStream(name=f"streaming-{USER_ID}-{entity}", arn="arn", created_at="2026-01-01T00:00:00+00:00")
        for entity in ENTITIES
    }
    checkpoints, sizes = Checkpoints(), []
    for quarter in range(DAYS):
        occasion = f"pinterest_stream scheduled__{quarter}"
        checkpoints = checkpoints.reading(found, occasion=occasion).in_lake(LAKE, occasion=occasion)
        checkpoints = checkpoints.model_copy(update={"lake": LAKE.completed(checkpoints.lake)})
        sizes.append(len(checkpoints.model_dump_json()))

    assert set(sizes) == {sizes[0]}


@pytest.mark.parametrize("route", ["batch", "stream"])
def test_a_year_of_one_seed(monkeypatch, route):
    bucket = Bucket()
    monkeypatch.setattr("pinterest.run_documents.S3Hook", bucket)
    positions = set()
    for number in range(DAYS):
        store = PostingStore(RunDocuments(BUCKET, "pinterest_batch", f"run-{number}"), route)
        progress = store.begin(PostingOrder(seed=100, posts=500))
        assert progress.first_draw == 500 * number
        for one in progress.entities.values():
            one.drawn = 500
        progress.drawn = 500
        store.save(progress, [])
        assert store.mark(100).draw == progress.next_draw, "the next run need not draw again what this one has drawn"
        positions.add(len(bucket.objects[bucket_layout.seed_position(100, route)]))

    assert max(positions) - min(positions) <= 3 * math.ceil(math.log10(500 * DAYS))
    assert max(positions) < 4000
    lasting = [key for key in bucket.objects if not key.startswith(bucket_layout.RUN_DOCUMENTS)]
    assert lasting == [bucket_layout.seed_position(100, route)]

"""The S3 sink's objects in the bucket, listed and read."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor
from datetime import datetime
from typing import Any

from include import bucket_layout
from include.bucket_layout import SinkObject
from include.landing.bookmark import Bookmark
from include.landing.interval import Interval
from include.landing.listing import FoundObjects, list_after
from include.landing.objects import ListedObject, ScannedObject, scan, split_lines

READERS = 8
CHUNK_BYTES = 1 << 16


class SinkBucket:
    """:param s3: a boto3 client"""

    def __init__(self, s3: Any, bucket: str) -> None:
        self.s3 = s3
        self.bucket = bucket

    def read_new(self, interval: Interval, bookmark: Bookmark, found: FoundObjects) -> list[ScannedObject]:
        """List every partition from the bookmark on, and read what is new or was written again into ``found``.

        Returns the objects that were read.
        """
        due: list[tuple[ListedObject, SinkObject]] = []
        for (topic, number), partition in interval.partitions():
            after = list_after(partition, topic, number, bookmark.place(topic, number))
            due += found.to_read((topic, number), partition, self._list(topic, number, after))
        scanned = self._scan_all(due)
        for one in scanned:
            found.add(one)
        return scanned

    def first_offset(self, topic: str, partition: int) -> int | None:
        """First offset of the partition's first object: it may be older than what the broker still keeps."""
        names = (bucket_layout.parse_sink_object(one.key) for one in self._list(topic, partition, None))
        return next((name.first_offset for name in names if name is not None), None)

    def written(self, topic: str) -> Iterator[tuple[SinkObject, datetime]]:
        """The sink's objects of a topic, in the order of their names, and when each was written."""
        pages = self.s3.get_paginator("list_objects_v2").paginate(
            Bucket=self.bucket, Prefix=bucket_layout.topic_prefix(topic)
        )
        for page in pages:
            for item in page.get("Contents", []):
                name = bucket_layout.parse_sink_object(item["Key"])
                if name is not None:
                    yield name, item["LastModified"]

    def unknown_partitions(self, interval: Interval) -> dict[str, str]:
        """Folders and keys below the topics that belong to no partition on the broker, with that as the reason."""
        found = {}
        for topic in interval.topics.values():
            prefix = bucket_layout.topic_prefix(topic.topic)
            page = self.s3.list_objects_v2(Bucket=self.bucket, Prefix=prefix, Delimiter="/")
            known = {bucket_layout.partition_prefix(topic.topic, number) for number in topic.partitions}
            below = [item["Prefix"] for item in page.get("CommonPrefixes", [])]
            for name in (*below, *(item["Key"] for item in page.get("Contents", []))):
                if name not in known:
                    found[name] = f"is not a partition of {topic.topic} on the broker"
        return found

    def _list(self, topic: str, partition: int, after: str | None) -> Iterator[ListedObject]:
        pages = self.s3.get_paginator("list_objects_v2").paginate(
            Bucket=self.bucket,
            Prefix=bucket_layout.partition_prefix(topic, partition),
            **({"StartAfter": after} if after else {}),
        )
        for page in pages:
            for item in page.get("Contents", []):
                yield ListedObject(key=item["Key"], etag=item["ETag"], size=item["Size"])

    def _scan_all(self, due: Iterable[tuple[ListedObject, SinkObject]]) -> list[ScannedObject]:
        with ThreadPoolExecutor(READERS) as readers:
            return list(readers.map(lambda one: self._scan(*one), due))

    def _scan(self, listed: ListedObject, name: SinkObject) -> ScannedObject:
        """Read an object. It may have been written again since the listing: what was read is what is recorded."""
        answer = self.s3.get_object(Bucket=self.bucket, Key=listed.key)
        read = ListedObject(key=listed.key, etag=answer["ETag"], size=answer["ContentLength"])
        return scan(read, name, split_lines(answer["Body"].iter_chunks(CHUNK_BYTES)))

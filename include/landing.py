"""What a run accounts for on Kafka and S3: the interval of offsets, the bookmark behind it and the manifest of it."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Annotated, Any

from pydantic import BaseModel, ConfigDict, Field, TypeAdapter

from include import bucket_layout
from include.offset_ranges import Range, merge
from include.posting_progress import PostingProgress
from include.settings import STREAMS, Stream

Offset = Annotated[int, Field(ge=0)]


class LandingError(RuntimeError):
    """Kafka, the bucket and the bookmark contradict each other. The message names topic, partition and offsets."""


class _Document(BaseModel):
    model_config = ConfigDict(frozen=True, populate_by_name=True)


class Place(_Document):
    """How far a partition is loaded. ``object`` holds the last loaded offset; a listing goes on there, inclusive."""

    next_offset: Offset
    object: str | None = None

    def after(self, next_offset: int) -> Place:
        """Further on without a new object: everything in between was dead letters."""
        return Place(next_offset=next_offset, object=self.object)


type Bookmark = dict[str, dict[str, Place]]
BOOKMARK: TypeAdapter[Bookmark] = TypeAdapter(dict[str, dict[str, Place]])


class LogOffsets(_Document):
    """What the broker keeps of one partition: offsets from ``earliest`` to before ``end``."""

    earliest: Offset
    end: Offset


type BrokerOffsets = dict[str, dict[int, LogOffsets]]


class PartitionInterval(_Document):
    """Offsets from ``start`` to before ``stop``. Below ``earliest`` only S3 still has them."""

    start: Annotated[Offset, Field(alias="from")]
    stop: Annotated[Offset, Field(alias="to")]
    earliest: Offset = 0

    @property
    def range(self) -> Range:
        return self.start, self.stop

    @property
    def size(self) -> int:
        return self.stop - self.start


class TopicInterval(_Document):
    topic: str
    partitions: dict[int, PartitionInterval]

    @property
    def size(self) -> int:
        return sum(partition.size for partition in self.partitions.values())


class Interval(_Document):
    """The offsets a run accounts for: everything that was on the topics and not yet in the lake when it looked."""

    topics: dict[Stream, TopicInterval]

    def stream_of(self, topic: str) -> Stream | None:
        return next((stream for stream, one in self.topics.items() if one.topic == topic), None)


class ManifestObject(_Document):
    key: str
    size: int
    etag: str
    lines: int
    first_offset: Offset
    last_offset: Offset


class ManifestPartition(_Document):
    start: Annotated[Offset, Field(alias="from")]
    stop: Annotated[Offset, Field(alias="to")]
    objects: tuple[ManifestObject, ...]


class ManifestTopic(_Document):
    topic: str
    partitions: dict[int, ManifestPartition]


class ManifestDeadLetters(_Document):
    """``next_offsets``: where the next run starts to read each partition of the dead-letter topic."""

    key: str
    count: int
    by_stream: dict[Stream, int] = {}
    next_offsets: dict[int, Offset] = {}


class IgnoredObject(_Document):
    key: str
    reason: str


class Manifest(_Document):
    """Exactly what the load reads: these objects, and of them the offsets of the interval."""

    dag_id: str
    run_id: str
    user_id: str
    bucket: str
    created_at: str
    topics: dict[Stream, ManifestTopic]
    dead_letters: ManifestDeadLetters
    ignored: tuple[IgnoredObject, ...] = ()


def acknowledged_ranges(progress: PostingProgress) -> dict[Stream, dict[int, tuple[Range, ...]]]:
    """Offsets that the REST API confirmed to a run, by stream and partition."""
    found: dict[Stream, dict[int, tuple[Range, ...]]] = {}
    for stream, posted in progress.streams.items():
        by_partition: dict[int, list[Range]] = {}
        for one in posted.ranges:
            by_partition.setdefault(one.partition, []).append((one.first, one.last + 1))
        found[stream] = {partition: merge(ranges) for partition, ranges in by_partition.items()}
    return found


def parse_log_offsets(lines: Iterable[str]) -> BrokerOffsets:
    """Read ``earliest <topic>:<partition>:<offset>`` and ``latest …`` lines, others are skipped."""
    found: dict[str, dict[int, dict[str, int]]] = {}
    for line in lines:
        which, _, rest = line.strip().partition(" ")
        if which not in ("earliest", "latest"):
            continue
        topic, partition, offset = rest.rsplit(":", 2)
        if not offset:
            raise LandingError(f"{topic} partition {partition} has no leader: the broker cannot say its {which} offset")
        found.setdefault(topic, {}).setdefault(int(partition), {})[which] = int(offset)
    return {
        topic: {
            partition: LogOffsets(earliest=both.get("earliest", 0), end=both["latest"])
            for partition, both in sorted(partitions.items())
            if "latest" in both
        }
        for topic, partitions in found.items()
    }


def plan_interval(
    topics: Mapping[Stream, str],
    broker: BrokerOffsets,
    bookmark: Bookmark,
    acknowledged: Mapping[Stream, Mapping[int, Iterable[Range]]],
    earlier: Interval | None = None,
    oldest_in_bucket: Mapping[tuple[str, int], int] | None = None,
) -> Interval:
    """From the bookmark to the log end, and further back where this run's own records lie before the bookmark.

    They do after a resumed run, when another run loaded the first part in between; and an attempt that is run again
    keeps the start of the attempt before it (``earlier``). Loading an offset a second time changes nothing.

    Without a bookmark the interval starts at the oldest record that the broker or the bucket
    (``oldest_in_bucket``) has. Raises LandingError where the log ends before the bookmark or before an acknowledged
    offset.
    """
    problems: list[str] = []
    planned: dict[Stream, TopicInterval] = {}
    for stream in STREAMS:
        topic = topics[stream]
        if topic not in broker:
            problems.append(f"topic {topic} is not on the broker: the stage topics makes it")
            continue
        partitions: dict[int, PartitionInterval] = {}
        acknowledged_here = {partition: list(ranges) for partition, ranges in acknowledged.get(stream, {}).items()}
        problems += [
            f"{topic} has no partition {partition}, but the REST API acknowledged records there"
            for partition in sorted(set(acknowledged_here) - set(broker[topic]))
        ]
        for partition, log in broker[topic].items():
            place = bookmark.get(topic, {}).get(str(partition))
            oldest = (oldest_in_bucket or {}).get((topic, partition), log.earliest)
            start = min(log.earliest, oldest) if place is None else place.next_offset
            if start > log.end:
                problems.append(
                    f"{topic} partition {partition} ends at offset {log.end}, but offsets to {start - 1} are already "
                    "loaded: the topic was deleted and made again. Start with an empty lake and bucket, or remove "
                    "the topic from the bookmark and its old objects from the bucket"
                )
                continue
            own = [first for first, _ in acknowledged_here.get(partition, [])]
            before = earlier.topics[stream].partitions.get(partition) if earlier and stream in earlier.topics else None
            if before is not None and before.start <= log.end:
                own.append(before.start)
            partitions[partition] = PartitionInterval(start=min([start, *own]), stop=log.end, earliest=log.earliest)
        planned[stream] = TopicInterval(topic=topic, partitions=partitions)
    if problems:
        raise LandingError("; ".join(problems))
    return Interval(topics=planned)


def list_after(partition: PartitionInterval, topic: str, number: int, place: Place | None) -> str | None:
    """S3's StartAfter for a listing that sees every object of the interval: None is from the first object on.

    It starts at the last loaded object, inclusive, because the sink may have written it again after a crash.
    """
    if place is None or place.object is None:
        return None
    name = bucket_layout.parse_sink_object(place.object)
    if name is None or name.topic != topic or name.partition != number or name.first_offset > partition.start:
        return None
    if name.first_offset == 0:
        return None
    return bucket_layout.sink_object(topic, number, name.first_offset - 1)


def advance(bookmark: Bookmark, loaded: Bookmark) -> Bookmark:
    """The bookmark after a load. It never goes back, so two runs that end in another order do no harm."""
    merged = {topic: dict(places) for topic, places in bookmark.items()}
    for topic, places in loaded.items():
        for partition, place in places.items():
            known = merged.setdefault(topic, {}).get(partition)
            if known is None or place.next_offset > known.next_offset:
                merged[topic][partition] = place if place.object or known is None else known.after(place.next_offset)
    return merged


def dump(document: BaseModel) -> str:
    return document.model_dump_json(by_alias=True, indent=1)


def dump_bookmark(bookmark: Bookmark) -> str:
    return BOOKMARK.dump_json(bookmark, indent=1).decode()


def parse_bookmark(text: str | bytes | None) -> Bookmark:
    """An empty bookmark where there is none yet."""
    return {} if text is None else BOOKMARK.validate_json(text)


def loaded_bookmark(exit_json: Any) -> Bookmark:
    """The bookmark that the load notebook returned."""
    return BOOKMARK.validate_python(exit_json)

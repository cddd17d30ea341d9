"""What landing found, as the documents that others read: the manifest, the dead letters, the ledger's hop."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from datetime import UTC, datetime

from include.dead_letters import DeadLetter
from include.landed_objects import PartitionCoverage, ScannedObject
from include.landing import (
    Bookmark,
    IgnoredObject,
    Interval,
    Manifest,
    ManifestDeadLetters,
    ManifestObject,
    ManifestPartition,
    ManifestTopic,
)
from include.ledger import Entry
from include.offset_ranges import Range, positions, size
from include.settings import Stream

COUNTED_BY = "positions in the lines of the sink's objects, and on the dead-letter topic"


def landed_entries(run_id: str, interval: Interval, coverage: Sequence[PartitionCoverage]) -> list[Entry]:
    """The hop ``landed``. ``positions`` names what is missing; where nothing is, what is there more than once."""
    entries = []
    for stream, topic in interval.topics.items():
        of_topic = [one for one in coverage if one.topic == topic.topic]
        stored: dict[int, Sequence[Range]] = {one.partition: one.stored for one in of_topic}
        repeated: dict[int, Sequence[Range]] = {one.partition: one.repeated for one in of_topic}
        missing: dict[int, Sequence[Range]] = {one.partition: one.missing for one in of_topic}
        more = sum(size(ranges) for ranges in repeated.values())
        ends = [(partition, ranges) for partition, ranges in sorted(stored.items()) if ranges]
        entries.append(
            Entry(
                hop="landed",
                stream=stream,
                run_id=run_id,
                records_in=topic.size,
                extra=more,
                records_out=sum(size(ranges) for ranges in stored.values()),
                duplicates=more,
                quarantined=sum(one.quarantined for one in of_topic),
                first=f"p{ends[0][0]}@{ends[0][1][0][0]}" if ends else None,
                last=f"p{ends[-1][0]}@{ends[-1][1][-1][1] - 1}" if ends else None,
                positions=positions(missing) or positions(repeated),
                counted_by=COUNTED_BY,
            )
        )
    return entries


def landed_manifest(
    interval: Interval,
    coverage: Sequence[PartitionCoverage],
    *,
    dag_id: str,
    run_id: str,
    user_id: str,
    bucket: str,
    dead_letters_key: str,
    letters: Sequence[Stream],
    next_letters: Mapping[int, int],
    ignored: Sequence[IgnoredObject],
) -> Manifest:
    """:param letters: stream of every dead letter that belongs to the interval"""
    topics: dict[Stream, ManifestTopic] = {}
    for stream, topic in interval.topics.items():
        partitions = {
            one.partition: ManifestPartition(
                start=one.interval[0], stop=one.interval[1], objects=tuple(_manifest_object(s) for s in one.objects)
            )
            for one in coverage
            if one.topic == topic.topic
        }
        topics[stream] = ManifestTopic(topic=topic.topic, partitions=partitions)
    return Manifest(
        dag_id=dag_id,
        run_id=run_id,
        user_id=user_id,
        bucket=bucket,
        created_at=datetime.now(UTC).isoformat(timespec="seconds"),
        topics=topics,
        dead_letters=ManifestDeadLetters(
            key=dead_letters_key,
            count=len(letters),
            by_stream=dict(Counter(letters)),
            next_offsets=dict(next_letters),
        ),
        ignored=tuple(ignored),
    )


def _manifest_object(scanned: ScannedObject) -> ManifestObject:
    return ManifestObject(
        key=scanned.key,
        size=scanned.listed.size,
        etag=scanned.listed.etag.strip('"'),
        lines=scanned.lines,
        first_offset=scanned.first_offset,
        last_offset=scanned.last_offset,
    )


def describe_missing(coverage: Iterable[PartitionCoverage]) -> str:
    return "; ".join(one.describe(one.missing) for one in coverage if one.missing)


def first_letters(interval: Interval, bookmark: Bookmark, topic: str) -> dict[int, int]:
    """Where to start reading each partition of the dead-letter topic; from its beginning where none is given.

    A run that goes back before the bookmark needs the letters before it, too.
    """
    for one in interval.topics.values():
        for number, partition in one.partitions.items():
            place = bookmark.get(one.topic, {}).get(str(number))
            if place is not None and partition.start < place.next_offset:
                return {}
    return {int(number): place.next_offset for number, place in bookmark.get(topic, {}).items()}


def next_letters(interval: Interval, letters: Iterable[DeadLetter], read_to: Mapping[int, int]) -> dict[int, int]:
    """Where the next run starts: at the first letter of a record that is beyond this run's interval."""
    starts = dict(read_to)
    for letter in letters:
        stream = interval.stream_of(letter.topic)
        if stream is None:
            continue
        partition = interval.topics[stream].partitions.get(letter.partition)
        number, offset = letter.letter
        if partition is None or letter.offset >= partition.stop:
            starts[number] = min(starts.get(number, offset), offset)
    return starts


def letters_to_load(
    interval: Interval, coverage: Sequence[PartitionCoverage], letters: Iterable[DeadLetter]
) -> list[tuple[Stream, DeadLetter]]:
    """Every record of the interval that no object holds, once: the sink may have given up on it more than once."""
    held = {(one.topic, one.partition): one for one in coverage}
    chosen: dict[tuple[str, int, int], tuple[Stream, DeadLetter]] = {}
    for letter in letters:
        stream, one = interval.stream_of(letter.topic), held.get((letter.topic, letter.partition))
        if stream is None or one is None or not one.interval[0] <= letter.offset < one.interval[1]:
            continue
        if not any(start <= letter.offset < stop for start, stop in one.stored):
            chosen.setdefault((letter.topic, letter.partition, letter.offset), (stream, letter))
    return [chosen[place] for place in sorted(chosen)]

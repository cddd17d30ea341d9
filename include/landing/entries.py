"""What landing counted, as the ledger sees it: the hops ``topic`` and ``landed``."""

from __future__ import annotations

from collections.abc import Sequence

from include.landing.coverage import PartitionCoverage
from include.landing.interval import Interval, TopicRanges, acknowledged_ranges
from include.ledger.entry import Entry
from include.positions.kafka import Range, clip, positions, size, subtract, without
from include.posting.progress import PostingProgress
from include.settings import Entity

COUNTED_BY = "positions in the lines of the sink's objects, and on the dead-letter topic"


def topic_entry(run_id: str, entity: Entity, topic: TopicRanges, progress: PostingProgress, counted_by: str) -> Entry:
    """What the broker holds, compared with what the REST API acknowledged to this run.

    ``positions`` names the acknowledged offsets that the broker lacks, or that hold no committed record.
    """
    own = acknowledged_ranges(progress)[entity]
    held_ranges = {number: subtract(one.range, one.empty) for number, one in topic.partitions.items()}
    inside = {
        number: tuple(part for one in held_ranges[number] for part in clip(ranges, one))
        for number, ranges in own.items()
    }
    outside = {number: without(ranges, held_ranges[number]) for number, ranges in own.items()}
    held = [(number, one) for number, one in topic.partitions.items() if one.size]
    return Entry(
        hop="topic",
        entity=entity,
        run_id=run_id,
        records_in=progress.entities[entity].acknowledged,
        extra=topic.size - sum(size(ranges) for ranges in inside.values()),
        records_out=topic.size,
        first=f"p{held[0][0]}@{held[0][1].start}" if held else None,
        last=f"p{held[-1][0]}@{held[-1][1].stop - 1}" if held else None,
        positions=positions(outside),
        counted_by=counted_by,
    )


def landed_entries(run_id: str, interval: Interval, coverage: Sequence[PartitionCoverage]) -> list[Entry]:
    """The hop ``landed``. ``positions`` names what is missing; where nothing is, what is there more than once."""
    entries = []
    for entity, topic in interval.topics.items():
        of_topic = [one for one in coverage if one.topic == topic.topic]
        stored: dict[int, Sequence[Range]] = {one.partition: one.stored for one in of_topic}
        repeated: dict[int, Sequence[Range]] = {one.partition: one.repeated for one in of_topic}
        missing: dict[int, Sequence[Range]] = {one.partition: one.missing for one in of_topic}
        more = sum(size(ranges) for ranges in repeated.values())
        ends = [(partition, ranges) for partition, ranges in sorted(stored.items()) if ranges]
        entries.append(
            Entry(
                hop="landed",
                entity=entity,
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

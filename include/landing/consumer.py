"""What a Kafka consumer saw of an interval, held against what the broker holds."""

from __future__ import annotations

from include.landing.interval import Interval, TopicRanges


def read_consumer_counts(stdout: str) -> tuple[dict[tuple[str, int], int], dict[tuple[str, int], int]]:
    """Records seen and offset committed, by topic and partition."""
    seen: dict[tuple[str, int], int] = {}
    committed: dict[tuple[str, int], int] = {}
    for line in stdout.splitlines():
        words = line.split()
        if len(words) == 7 and words[0] == "seen":
            place = words[1], int(words[2])
            seen[place] = seen.get(place, 0) + int(words[3])
        elif len(words) == 4 and words[0] == "committed":
            committed[words[1], int(words[2])] = int(words[3])
    return seen, committed


def consumer_problems(
    interval: Interval, seen: dict[tuple[str, int], int], committed: dict[tuple[str, int], int], group: str
) -> list[str]:
    """Where the group did not see what the broker holds."""
    problems = []
    for topic in interval.topics.values():
        for number, one in topic.partitions.items():
            place = topic.topic, number
            first = max(one.start, one.earliest)
            expected = max(0, one.stop - first)
            where = f"{topic.topic} partition {number}"
            if seen.get(place, 0) != expected:
                problems.append(
                    f"{where}: the broker holds {expected} records at offsets {first} to {one.stop - 1}, "
                    f"group {group} saw {seen.get(place, 0)}"
                )
            if expected and committed.get(place, -1) < one.stop:
                problems.append(f"{where}: group {group} committed {committed.get(place)}, not {one.stop}")
    return problems


def seen_of_topic(topic: TopicRanges, seen: dict[tuple[str, int], int]) -> int:
    return sum(seen.get((topic.topic, number), 0) for number in topic.partitions)

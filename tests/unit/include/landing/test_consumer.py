"""What a consumer group read, against the interval: gaps, repeats, records of others, and rounds."""

from __future__ import annotations

import pytest

from include.landing.broker import LogOffsets
from include.landing.consumer import GroupReading, group_of_its_own, start_offsets, stop_offsets
from include.landing.interval import Interval, PartitionRange, TopicRanges


def interval(**partitions):
    """Partitions of the pin topic by number, as ``p0=(start, stop)`` or ``p0=(start, stop, earliest)``."""
    ranges = {
        int(name[1:]): PartitionRange(start=start, stop=stop, earliest=earliest[0] if earliest else 0)
        for name, (start, stop, *earliest) in partitions.items()
    }
    return Interval(topics={"pin": TopicRanges(topic="u.pin", partitions=ranges)})


def reading(of, *rounds):
    found = GroupReading(of)
    for printed in rounds:
        found.add(printed)
    return found


def test_a_group_that_read_everything():
    found = reading(
        interval(p0=(0, 500), p1=(20, 30)),
        "read u.pin 1 20 29\nread u.pin 0 0 499\ncommitted u.pin 0 500\ncommitted u.pin 1 30\n",
    )
    topic = found.interval.topics["pin"]

    assert found.problems() == []
    assert (found.seen(topic), found.left(topic)) == (510, 0)


def test_an_offset_that_the_group_passed_without_a_record_holds_none():
    """As transaction markers and aborted records do, and records that compaction removed."""
    of = interval(p2=(100, 200))
    found = reading(of, "read u.pin 2 100 119\nread u.pin 2 125 196\nread u.pin 2 198 198\ncommitted u.pin 2 200")

    assert found.empty(("u.pin", 2), of.topics["pin"].partitions[2]) == ((120, 125), (197, 198), (199, 200))
    assert (found.seen(of.topics["pin"]), found.left(of.topics["pin"])) == (93, 0)
    assert found.problems() == []


def test_where_the_group_stopped_is_named():
    """An open transaction keeps a consumer of committed records where it began."""
    of = interval(p2=(100, 200))
    found = reading(of, "read u.pin 2 100 119\ncommitted u.pin 2 150")

    assert found.empty(("u.pin", 2), of.topics["pin"].partitions[2]) == ((120, 150),)
    assert found.left(of.topics["pin"]) == 50
    assert found.problems() == [
        "u.pin partition 2: the broker holds offsets 100 to 199, and the consumer got to offset 150, not to 150-199"
    ]


def test_a_second_round_fills_what_the_first_left():
    of = interval(p0=(0, 10))
    found = reading(of, "read u.pin 0 0 5\ncommitted u.pin 0 6\n")
    assert found.left(of.topics["pin"]) == 4

    assert found.add("read u.pin 0 6 9\ncommitted u.pin 0 10\n") == {"u.pin"}

    assert found.left(of.topics["pin"]) == 0
    assert found.problems() == []


def test_a_repeat_counts_once_and_is_known():
    found = reading(interval(p0=(0, 10)), "read u.pin 0 0 7\nread u.pin 0 5 9\ncommitted u.pin 0 10")

    assert found.seen(found.interval.topics["pin"]) == 10
    assert found.repeated(("u.pin", 0), found.interval.topics["pin"].partitions[0]) == ((5, 8),)
    assert found.problems() == []


def test_records_after_the_interval_and_of_other_partitions_are_not_counted():
    found = reading(
        interval(p0=(3, 6)), "read u.pin 0 0 900\nread u.pin 7 0 4\nread u.geo 0 0 4\ncommitted u.pin 0 901"
    )

    assert found.seen(found.interval.topics["pin"]) == 3
    assert found.problems() == []


def test_what_the_broker_has_forgotten_is_not_asked_of_the_consumer():
    of = interval(p0=(100, 500, 400), p1=(100, 200, 300))
    found = reading(of, "read u.pin 0 400 499\ncommitted u.pin 0 500")

    assert start_offsets(of) == "u.pin,0,400\nu.pin,1,300"
    assert (found.seen(of.topics["pin"]), found.left(of.topics["pin"])) == (100, 0)
    assert found.problems() == []


@pytest.mark.parametrize(("committed", "reached"), [("committed u.pin 0 9", 9), ("", 0)])
def test_a_group_that_did_not_commit_is_named(committed, reached):
    found = reading(interval(p0=(0, 10)), f"read u.pin 0 0 9\n{committed}")

    assert found.problems() == [
        f"u.pin partition 0: the broker holds offsets 0 to 9, and the consumer got to offset {reached}"
    ]


def test_nothing_is_asked_of_an_empty_partition():
    found = reading(interval(p0=(7, 7)))

    assert (found.left(found.interval.topics["pin"]), found.problems()) == (0, [])


def test_other_lines_are_skipped_and_a_topic_that_gave_nothing_is_not_returned():
    assert GroupReading(interval(p0=(0, 1))).add("WARN read nothing\n\ncommitted u.pin 0 0\n") == set()


def test_the_end_is_that_of_partitions_with_something_to_read():
    assert stop_offsets(interval(p0=(0, 10), p1=(7, 7), p2=(100, 200, 300))) == "u.pin 0 10"


def test_every_count_has_a_group_of_its_own():
    one, other = group_of_its_own("students"), group_of_its_own("students")

    assert one.startswith("students-count-")
    assert one != other


def test_what_the_broker_has_deleted_during_the_count_is_not_taken_for_empty():
    of = interval(p0=(0, 20), p1=(5, 8))
    found = reading(of, "read u.pin 0 10 14\nread u.pin 1 5 7\ncommitted u.pin 0 20\ncommitted u.pin 1 8")
    broker = {"u.pin": {0: LogOffsets(earliest=10, end=20), 1: LogOffsets(earliest=0, end=8)}}

    assert found.passed_any
    assert found.all_empty(broker) == {("u.pin", 0): ((15, 20),)}

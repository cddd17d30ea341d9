"""Which offsets a run accounts for, and where the next one starts."""

from __future__ import annotations

import pytest

from include import bucket_layout
from include.landing.bookmark import Bookmark, Place
from include.landing.broker import LogOffsets
from include.landing.document import LandingError
from include.landing.interval import Interval, PartitionRange, TopicRanges, moved, plan_interval
from include.landing.listing import list_after

TOPICS = {"pin": "u.pin", "geo": "u.geo", "user": "u.user"}


def broker(**ends):
    """Partition 0 of every topic; 500 records where nothing else is said."""
    return {topic: {0: LogOffsets(earliest=0, end=ends.get(entity, 500))} for entity, topic in TOPICS.items()}


def everything(first, last):
    return {entity: {0: ((first, last + 1),)} for entity in TOPICS}


def test_the_first_run_takes_all_there_is():
    interval = plan_interval(TOPICS, broker(), Bookmark(), everything(0, 499))

    assert {entity: topic.partitions[0].range for entity, topic in interval.topics.items()} == {
        "pin": (0, 500),
        "geo": (0, 500),
        "user": (0, 500),
    }


def test_the_second_run_starts_at_the_bookmark():
    bookmark = Bookmark(topics={topic: {"0": Place(next_offset=500, object="x")} for topic in TOPICS.values()})

    interval = plan_interval(TOPICS, broker(pin=720, geo=700, user=700), bookmark, everything(500, 699))

    assert interval.topics["pin"].partitions[0].range == (500, 720)
    assert interval.topics["geo"].size == 200


def test_what_a_killed_run_left_is_taken_in():
    bookmark = Bookmark(topics={"u.pin": {"0": Place(next_offset=300, object="x")}})

    interval = plan_interval(TOPICS, broker(), bookmark, everything(450, 499))

    assert interval.topics["pin"].partitions[0].range == (300, 500)


def test_a_resumed_run_goes_back_to_its_own_first_record():
    bookmark = Bookmark(topics={topic: {"0": Place(next_offset=480, object="x")} for topic in TOPICS.values()})

    interval = plan_interval(TOPICS, broker(), bookmark, everything(450, 499))

    assert interval.topics["user"].partitions[0].range == (450, 500)


def test_a_run_that_is_done_again_keeps_its_start():
    bookmark = Bookmark(topics={topic: {"0": Place(next_offset=500, object="x")} for topic in TOPICS.values()})
    earlier = plan_interval(TOPICS, broker(), Bookmark(), everything(0, 499))

    again = plan_interval(TOPICS, broker(pin=510), bookmark, everything(490, 499), earlier=earlier)

    assert again.topics["pin"].partitions[0].range == (0, 510)


def test_without_a_bookmark_the_oldest_object_counts_when_kafka_has_forgotten():
    offsets = {topic: {0: LogOffsets(earliest=400, end=500)} for topic in TOPICS.values()}

    interval = plan_interval(
        TOPICS, offsets, Bookmark(), everything(450, 499), oldest_in_bucket={("u.pin", 0): 120, ("u.geo", 0): 400}
    )

    assert interval.topics["pin"].partitions[0].range == (120, 500)
    assert interval.topics["geo"].partitions[0].range == (400, 500)


def forgetful(earliest=400, end=500):
    return {topic: {0: LogOffsets(earliest=earliest, end=end)} for topic in TOPICS.values()}


def test_what_lies_below_the_brokers_first_offset_is_forgotten_where_there_is_no_bookmark():
    bookmark = Bookmark(topics={"u.geo": {"0": Place(next_offset=120, object="x")}})
    oldest = {(topic, 0): 120 for topic in TOPICS.values()}

    interval = plan_interval(TOPICS, forgetful(), bookmark, {"pin": {0: ((300, 310), (450, 500))}}, None, oldest)

    found = {entity: topic.partitions[0] for entity, topic in interval.topics.items()}
    assert {one.range for one in found.values()} == {(120, 500)}
    assert found["user"].forgotten == ((120, 400),)
    assert found["pin"].forgotten == ((120, 300), (310, 400)), "the run's own records are known"
    assert found["geo"].forgotten == (), "what the lake has not loaded yet is known by the bookmark"


def test_a_second_attempt_forgets_no_more_than_the_first():
    oldest = {(topic, 0): 120 for topic in TOPICS.values()}
    first = plan_interval(TOPICS, forgetful(), Bookmark(), {}, None, oldest)
    first = first.without({("u.pin", 0): ((130, 131), (410, 411))})

    again = plan_interval(TOPICS, forgetful(earliest=450), Bookmark(), {}, first, oldest)

    pin = again.topics["pin"].partitions[0]
    assert (pin.range, pin.earliest, pin.forgotten) == ((120, 500), 450, ((120, 400),))
    assert pin.empty == ((410, 411),), "what the first attempt took for empty may be in the bucket by now"


def test_empty_offsets_are_added_to_those_that_are_known():
    interval = plan_interval(TOPICS, broker(), Bookmark(), {})

    found = interval.without({("u.pin", 0): ((10, 20),)}).without({("u.pin", 0): ((20, 30), (400, 401))})

    assert found.topics["pin"].partitions[0].empty == ((10, 30), (400, 401))
    assert (found.topics["pin"].size, found.topics["geo"].size) == (479, 500)


def test_a_topic_made_again_is_a_clear_error():
    bookmark = Bookmark(topics={"u.geo": {"0": Place(next_offset=800, object="x")}})

    with pytest.raises(LandingError, match=r"u\.geo partition 0 ends at offset 500, but offsets to 799"):
        plan_interval(TOPICS, broker(), bookmark, everything(0, 499))


def test_every_topic_that_is_missing_is_named():
    offsets = broker()
    del offsets["u.pin"], offsets["u.user"]

    with pytest.raises(LandingError, match=r"u\.pin is not on the broker.*u\.user is not on the broker"):
        plan_interval(TOPICS, offsets, Bookmark(), {})


@pytest.mark.parametrize(
    ("start", "loaded", "after"),
    [
        pytest.param(1500, 1000, 999, id="from the last loaded object, which may have grown"),
        pytest.param(1000, 1000, 999, id="the interval begins with that object"),
        pytest.param(300, 1000, None, id="a run that goes back lists from the start"),
        pytest.param(500, 0, None, id="the first object has none before it"),
    ],
)
def test_where_a_listing_starts(start, loaded, after):
    place = Place(next_offset=1500, object=bucket_layout.sink_object("u.pin", 2, loaded))
    expected = None if after is None else f"topics/u.pin/partition=2/u.pin+2+{after:010d}.json"

    assert list_after(PartitionRange(start=start, stop=2000), "u.pin", 2, place) == expected


@pytest.mark.parametrize(
    "key", ["topics/u.pin/partition=2/notes.txt", "topics/u.geo/partition=2/u.geo+2+0000000009.json"]
)
def test_a_bookmark_that_names_a_foreign_object_is_not_followed(key):
    place = Place(next_offset=10, object=key)

    assert list_after(PartitionRange(start=10, stop=20), "u.pin", 2, place) is None


def test_partitions_whose_offsets_have_changed_are_named():
    def interval(**stops):
        partitions = {int(number[1:]): PartitionRange(start=1, stop=stop) for number, stop in stops.items()}
        return Interval(topics={"pin": TopicRanges(topic="u.pin", partitions=partitions)})

    assert moved(interval(p0=4, p1=5), interval(p0=4, p1=5)) == []
    assert moved(interval(p0=4, p1=5), interval(p0=4, p1=9, p2=3)) == [
        "u.pin partition 1: the objects were checked for offsets 1 to 5, but the interval is 1 to 9",
        "u.pin partition 2: the objects were checked for no offset, but the interval is 1 to 3",
    ]


def test_the_interval_document_uses_the_words_from_and_to():
    interval = Interval(topics={"pin": TopicRanges(topic="u.pin", partitions={0: PartitionRange(start=1, stop=4)})})
    text = interval.model_dump_json(by_alias=True)

    assert '"from":1,"to":4' in text
    assert Interval.model_validate_json(text) == interval

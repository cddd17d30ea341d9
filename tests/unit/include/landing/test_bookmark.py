"""How far the lake has loaded: never back, and only of what it is true of."""

from __future__ import annotations

from include.lake.identity import LakeIdentity
from include.landing.bookmark import Bookmark, Place, parse_bookmark
from include.landing.document import dump

PLACES = {"u.pin": {"0": Place(next_offset=85, object="a")}, "u.geo": {"0": Place(next_offset=65)}}
LAKE = LakeIdentity(catalog="main", schema_name="pinterest", tables={"bronze_pin": "b1", "pin": "s1"})
KNOWN = Bookmark(cluster="arn:1", topic_ids={"u.pin": ("P1",), "u.geo": ("G1",)}, lake=LAKE, topics=PLACES)
IDS = {"u.pin": "P1", "u.geo": "G1"}


def test_the_bookmark_never_goes_back():
    bookmark = parse_bookmark(
        '{"u.pin": {"0": {"next_offset": 900, "object": "b"}, "1": {"next_offset": 5, "object": "a"}}}'
    )
    loaded = {
        "u.pin": {"0": Place(next_offset=700, object="a"), "1": Place(next_offset=6, object="c")},
        "u.geo": {"0": Place(next_offset=4, object="d")},
    }

    assert bookmark.advanced(loaded).topics == {
        "u.pin": {"0": Place(next_offset=900, object="b"), "1": Place(next_offset=6, object="c")},
        "u.geo": {"0": Place(next_offset=4, object="d")},
    }


def test_an_interval_of_nothing_but_dead_letters_keeps_the_object():
    bookmark = Bookmark(topics={"u.pin": {"0": Place(next_offset=10, object="a")}})

    assert bookmark.advanced({"u.pin": {"0": Place(next_offset=12)}}).topics == {
        "u.pin": {"0": Place(next_offset=12, object="a")}
    }


def test_a_load_adds_the_tables_that_it_found():
    assert KNOWN.advanced({}, {"geo": "s2"}).lake == LAKE.at({"bronze_pin": "b1", "pin": "s1", "geo": "s2"})
    assert KNOWN.advanced({}).lake == LAKE


def test_a_bookmark_of_an_earlier_version_gets_the_identities_that_are_found():
    old = Bookmark(topics=PLACES)

    assert old.kafka_differences("arn:1", IDS) + old.lake_differences(LAKE) == []
    assert old.of_topics("arn:1", IDS).in_lake(LAKE) == KNOWN


def test_what_is_the_same_changes_nothing():
    assert KNOWN.kafka_differences("arn:1", IDS) + KNOWN.lake_differences(LAKE) == []
    assert KNOWN.of_topics("arn:1", IDS).in_lake(LAKE) == KNOWN
    assert parse_bookmark(dump(KNOWN)) == KNOWN


def test_a_topic_that_was_made_again_starts_over_under_a_name_of_its_own():
    found = {"u.pin": "P2", "u.geo": "G1"}

    assert [str(one) for one in KNOWN.kafka_differences("arn:1", found)] == ["topic u.pin was P1 and is P2 now"]
    assert KNOWN.renewed_topics(found) == ["u.pin"]
    renewed = KNOWN.of_topics("arn:1", found)
    assert renewed.topics == {"u.geo": PLACES["u.geo"]}
    assert renewed.topic_ids == {"u.pin": ("P1", "P2"), "u.geo": ("G1",)}
    assert (KNOWN.stored_as("u.pin"), renewed.stored_as("u.pin")) == ("u.pin", "u.pin#P2")
    assert renewed.stored_as("u.geo") == "u.geo"
    assert renewed.of_topics("arn:1", found) == renewed


def test_a_topic_that_is_gone_is_a_difference_and_its_places_stay():
    found = {"u.geo": "G1"}

    assert [str(one) for one in KNOWN.kafka_differences("arn:1", found)] == ["topic u.pin was P1 and no longer exists"]
    assert KNOWN.of_topics("arn:1", found) == KNOWN


def test_another_cluster_is_one_difference():
    found = {"u.pin": "P2", "u.geo": "G2"}

    [difference] = KNOWN.kafka_differences("arn:2", found)

    assert str(difference) == "the Kafka cluster was arn:1 and is arn:2 now"
    assert KNOWN.of_topics("arn:2", found).topics == {}


def test_another_cluster_is_expected_once_after_a_teardown_has_removed_it():
    found = {"u.pin": "P2", "u.geo": "G2"}
    told = KNOWN.without_cluster()

    assert (KNOWN.expects("arn:2"), told.expects("arn:1"), told.expects("arn:2")) == (False, False, True)
    assert parse_bookmark(dump(told)) == told
    renewed = told.of_topics("arn:2", found)
    assert (renewed.topics, renewed.expects("arn:3")) == ({}, False)
    assert told.of_topics("arn:1", IDS) == KNOWN  # the teardown broke off before it


def test_the_same_topics_on_a_cluster_that_was_registered_again_are_no_difference():
    assert KNOWN.kafka_differences("arn:2", IDS) == []
    assert KNOWN.of_topics("arn:2", IDS).topics == PLACES


def test_another_schema_starts_over():
    other = LakeIdentity(catalog="main", schema_name="new")

    assert [str(one) for one in KNOWN.lake_differences(other)] == ["the lake was main.pinterest and is main.new now"]
    moved = KNOWN.in_lake(other)
    assert (moved.topics, moved.lake, moved.topic_ids) == ({}, other, KNOWN.topic_ids)


def test_a_table_that_was_dropped_or_made_again_starts_over():
    for found, told in (
        ({"bronze_pin": "b2", "pin": "s1"}, "table bronze_pin was b1 and is b2 now"),
        ({"bronze_pin": "b1"}, "table pin was s1 and no longer exists"),
    ):
        assert [str(one) for one in KNOWN.lake_differences(LAKE.at(found))] == [told]
        assert KNOWN.in_lake(LAKE.at(found)) == KNOWN.model_copy(update={"lake": LAKE.at(found), "topics": {}})
    gone = KNOWN.lake_differences(LAKE.at({}))
    assert len(gone) == 2


def test_a_lake_that_nobody_has_looked_at_is_compared_by_name():
    unseen = LakeIdentity(catalog="main", schema_name="pinterest")

    assert KNOWN.lake_differences(unseen) == []
    assert KNOWN.in_lake(unseen).lake == LAKE

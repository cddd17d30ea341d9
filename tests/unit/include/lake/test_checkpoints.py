"""Checkpoints hold for the data streams and the lake that they were made for."""

from __future__ import annotations

from include.lake.checkpoints import Checkpoints, DataStream
from include.lake.identity import LakeIdentity

LAKE = LakeIdentity(catalog="main", schema_name="pinterest")


def data_streams(pin: str = "2026-01-01T00:00:00.000+00:00") -> dict[str, DataStream]:
    return {
        "pin": DataStream(name="streaming-u-pin", arn="arn:pin", created_at=pin),
        "geo": DataStream(name="streaming-u-geo", arn="arn:geo", created_at="2026-01-01T00:00:00.000+00:00"),
    }


def first_run() -> Checkpoints:
    return Checkpoints().reading(data_streams(), occasion="d r1").in_lake(LAKE, occasion="d r1")


def test_the_first_checkpoints_are_named_after_the_data_streams():
    assert Checkpoints().differences(data_streams(), LAKE) == []
    assert first_run().names == {"pin": "streaming-u-pin", "geo": "streaming-u-geo"}


def test_what_is_the_same_changes_nothing():
    known = first_run()

    assert known.differences(data_streams(), LAKE) == []
    assert known.reading(data_streams(), occasion="d r2").in_lake(LAKE, occasion="d r2") == known
    assert Checkpoints.model_validate_json(known.model_dump_json()) == known


def test_a_data_stream_that_was_made_again_gets_a_new_checkpoint():
    again = data_streams(pin="2026-02-02T00:00:00.000+00:00")

    assert [str(one) for one in first_run().differences(again, LAKE)] == [
        "data stream streaming-u-pin was arn:pin created at 2026-01-01T00:00:00.000+00:00 and is arn:pin created at "
        "2026-02-02T00:00:00.000+00:00 now"
    ]
    renewed = first_run().reading(again, occasion="d r2")
    assert renewed.names["geo"] == "streaming-u-geo"
    assert renewed.names["pin"].startswith("streaming-u-pin@")
    assert first_run().reading(again, occasion="d r2") == renewed, "a retry"
    assert renewed.differences(again, LAKE) == []


def test_another_lake_needs_every_checkpoint_anew_and_the_way_back_too():
    other = LakeIdentity(catalog="main", schema_name="new")
    assert [str(one) for one in first_run().differences(data_streams(), other)] == [
        "the lake was main.pinterest and is main.new now"
    ]

    there = first_run().in_lake(other, occasion="d r2")
    back = there.in_lake(LAKE, occasion="d r3")

    names = [*first_run().names.values(), *there.names.values(), *back.names.values()]
    assert len(set(names)) == 6


def test_a_table_that_was_dropped_needs_every_checkpoint_anew():
    known = first_run().in_lake(LAKE.at({"u_pin_table": "t1"}), occasion="d r1")
    assert known.names == first_run().names

    assert [str(one) for one in known.differences({}, LAKE.at({}))] == ["table u_pin_table was t1 and no longer exists"]
    assert known.in_lake(LAKE.at({}), occasion="d r2").names.keys() == known.names.keys()
    assert not set(known.in_lake(LAKE.at({}), occasion="d r2").names.values()) & set(known.names.values())


AGAIN = "2026-02-02T00:00:00.000+00:00"


def test_data_streams_that_a_teardown_removed_are_no_difference_and_get_new_checkpoints():
    told = first_run().expecting_others(["pin", "user"])

    assert told.removed == {"pin"}
    assert told.differences(data_streams(pin=AGAIN), LAKE) == []
    after = told.reading(data_streams(pin=AGAIN), occasion="d r2")
    assert after.removed == frozenset()
    assert after.names["geo"] == "streaming-u-geo"
    assert after.names["pin"].startswith("streaming-u-pin@")


def test_data_streams_that_a_teardown_did_not_come_to_keep_their_checkpoints():
    known = first_run()

    assert known.expecting_others(["pin"]).reading(data_streams(), occasion="d r2") == known


def test_tables_that_a_teardown_deleted_are_no_difference():
    known = first_run().in_lake(LAKE.at({"t": "1"}), occasion="d r1")

    assert known.differences(data_streams(), LAKE.at({"t": "2"})) != []
    assert known.without_lake().differences(data_streams(), LAKE.at({"t": "2"})) == []

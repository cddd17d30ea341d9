"""Dead letters as the console consumer prints them: any bytes, newlines and separators' look-alikes included."""

from __future__ import annotations

import base64

from include.landing.console_consumer import parse_partitions, parse_records
from include.landing.dead_letters import DeadLetter, DeadLetters, StrayLetter, dead_letter
from tests.unit.include.landing.printed_letters import FRAMING, lines, printed


def parse(content, framing):
    return [dead_letter(record) for record in parse_records(content, framing)]


def test_position_time_and_bytes_are_exact():
    value = b'\x00\xff not json\n:<\t{"\r\n\xe2\x80\xa8'

    (letter,) = parse(printed(value, offset=9), FRAMING)

    assert letter == DeadLetter(
        letter=(0, 9),
        topic="0e36c8cd403d.pin",
        partition=2,
        offset=41,
        timestamp=1795254517409,
        value=value,
        error="",
    )
    document = letter.document("pin")
    assert base64.b64decode(document["raw_base64"]) == value
    assert (document["entity"], document["partition"], document["offset"]) == ("pin", 2, 41)


def test_many_records_stay_in_order_and_apart():
    letters = parse(b"".join(printed(b"%d\n" % n, offset=n) for n in range(5)), FRAMING)

    assert [(one.letter, one.value) for one in letters] == [((0, n), b"%d\n" % n) for n in range(5)]


def test_header_values_may_hold_newlines_and_colons():
    headers = [
        (b"trace", b"line 1\n\tat a.b.C:12\nCaused by: x"),
        (b"__connect.errors.topic", b"0e36c8cd403d.geo"),
        (b"__connect.errors.partition", b"0"),
        (b"__connect.errors.offset", b"7"),
        (b"__connect.errors.exception.message", b"Converting byte[] failed:\n JSON"),
    ]

    (letter,) = parse(printed(b"x", headers=headers), FRAMING)

    assert (letter.topic, letter.offset, letter.error) == ("0e36c8cd403d.geo", 7, "Converting byte[] failed:\n JSON")


def test_the_header_of_the_sink_wins_over_one_that_the_producer_sent():
    headers = [
        (b"__connect.errors.offset", b"999"),
        (b"__connect.errors.topic", b"t"),
        (b"__connect.errors.partition", b"0"),
        (b"__connect.errors.offset", b"3"),
    ]

    assert parse(printed(b"x", headers=headers), FRAMING)[0].offset == 3


def test_no_value_is_not_an_empty_value():
    nothing, empty = parse(printed(b"<N>") + printed(b"", offset=1), FRAMING)

    assert (nothing.value, empty.value) == (None, b"")


def test_a_record_that_the_sink_did_not_write_is_named():
    (stray,) = parse(printed(b"hello", headers=[(b"a", b"b")], offset=3), FRAMING)

    assert isinstance(stray, StrayLetter)
    assert stray.letter == (0, 3)
    assert "__connect.errors." in stray.reason


def test_no_timestamp():
    assert parse(printed(b"x", timestamp=b"NO_TIMESTAMP"), FRAMING)[0].timestamp is None


def test_letters_are_kept_by_their_place_and_reading_goes_on_after_them():
    letters = DeadLetters("dead", {0: 3})
    read = lines(
        (0, 3, 5, printed(b"x", offset=3) + printed(b"y", offset=4)),
        (1, 0, 1, printed(b"z", headers=[(b"a", b"b")]).replace(b"Partition:0", b"Partition:1")),
    )

    for partition in parse_partitions(read, FRAMING, "dead"):
        letters.add(partition)

    assert sorted(letters.found) == [(0, 3), (0, 4)]
    assert letters.offsets_of("0e36c8cd403d.pin", 2) == [41, 41]
    assert list(letters.stray) == ["dead p1@0"]
    assert letters.next_offsets == {0: 5, 1: 1}

"""Dead letters as the console consumer prints them: any bytes, newlines and separators' look-alikes included."""

from __future__ import annotations

import base64
import json

import pytest

from include.landing.console_consumer import ConsoleConsumerError, Framing, parse_partitions, parse_records
from include.landing.dead_letters import DeadLetter, DeadLetters, StrayLetter, dead_letter
from include.landing.refusal_reasons import classify

FRAMING = Framing(field="<F>", header="<H>", record="<R>", nothing="<N>")


def parse(content, framing):
    return [dead_letter(record) for record in parse_records(content, framing)]


def printed(value, *, headers=None, offset=0, timestamp=b"CreateTime:1795254517409", key=b"7528"):
    """One record in the console consumer's form."""
    if headers is None:
        headers = [
            (b"__connect.errors.topic", b"0e36c8cd403d.pin"),
            (b"__connect.errors.partition", b"2"),
            (b"__connect.errors.offset", b"41"),
        ]
    told = b"<H>".join(name + b":" + content for name, content in headers)
    return b"<F>".join([timestamp, b"Partition:0", b"Offset:%d" % offset, told, key, value]) + b"<R>"


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


def test_output_that_is_cut_off_is_an_error():
    with pytest.raises(ConsoleConsumerError, match="cut off"):
        parse(printed(b"x") + printed(b"yyyy")[:-5], FRAMING)


def test_nothing_printed_is_no_record():
    assert parse(b"", FRAMING) == []


def test_separators_are_new_for_every_read():
    assert len({Framing.draw().field, Framing.draw().field, Framing.draw().record}) == 3


@pytest.mark.parametrize(
    ("value", "reason"),
    [
        pytest.param(b"not json", "not_json_object", id="text"),
        pytest.param(b"", "not_json_object", id="empty"),
        pytest.param(b" \n", "not_json_object", id="blank"),
        pytest.param(None, "not_json_object", id="no value"),
        pytest.param(b"\xff\xfe{", "not_json_object", id="no UTF-8"),
        pytest.param(b'"text"', "not_json_object", id="string"),
        pytest.param(b"42", "not_json_object", id="number"),
        pytest.param(b"null", "not_json_object", id="null"),
        pytest.param(b'{"a":NaN}', "not_json_object", id="not a JSON number"),
        pytest.param(b'{"a" 1}', "not_json_object", id="no colon"),
        pytest.param(b'{"a":1}}', "not_json_object", id="one bracket too many"),
        pytest.param(b'{"a":1]', "not_json_object", id="the wrong bracket"),
        pytest.param(b'[{"index":1},{"index":2}]', "array_of_rows", id="array of rows"),
        pytest.param(b"[]", "array_of_rows", id="empty array"),
        pytest.param(b'{"index":7528,"title":"Farm', "truncated_json", id="cut in a string"),
        pytest.param(b'{"index":7528,', "truncated_json", id="cut after a comma"),
        pytest.param(b'[{"index":1},', "truncated_json", id="cut in an array"),
        pytest.param(b'{"a":"\\"', "truncated_json", id="cut after an escaped quote"),
        pytest.param(b'{"a":tru', "truncated_json", id="cut in a literal"),
        pytest.param(b'{"a":-1.', "truncated_json", id="cut in a number"),
        pytest.param(b'{"a":"\\u00', "truncated_json", id="cut in an escape"),
        pytest.param(b'{"a":1  ', "truncated_json", id="cut before a bracket"),
        pytest.param(b'{"a":1}x', "not_json_object", id="text after the object"),
        pytest.param(b'["' + b"x" * 1_000_000, "truncated_json", id="a megabyte, cut"),
        pytest.param(b"9" * 5000, "not_json_object", id="a number of 5000 digits"),
    ],
)
def test_reason(value, reason):
    code, message = classify(value)

    assert code == reason
    assert message


def test_every_beginning_of_a_row_is_truncated():
    row = json.dumps({"a": [1.5, -2e10, True, None, {"b": 'é\\"\n🚗'}], "c": -0.1e-5, "d": "é🚗"})
    unescaped = json.dumps(json.loads(row), ensure_ascii=False)

    for text in (row, unescaped):
        codes = {classify(text[:length].encode())[0] for length in range(1, len(text))}
        assert codes == {"truncated_json"}


def lines(*partitions):
    """What ``read_dead_letters.sh`` prints: partition, first offset, offset after the last, and the records."""
    return "\n".join(
        f"{n} {start} {stop} {base64.b64encode(content).decode()}" for n, start, stop, content in partitions
    )


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


def test_fewer_records_than_asked_for_is_an_error():
    with pytest.raises(ConsoleConsumerError, match="dead partition 0: 1 records read of offsets 3 to 4; read again"):
        list(parse_partitions(lines((0, 3, 5, printed(b"x", offset=3))), FRAMING, "dead"))

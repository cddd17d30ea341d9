"""What an object's lines say: offsets, and faults where a line is cut off or not the sink's."""

from __future__ import annotations

import json

import pytest

from include.landing.objects import split_lines
from tests.unit.include.landing.sink_objects import TOPIC, earlier_line, landed, line, record_line


def test_lines_are_split_at_line_feeds_only_wherever_the_chunks_end():
    text = 'a\u2028b\r"x"\x85'.encode()

    assert list(split_lines([text[:2], text[2:] + b"\nsecond\nla", b"st"])) == [text, b"second", b"last"]


def test_a_line_number_is_not_an_offset():
    scanned = landed(0, [line(0), line(1), line(4)])

    assert scanned.ranges == ((0, 2), (4, 5))
    assert (scanned.lines, scanned.last_offset, scanned.faults) == (3, 4, ())


@pytest.mark.parametrize(
    "record",
    [
        pytest.param(None, id="no value"),
        pytest.param(b"", id="nothing"),
        pytest.param(b'\xff\x00\\"', id="not UTF-8"),
        pytest.param(b'"_offset":7}' * 100_000, id="a megabyte"),
    ],
)
def test_whatever_a_record_is_its_line_says_where_it_was(record):
    assert landed(0, [record_line(record, 0), line(1)]).ranges == ((0, 2),)


def test_lines_of_earlier_connectors_stand_beside_others():
    lines = [line(0), earlier_line(1), earlier_line(2, _value="a record's own field"), line(3)]

    assert landed(0, lines).ranges == ((0, 4),)


def test_a_line_is_read_whole_where_its_value_is_not_base64():
    """The field of an earlier connector's record may have the name."""
    lines = [
        b'{"_value":"\\",\\"_offset\\":7}","_topic":"u.pin","_partition":0,"_offset":0}',
        b'{"_value":"' + b"9" * 5000 + b'","_topic":"u.pin","_partition":0,"_offset":1}',
    ]

    assert landed(0, lines).ranges == ((0, 2),)


@pytest.mark.parametrize("length", range(1, len(line(1))))
def test_wherever_the_last_line_is_cut_off_it_is_named(length):
    assert landed(0, [line(0), line(1)[:length]]).faults == ("its last line (2) is cut off",)


def test_a_last_line_that_is_cut_off_inside_a_character_is_named():
    whole = json.dumps({"title": "🚗", "_topic": TOPIC, "_partition": 0, "_offset": 1}, ensure_ascii=False).encode()

    broken = landed(0, [line(0), whole[: whole.index("🚗".encode()) + 2]])

    assert broken.faults == ("its last line (2) is cut off",)


@pytest.mark.parametrize(
    ("bad", "fault"),
    [
        pytest.param(b"{", "line 2 is not JSON", id="not JSON in the middle"),
        pytest.param(b"[1]", "line 2 is not a JSON object", id="an array"),
        pytest.param(b'{"index":1}', "line 2 has no _topic, _partition and _offset", id="no position"),
        pytest.param(line(1, _offset="1"), "line 2 has no _topic, _partition and _offset", id="offset as text"),
        pytest.param(line(1, _offset=True), "line 2 has no _topic, _partition and _offset", id="offset a boolean"),
        pytest.param(line(1, topic="u.geo"), "line 2 belongs to u.geo partition 0", id="another topic"),
        pytest.param(line(1, partition=3), "line 2 belongs to u.pin partition 3", id="another partition"),
        pytest.param(b"", "line 2 is not JSON", id="a blank line"),
    ],
)
def test_lines_that_are_not_ours(bad, fault):
    scanned = landed(0, [line(0), bad, line(2)])

    assert scanned.ranges == ((0, 1), (2, 3))
    assert len(scanned.faults) == 1
    assert scanned.faults[0].startswith(fault)


def test_a_name_that_does_not_fit_the_content():
    assert landed(5, [line(0)]).faults == ("begins with offset 0, not the one in its name",)


def test_a_foreign_file_names_only_a_few_of_its_lines():
    scanned = landed(0, [b"some text"] * 1000)

    assert len(scanned.faults) == 4
    assert scanned.faults[-1] == "and 997 more lines"


def test_a_number_too_long_for_python_is_still_a_line():
    assert landed(0, [earlier_line(0)[:-1] + b', "x": ' + b"9" * 5000 + b"}"]).ranges == ((0, 1),)

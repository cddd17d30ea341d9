"""What an object's lines say: offsets, and faults where a line is cut off or not the sink's."""

from __future__ import annotations

import json

import pytest

from include.landing.objects import split_lines
from tests.unit.include.landing.sink_objects import TOPIC, landed, line


def test_lines_are_split_at_line_feeds_only_wherever_the_chunks_end():
    text = 'a\u2028b\r"x"\x85'.encode()

    assert list(split_lines([text[:2], text[2:] + b"\nsecond\nla", b"st"])) == [text, b"second", b"last"]


def test_a_line_number_is_not_an_offset():
    scanned = landed(0, [line(0), line(1), line(4)])

    assert scanned.ranges == ((0, 2), (4, 5))
    assert (scanned.lines, scanned.last_offset, scanned.faults) == (3, 4, ())


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
    assert landed(0, [line(0)[:-1] + b', "x": ' + b"9" * 5000 + b"}"]).ranges == ((0, 1),)

"""Coverage from the lines themselves: gaps, overlaps, and objects that are empty, cut off or not ours."""

from __future__ import annotations

import json

import pytest

from include.bucket_layout import SinkObject, sink_object
from include.landing.bookmark import Place
from include.landing.coverage import cover, describe_missing
from include.landing.dead_letters import DeadLetter, first_letters, letters_to_load
from include.landing.dead_letters import next_letters as letters_after
from include.landing.entries import landed_entries
from include.landing.interval import Interval, PartitionRange, TopicRanges
from include.landing.manifest import landed_manifest
from include.landing.objects import ListedObject, scan, split_lines

TOPIC = "u.pin"


def line(offset, topic=TOPIC, partition=0, **fields):
    return json.dumps({"index": offset, "_topic": topic, "_partition": partition, "_offset": offset, **fields}).encode()


def landed(first, lines, partition=0):
    key = sink_object(TOPIC, partition, first)
    content = b"".join(one + b"\n" for one in lines)
    chunks = [content[i : i + 7] for i in range(0, len(content), 7)]
    return scan(ListedObject(key, '"etag"', len(content)), SinkObject(TOPIC, partition, first), split_lines(chunks))


def holds(first, last):
    return landed(first, [line(offset) for offset in range(first, last + 1)])


def test_lines_are_split_at_line_feeds_only_wherever_the_chunks_end():
    text = 'a\u2028b\r"x"\x85'.encode()

    assert list(split_lines([text[:2], text[2:] + b"\nsecond\nla", b"st"])) == [text, b"second", b"last"]


def test_whole_objects_cover_the_interval():
    found = cover(TOPIC, 0, (0, 30), [holds(0, 9), holds(10, 29)], [])

    assert found.complete
    assert (found.missing, found.repeated, found.passed, found.quarantined) == ((), (), (), 0)


def test_a_line_number_is_not_an_offset():
    scanned = landed(0, [line(0), line(1), line(4)])

    assert scanned.ranges == ((0, 2), (4, 5))
    assert (scanned.lines, scanned.last_offset, scanned.faults) == (3, 4, ())


def test_dead_letters_fill_a_gap_and_are_counted_once():
    found = cover(TOPIC, 0, (0, 5), [landed(0, [line(0), line(1), line(4)])], [2, 3, 3])

    assert found.complete
    assert found.quarantined == 2


def test_a_gap_at_the_end_may_still_come():
    found = cover(TOPIC, 0, (0, 10), [holds(0, 6)], [])

    assert (found.missing, found.passed) == (((7, 10),), ())


@pytest.mark.parametrize(
    ("objects", "reached", "gap"),
    [([(0, 6), (8, 9)], -1, (7, 8)), ([(0, 6)], 12, (7, 10))],
    ids=["an object of the interval", "an object beyond the interval"],
)
def test_a_gap_that_the_sink_wrote_beyond_will_not_come(objects, reached, gap):
    found = cover(TOPIC, 0, (0, 10), [holds(*one) for one in objects], [], reached=reached)

    assert found.passed == (gap,)
    told = found.describe(found.passed)
    assert told.startswith("u.pin partition 0: offsets 7")
    assert sink_object(TOPIC, 0, 0) in told


def test_an_object_that_was_deleted_is_named_by_its_offsets():
    found = cover(TOPIC, 0, (0, 3000), [holds(0, 999), holds(2000, 2999)], [])

    assert found.passed == ((1000, 2000),)
    assert "offsets 1000-1999" in describe_missing([found])


def test_an_overlap_is_named_and_nothing_is_missing():
    found = cover(TOPIC, 0, (0, 20), [holds(0, 12), holds(10, 19)], [])

    assert found.complete
    assert found.repeated == ((10, 13),)


def test_a_record_twice_in_one_object():
    found = cover(TOPIC, 0, (0, 3), [landed(0, [line(0), line(1), line(1), line(2)])], [])

    assert (found.complete, found.repeated) == (True, ((1, 2),))


def test_a_record_in_an_object_and_among_the_dead_letters():
    found = cover(TOPIC, 0, (0, 3), [holds(0, 2)], [1])

    assert (found.complete, found.repeated, found.quarantined) == (True, ((1, 2),), 0)


def test_offsets_before_and_after_the_interval_are_not_counted():
    found = cover(TOPIC, 0, (5, 8), [holds(0, 9)], [1, 9])

    assert (found.complete, found.stored, found.repeated) == (True, ((5, 8),), ())


def test_an_empty_object_that_nothing_needs_is_not_used():
    found = cover(TOPIC, 0, (0, 3), [holds(0, 2), landed(1, [])], [])

    assert found.complete
    assert [one.faults for one in found.unused] == [("is empty",)]
    assert [one.key for one in found.objects] == [sink_object(TOPIC, 0, 0)]


def test_an_empty_object_at_a_gap_is_named():
    found = cover(TOPIC, 0, (0, 6), [holds(0, 2), landed(3, [])], [])

    assert found.passed == ((3, 6),)
    assert f"{sink_object(TOPIC, 0, 3)} holds no offset, but is empty" in found.describe(found.passed)


def test_a_last_line_that_is_cut_off_is_named():
    broken = landed(0, [line(0), line(1), line(2)[:-9]])

    found = cover(TOPIC, 0, (0, 3), [broken], [])

    assert broken.faults == ("its last line (3) is cut off",)
    assert found.passed == ((2, 3),)
    assert "offsets 2 are in no object" in found.describe(found.passed)
    assert "its last line (3) is cut off" in found.describe(found.passed)


def test_a_last_line_that_is_cut_off_inside_a_character_is_named():
    whole = json.dumps({"title": "🚗", "_topic": TOPIC, "_partition": 0, "_offset": 1}, ensure_ascii=False).encode()

    broken = landed(0, [line(0), whole[: whole.index("🚗".encode()) + 2]])

    assert broken.faults == ("its last line (2) is cut off",)


def test_a_cut_off_object_that_was_written_again_is_not_used():
    broken, whole = landed(0, [line(0), line(1)[:-4]]), holds(0, 5)

    found = cover(TOPIC, 0, (0, 6), [broken, whole], [])

    assert found.complete
    assert found.objects == (whole,)


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


# the documents


def interval(stop=10, start=0):
    topic = TopicRanges(topic=TOPIC, partitions={0: PartitionRange(start=start, stop=stop)})
    return Interval(topics={"pin": topic})


def letter(offset, number, partition=0, topic=TOPIC):
    return DeadLetter((0, number), topic, partition, offset, None, b"x", "")


def test_the_ledger_of_a_complete_interval_balances():
    found = cover(TOPIC, 0, (0, 10), [holds(0, 6), landed(5, [line(n) for n in (5, 6, 7, 9)])], [8])

    (entry,) = landed_entries("r", interval(), [found])

    assert (entry.records_in, entry.records_out, entry.quarantined) == (10, 9, 1)
    assert (entry.extra, entry.duplicates, entry.positions) == (2, 2, ("p0@5-6",))
    assert (entry.first, entry.last) == ("p0@0", "p0@9")


def test_the_ledger_of_a_gap_names_what_is_missing():
    found = cover(TOPIC, 0, (0, 10), [holds(0, 3), holds(6, 9)], [])

    (entry,) = landed_entries("r", interval(), [found])

    assert (entry.records_in, entry.records_out, entry.positions) == (10, 8, ("p0@4-5",))


def test_the_manifest_lists_what_the_load_must_read():
    found = cover(TOPIC, 0, (5, 10), [holds(0, 6), holds(7, 12), holds(13, 20)], [])

    manifest = landed_manifest(
        interval(start=5),
        [found],
        dag_id="d",
        run_id="r",
        user_id="u",
        bucket="b",
        dead_letters_key="k",
        letters=["pin"],
        next_letters={0: 4},
        ignored=[],
    )

    content = json.loads(manifest.model_dump_json(by_alias=True))
    partition = content["topics"]["pin"]["partitions"]["0"]
    assert (partition["from"], partition["to"]) == (5, 10)
    assert [(o["first_offset"], o["last_offset"], o["lines"]) for o in partition["objects"]] == [(0, 6, 7), (7, 12, 6)]
    assert content["dead_letters"] == {
        "key": "k",
        "count": 1,
        "by_entity": {"pin": 1},
        "next_offsets": {"0": 4},
    }


def test_a_dead_letter_is_loaded_once_and_only_with_its_own_run():
    found = cover(TOPIC, 0, (5, 10), [landed(5, [line(n) for n in (5, 6, 8)])], [7, 7, 9, 3, 12])
    letters = [
        letter(3, 0),
        letter(7, 1),
        letter(7, 2),
        letter(9, 3),
        letter(12, 4),
        letter(8, 5),
        letter(1, 6, topic="x"),
    ]

    chosen = letters_to_load(interval(start=5), [found], letters)

    assert [(entity, one.offset, one.letter) for entity, one in chosen] == [("pin", 7, (0, 1)), ("pin", 9, (0, 3))]


def test_the_next_run_starts_at_the_first_letter_beyond_this_one():
    letters = [letter(3, 0), letter(12, 1), letter(8, 2), letter(11, 3)]

    assert letters_after(interval(), letters, {0: 4}) == {0: 1}
    assert letters_after(interval(), [letter(3, 0)], {0: 1}) == {0: 1}


def test_a_run_that_goes_back_reads_all_letters():
    bookmark = {TOPIC: {"0": Place(next_offset=5, object=None)}, "dead": {"0": Place(next_offset=9)}}

    assert first_letters(interval(start=5), bookmark, "dead") == {0: 9}
    assert first_letters(interval(start=4), bookmark, "dead") == {}

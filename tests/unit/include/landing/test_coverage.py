"""Coverage from the lines themselves: gaps, overlaps, and objects that are empty or cut off."""

from __future__ import annotations

import pytest

from include.bucket_layout import sink_object
from include.landing.coverage import cover, describe_missing
from tests.unit.include.landing.sink_objects import TOPIC, holds, landed, line


def test_whole_objects_cover_the_interval():
    found = cover(TOPIC, 0, (0, 30), [holds(0, 9), holds(10, 29)], [])

    assert found.complete
    assert (found.missing, found.repeated, found.passed, found.quarantined) == ((), (), (), 0)


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


def test_a_cut_off_object_that_was_written_again_is_not_used():
    broken, whole = landed(0, [line(0), line(1)[:-4]]), holds(0, 5)

    found = cover(TOPIC, 0, (0, 6), [broken, whole], [])

    assert found.complete
    assert found.objects == (whole,)


def test_a_hole_in_what_the_broker_has_forgotten_is_known_as_such():
    found = cover(TOPIC, 0, (0, 30), [holds(0, 6), holds(9, 19), holds(25, 29)], [8], forgotten=[(0, 23)])

    assert (found.missing, found.forgotten, found.passed) == (((7, 8), (20, 25)), ((7, 8), (20, 23)), ((23, 25),))


def test_what_a_damaged_object_should_hold_is_not_forgotten():
    found = cover(TOPIC, 0, (0, 6), [landed(0, [line(0), line(1), line(2)[:-9]]), holds(4, 5)], [], forgotten=[(0, 5)])

    assert (found.forgotten, found.passed) == ((), ((2, 4),))

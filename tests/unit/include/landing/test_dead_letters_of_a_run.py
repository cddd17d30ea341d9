"""Which dead letters a run reads and loads, and where the next one starts."""

from __future__ import annotations

from include.landing.bookmark import Bookmark, Place
from include.landing.coverage import cover
from include.landing.dead_letters import first_letters, letters_to_load
from include.landing.dead_letters import next_letters as letters_after
from tests.unit.include.landing.sink_objects import TOPIC, interval, landed, letter, line


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
    bookmark = Bookmark(topics={TOPIC: {"0": Place(next_offset=5, object=None)}, "dead": {"0": Place(next_offset=9)}})

    assert first_letters(interval(start=5), bookmark, "dead") == {0: 9}
    assert first_letters(interval(start=4), bookmark, "dead") == {}

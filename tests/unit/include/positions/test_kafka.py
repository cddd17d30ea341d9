"""Ranges of offsets: each function by example, then against sets of integers."""

from __future__ import annotations

import random
from itertools import pairwise

import pytest

from include.positions.kafka import clip, merge, overlaps, positions, ranges_of, size, spell, subtract


@pytest.mark.parametrize(
    ("ranges", "merged"),
    [
        ([], ()),
        ([(4, 7)], ((4, 7),)),
        ([(7, 9), (0, 4)], ((0, 4), (7, 9))),
        ([(0, 4), (4, 6)], ((0, 6),)),
        ([(0, 4), (5, 6)], ((0, 4), (5, 6))),
        ([(0, 9), (2, 3), (8, 11)], ((0, 11),)),
        ([(2, 5), (2, 5)], ((2, 5),)),
        ([(3, 3), (6, 5)], ()),
        ([(0, 3), (5, 5), (8, 9)], ((0, 3), (8, 9))),
    ],
    ids=["none", "one", "sorted", "neighbors", "a gap of one", "nested", "twice", "empty", "an empty one between"],
)
def test_merge(ranges, merged):
    assert merge(ranges) == merged


@pytest.mark.parametrize(
    ("ranges", "found"),
    [
        ([], ()),
        ([(0, 5), (5, 9)], ()),
        ([(0, 5), (3, 9)], ((3, 5),)),
        ([(3, 9), (0, 5)], ((3, 5),)),
        ([(0, 9), (2, 4), (6, 7)], ((2, 4), (6, 7))),
        ([(0, 9), (2, 4), (3, 5)], ((2, 5),)),
        ([(2, 5), (2, 5), (2, 5)], ((2, 5),)),
        ([(0, 3), (2, 6), (5, 8)], ((2, 3), (5, 6))),
    ],
    ids=["none", "neighbors", "two", "in any order", "nested", "nested and joined", "three times", "a chain"],
)
def test_overlaps(ranges, found):
    assert overlaps(ranges) == found


@pytest.mark.parametrize(
    ("ranges", "within", "clipped"),
    [
        ([], (0, 9), ()),
        ([(2, 4)], (0, 9), ((2, 4),)),
        ([(0, 9)], (2, 4), ((2, 4),)),
        ([(0, 3), (6, 9)], (2, 7), ((2, 3), (6, 7))),
        ([(0, 2), (4, 6)], (2, 4), ()),
        ([(0, 9)], (5, 5), ()),
    ],
    ids=["none", "inside", "around", "both ends", "neighbors", "an empty window"],
)
def test_clip(ranges, within, clipped):
    assert clip(ranges, within) == clipped


def test_clip_keeps_order_and_repeats():
    assert clip([(6, 9), (0, 3), (2, 7)], (1, 8)) == ((6, 8), (1, 3), (2, 7))


@pytest.mark.parametrize(
    ("whole", "taken", "left"),
    [
        ((0, 9), [], ((0, 9),)),
        ((0, 9), [(0, 9)], ()),
        ((0, 9), [(-3, 20)], ()),
        ((0, 9), [(3, 5)], ((0, 3), (5, 9))),
        ((0, 9), [(5, 7), (1, 2)], ((0, 1), (2, 5), (7, 9))),
        ((0, 9), [(0, 4), (2, 6)], ((6, 9),)),
        ((2, 6), [(0, 2), (6, 8)], ((2, 6),)),
        ((4, 4), [], ()),
    ],
    ids=[
        "nothing",
        "all",
        "more than all",
        "the middle",
        "in any order",
        "overlapping",
        "only neighbors",
        "of nothing",
    ],
)
def test_subtract(whole, taken, left):
    assert subtract(whole, taken) == left


@pytest.mark.parametrize(("ranges", "count"), [([], 0), ([(3, 4)], 1), ([(0, 5), (9, 11)], 7), ([(0, 5), (4, 6)], 7)])
def test_size_counts_a_repeat_as_often_as_it_is_there(ranges, count):
    assert size(ranges) == count


@pytest.mark.parametrize(
    ("offsets", "ranges"),
    [
        ([], ()),
        ([7], ((7, 8),)),
        ([3, 4, 5], ((3, 6),)),
        ([3, 4, 6], ((3, 5), (6, 7))),
        ([3, 3], ((3, 4), (3, 4))),
        ([3, 4, 4, 5], ((3, 5), (4, 6))),
        ([5, 4], ((5, 6), (4, 5))),
    ],
    ids=["none", "one", "in a row", "a gap", "twice", "a repeat in a row", "backward"],
)
def test_ranges_of(offsets, ranges):
    assert ranges_of(offsets) == ranges


def test_offsets_in_a_row_are_one_pair_however_many():
    assert ranges_of(range(100_000)) == ((0, 100_000),)


@pytest.mark.parametrize(
    ("ranges", "spelled"),
    [([], ""), ([(12, 13)], "12"), ([(14, 17)], "14-16"), ([(12, 13), (14, 17)], "12, 14-16")],
)
def test_spell_names_the_last_offset_and_not_the_one_after(ranges, spelled):
    assert spell(ranges) == spelled


def test_many_ranges_are_cut_and_counted():
    assert spell([(n, n + 1) for n in range(0, 24, 2)]) == "0, 2, 4, 6, 8, 10, 12, 14, 16, 18 and 2 more ranges to 22"


def test_positions_go_by_partition():
    assert positions({1: [(14, 17)], 0: [(12, 13), (20, 22)], 2: []}) == ("p0@12", "p0@20-21", "p1@14-16")
    assert positions({}) == ()


def test_positions_beyond_the_limit_are_counted():
    ranges = [(n, n + 1) for n in range(0, 50, 2)]

    assert positions({0: ranges[:20]}) == tuple(f"p0@{n}" for n in range(0, 40, 2))
    assert positions({0: ranges})[20:] == ("and 5 more ranges",)
    assert positions({0: ranges[:2], 1: [(7, 9)]}, limit=2) == ("p0@0", "p0@2", "and 1 more ranges")


def offsets_of(ranges) -> list[int]:
    return [offset for start, stop in ranges for offset in range(start, stop)]


def drawn_ranges(draw: random.Random) -> list[tuple[int, int]]:
    """Up to eight ranges of offsets 0 to 40: overlapping, neighboring, nested, some of them empty."""
    starts = [draw.randrange(40) for _ in range(draw.randrange(9))]
    return [(start, start + draw.choice([0, 1, 2, 5, 15])) for start in starts]


@pytest.mark.parametrize("seed", range(200))
def test_ranges_behave_as_sets_of_offsets(seed):
    draw = random.Random(seed)
    ranges, window = drawn_ranges(draw), sorted(draw.sample(range(50), 2))
    within = (window[0], window[1])
    every = offsets_of(ranges)
    whole = set(range(*within))

    merged = merge(ranges)
    assert offsets_of(merged) == sorted(set(every))
    assert all(stop < start for (_, stop), (start, _) in pairwise(merged))
    assert merge(merged) == merged
    assert size(merged) == len(set(every))
    assert size(ranges) == len(every)

    assert offsets_of(overlaps(ranges)) == sorted({offset for offset in every if every.count(offset) > 1})
    assert sorted(offsets_of(clip(ranges, within))) == sorted(offset for offset in every if offset in whole)
    assert offsets_of(subtract(within, ranges)) == sorted(whole - set(every))
    assert merge([*clip(merged, within), *subtract(within, ranges)]) == (within,)

    draw.shuffle(every)
    assert offsets_of(ranges_of(every)) == every
    assert ranges_of(sorted(set(every))) == merged

"""The sequence of posts. The golden keys were written down from the seeds' own runs."""

from __future__ import annotations

import random
from itertools import islice

import pytest

from include.posting.emulation import Mark, draws, mark_at

SEED_100 = [7528, 2863, 5730, 8304, 8731, 1313, 4315, 10794, 5494, 5069, 2923, 3089, 6063, 3454, 7554, 6145]


def test_seed_100_gives_the_keys_the_seeds_posted():
    assert [draw.ind for draw in draws(100, count=16)] == SEED_100


@pytest.mark.parametrize("seed", [0, 7, 100])
def test_pauses_and_keys_are_those_of_the_seeds_loop(seed):
    random.seed(seed)
    expected = [(random.randrange(0, 2), random.randint(0, 11000)) for _ in range(2000)]

    assert [(draw.pause, draw.ind) for draw in draws(seed, count=2000)] == expected


def test_1500_draws_repeat_themselves_as_often_as_the_seeds_did():
    assert len({draw.ind for draw in draws(100, count=1500)}) == 1390


@pytest.mark.parametrize("first", [0, 1, 9, 1499])
def test_goes_on_from_any_draw(first):
    whole = list(draws(100, count=first + 5))

    assert list(draws(100, first=first, count=5)) == whole[first:]


@pytest.mark.parametrize("at", [0, 1, 350, 5000])
def test_goes_on_from_a_mark(at):
    whole = list(draws(100, count=5010))
    mark = mark_at(100, at, mark_at(100, at // 2))

    assert mark == mark_at(100, at)
    assert list(draws(100, first=at, count=5, mark=mark)) == whole[at : at + 5]
    assert list(draws(100, first=5000, count=10, mark=mark)) == whole[5000:]
    assert list(draws(100, first=0, count=5, mark=mark)) == whole[:5], "a mark beyond the first draw does not count"


@pytest.mark.parametrize("state", ["", "x", "AAAA"])
def test_a_mark_that_is_none_says_so(state):
    with pytest.raises(ValueError, match=r"."):
        Mark(3, state).generator()


def test_has_no_end_without_a_count():
    assert next(islice(draws(100), 20_000, None)) == next(draws(100, first=20_000))


def test_leaves_the_global_generator_alone():
    random.seed(1)
    expected = random.random()
    random.seed(1)
    list(draws(100, count=10))

    assert random.random() == expected

"""Which posts a user makes, and when: the sequence of the seeds' endless loop, starting at any draw.

The loop seeds Python's global generator once. For every post, it first sleeps ``randrange(0, 2)`` seconds and then
picks row ``randint(0, 11000)`` of the three tables. Both numbers come from the same generator, so a pause is drawn
even if nothing waits for it.
"""

from __future__ import annotations

import random
from collections.abc import Iterator
from itertools import islice
from typing import NamedTuple

HIGHEST_IND = 11_000


class Draw(NamedTuple):
    """One post: the seconds to wait before it, and the key of its three rows."""

    pause: int
    ind: int


def draws(seed: int, *, first: int = 0, count: int | None = None) -> Iterator[Draw]:
    """The draws of ``seed``, starting at number ``first`` (the very first is 0). Endless without ``count``.

    Earlier draws are generated and discarded, about a million per second.
    """
    return islice(_sequence(seed), first, None if count is None else first + count)


def _sequence(seed: int) -> Iterator[Draw]:
    generator = random.Random(seed)  # noqa: S311 - a repeatable sequence is the point
    while True:
        yield Draw(generator.randrange(0, 2), generator.randint(0, HIGHEST_IND))

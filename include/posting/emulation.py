"""Which posts a user makes, and when: the sequence of the seeds' endless loop, starting at any draw.

The loop seeds Python's global generator once. For every post, it first sleeps ``randrange(0, 2)`` seconds and then
picks row ``randint(0, 11000)`` of the three tables. Both numbers come from the same generator, so a pause is drawn
even if nothing waits for it.
"""

from __future__ import annotations

import base64
import random
import struct
from collections.abc import Iterator
from itertools import islice
from typing import NamedTuple, Self

HIGHEST_IND = 11_000
STATE = struct.Struct("<625I")  # of Python's generator: 624 words of 32 bits, and how many of them are used up
STATE_VERSION = 3


class Draw(NamedTuple):
    """One post: the seconds to wait before it, and the key of its three rows."""

    pause: int
    ind: int


class Mark(NamedTuple):
    """A seed's generator after its first ``draw`` draws. Who goes on from there need not make them again."""

    draw: int
    state: str

    @classmethod
    def of(cls, draw: int, generator: random.Random) -> Self:
        return cls(draw, base64.b64encode(STATE.pack(*generator.getstate()[1])).decode())

    def generator(self) -> random.Random:
        """Raises ValueError if the state is none."""
        generator = random.Random(0)  # noqa: S311
        try:
            words = STATE.unpack(base64.b64decode(self.state, validate=True))
        except struct.error as error:
            raise ValueError(f"not the state of a generator: {error}") from error
        generator.setstate((STATE_VERSION, words, None))
        return generator


def draws(seed: int, *, first: int = 0, count: int | None = None, mark: Mark | None = None) -> Iterator[Draw]:
    """The draws of ``seed``, starting at number ``first`` (the very first is 0). Endless without ``count``.

    Earlier draws are generated and discarded, about a million per second, as far as they lie behind the ``mark``.
    """
    made, generator = _generator(seed, first, mark)
    skipped = first - made
    return islice(_sequence(generator), skipped, None if count is None else skipped + count)


def mark_at(seed: int, draw: int, mark: Mark | None = None) -> Mark:
    """The mark of this draw, starting from an earlier one."""
    made, generator = _generator(seed, draw, mark)
    for _ in islice(_sequence(generator), draw - made):
        pass
    return Mark.of(draw, generator)


def _generator(seed: int, draw: int, mark: Mark | None) -> tuple[int, random.Random]:
    """A generator that has made no more than ``draw`` draws, and how many it has made."""
    if mark is not None and mark.draw <= draw:
        return mark.draw, mark.generator()
    return 0, random.Random(seed)  # noqa: S311 - a repeatable sequence is the point


def _sequence(generator: random.Random) -> Iterator[Draw]:
    while True:
        yield Draw(generator.randrange(0, 2), generator.randint(0, HIGHEST_IND))

"""Sequence numbers: 56 digits, each greater than all before it."""

from __future__ import annotations

import time

DIGITS = 56
FIRST = "0" * DIGITS
TIME = slice(2, 17)


class Sequence:
    """Milliseconds, then a counter. The milliseconds never go back, whatever the clock does."""

    def __init__(self) -> None:
        self.milliseconds = 0
        self.count = 0

    def next(self) -> str:
        self.milliseconds = max(self.milliseconds, int(time.time() * 1000))
        self.count += 1
        return f"49{self.milliseconds:015d}{self.count:039d}"

    def go_on_after(self, number: str) -> None:
        """Take note of a number from an earlier process: later ones will be greater."""
        self.milliseconds = max(self.milliseconds, int(number[TIME]) + 1)


def arrival(number: str) -> float:
    """When a record arrived, in seconds since the epoch. Within a shard it never goes back either."""
    return int(number[TIME]) / 1000


def padded(number: str) -> str:
    """A caller's number in the format used for comparison."""
    return number.zfill(DIGITS)


def after(number: str) -> str:
    return padded(str(int(number) + 1))

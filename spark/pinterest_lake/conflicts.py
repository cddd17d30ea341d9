"""Two writers of one table: Delta lets the first commit win, and the second tries again on what the first has left."""

from __future__ import annotations

import random
import time
from collections.abc import Callable

from delta.exceptions import (
    ConcurrentAppendException,
    ConcurrentDeleteDeleteException,
    ConcurrentDeleteReadException,
    ConcurrentTransactionException,
    ConcurrentWriteException,
    DeltaConcurrentModificationException,
    MetadataChangedException,
)

CONFLICTS = (
    ConcurrentAppendException,
    ConcurrentDeleteDeleteException,
    ConcurrentDeleteReadException,
    ConcurrentTransactionException,
    ConcurrentWriteException,
    DeltaConcurrentModificationException,
    MetadataChangedException,
)
TRIES = 20
LONGEST_WAIT = 10.0  # seconds


def committed[T](commit: Callable[[], T]) -> T:
    """Call ``commit`` until no other writer comes before it; return what it returns.

    It must read the table each time, and must not write what is already there. Raises Delta's exception after
    ``TRIES`` conflicts in a row.
    """
    for failures in range(1, TRIES):
        try:
            return commit()
        except CONFLICTS:
            time.sleep(min(LONGEST_WAIT, 0.1 * 2**failures) * random.uniform(0.5, 1))  # noqa: S311
    return commit()

"""Whether what earlier runs remember is still the same thing.

A topic, a data stream or a table that was deleted and made again has its old name and another identity. What is
remembered of the old one (offsets, checkpoints, what is loaded) does not hold for the new one.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Literal, NamedTuple

type OnNewIdentity = Literal["fail", "load_all"]
FAIL: OnNewIdentity = "fail"
LOAD_ALL: OnNewIdentity = "load_all"
ON_NEW_IDENTITY = (FAIL, LOAD_ALL)

CHOICES = (
    "What earlier runs remember does not hold for it. If a setting is wrong or a table can be restored, do that; "
    "otherwise run the DAG {dag} with the param on_new_identity=load_all: it loads everything that is still held, and "
    "the ledger covers it."
)


class IdentityError(RuntimeError):
    """Something is not what earlier runs remember under its name. The message names both and the choices."""


class Difference(NamedTuple):
    """``what`` has another identity than the remembered one; ``found`` is None if it no longer exists."""

    what: str
    remembered: str
    found: str | None

    def __str__(self) -> str:
        now = "no longer exists" if self.found is None else f"is {self.found} now"
        return f"{self.what} was {self.remembered} and {now}"


def compare(kind: str, remembered: Mapping[str, str], found: Mapping[str, str]) -> list[Difference]:
    """Differences by name. A name that was not remembered is new, and no difference."""
    return [
        Difference(f"{kind} {name}", identity, found.get(name))
        for name, identity in remembered.items()
        if found.get(name) != identity
    ]


def refusal(differences: Sequence[Difference], dag: str) -> str:
    """One message that names every difference and the choices."""
    return f"{'; '.join(map(str, differences))}. {CHOICES.format(dag=dag)}"

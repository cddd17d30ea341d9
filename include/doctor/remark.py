"""What a doctor says: what is wrong and what to do, what it could not look at, and what is not there yet."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass


@dataclass(frozen=True)
class Finding:
    """Something that is missing or wrong, and its fix."""

    problem: str
    fix: str


@dataclass(frozen=True)
class Unchecked:
    """Something that could not be looked at, and why. Nobody knows whether it is well."""

    what: str
    why: str


@dataclass(frozen=True)
class Later:
    """Something that a run makes, and that cannot be looked at before."""

    what: str


type Remark = Finding | Unchecked | Later


def is_well(remarks: Iterable[Remark]) -> bool:
    """Whether everything that is there was looked at, and nothing is wrong."""
    return all(isinstance(remark, Later) for remark in remarks)


def text(remarks: Iterable[Remark]) -> str:
    """The findings, numbered, each with its fix; then what was not looked at."""
    said = list(remarks)
    lines = []
    for number, finding in enumerate((one for one in said if isinstance(one, Finding)), 1):
        lines += [f"{number}. {finding.problem}", f"   fix: {finding.fix}"]
    if not lines:
        lines += ["Nothing is missing or wrong" + ("." if is_well(said) else ", as far as could be seen.")]
    unchecked = [one for one in said if isinstance(one, Unchecked)]
    if unchecked:
        lines += ["", "Not checked:", *(f"- {one.what}: {one.why}" for one in unchecked)]
    later = [one for one in said if isinstance(one, Later)]
    if later:
        lines += ["", "Not there before a run of pinterest_pipeline:", *(f"- {one.what}" for one in later)]
    return "\n".join(lines)

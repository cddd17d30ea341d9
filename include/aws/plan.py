"""What a run would find and make in an account, and what that costs: as rows, and as a text table.

Prices are list prices of one region on one day (``prices.json``), and the costs are estimates: of what is there
whether or not anybody uses it. Requests, storage of records, data transfer and Databricks are not in them.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass, field
from enum import StrEnum
from functools import cache
from pathlib import Path
from typing import Any, NamedTuple

PRICES = Path(__file__).parent / "prices.json"
COLUMNS = ("resource", "name", "there", "whose", "would be", "per hour", "per month")
UNKNOWN = "?"


class Prices(NamedTuple):
    """List prices per hour, by what is paid for. ``as_of`` is the month they were read in."""

    as_of: str
    region: str
    currency: str
    hours_per_month: int
    per_hour: dict[str, float]


class Action(StrEnum):
    """What a run would do with a resource."""

    USED = "used"
    MADE = "made"
    STARTED = "started"
    MISSED = "missed"


@dataclass(frozen=True)
class Resource:
    """One resource of the account.

    ``found`` is its id or state, None if it is not there. ``ours``: whether it has our tags, None where nobody looks.
    ``priced`` holds what is paid for, and how many of it.
    """

    kind: str
    name: str
    action: Action
    found: str | None = None
    ours: bool | None = None
    priced: dict[str, float] = field(default_factory=dict)


@cache
def prices() -> Prices:
    return Prices(**json.loads(PRICES.read_text()))


def per_hour(resource: Resource, listed: Prices) -> float | None:
    """What a resource costs in an hour; None if a price is not listed."""
    if any(what not in listed.per_hour for what in resource.priced):
        return None
    return sum(listed.per_hour[what] * many for what, many in resource.priced.items())


def action(*, found: bool, may_make: bool) -> Action:
    """What happens to a resource that is used as it is, or made if that is allowed."""
    if found:
        return Action.USED
    return Action.MADE if may_make else Action.MISSED


def rows(resources: Sequence[Resource]) -> list[dict[str, Any]]:
    """The plan as plain data, with costs; None is an unlisted price."""
    listed = prices()
    return [
        {
            "kind": one.kind,
            "name": one.name,
            "found": one.found,
            "ours": one.ours,
            "action": one.action.value,
            "per_hour": per_hour(one, listed),
        }
        for one in resources
    ]


def table(resources: Sequence[Resource], region: str) -> str:
    """The plan for a terminal. Below it, the sum of what would be paid, and of which day and region the prices are."""
    listed = prices()
    costs = [per_hour(one, listed) for one in resources]
    lines = [
        (one.kind, one.name, one.found or "·", _whose(one), one.action.value, *_cost(cost, listed))
        for one, cost in zip(resources, costs, strict=True)
    ]
    total = sum(cost or 0 for one, cost in zip(resources, costs, strict=True) if one.action is not Action.MISSED)
    added = sum(cost or 0 for one, cost in zip(resources, costs, strict=True) if one.action is Action.MADE)
    month = listed.hours_per_month
    said = [
        f"estimate: {total:.3f} {listed.currency} per hour, {total * month:.0f} per month, of which would be added: "
        f"{added:.3f} per hour, {added * month:.0f} per month",
        f"list prices of {listed.region}, {listed.as_of}; no requests, storage of records, transfer or Databricks",
    ]
    if region != listed.region:
        said.append(f"{region} has other prices")
    if None in costs:
        said.append(f"{UNKNOWN}: no price is listed, and the estimate is without it")
    return "\n".join([*_aligned([COLUMNS, *lines]), "", *said])


def _whose(resource: Resource) -> str:
    if resource.found is None or resource.ours is None:
        return "·"
    return "ours" if resource.ours else "others'"


def _cost(cost: float | None, listed: Prices) -> tuple[str, str]:
    if cost is None:
        return UNKNOWN, UNKNOWN
    return (f"{cost:.4f}", f"{cost * listed.hours_per_month:.2f}") if cost else ("·", "·")


def _aligned(lines: Sequence[Sequence[str]]) -> list[str]:
    widths = [max(len(line[column]) for line in lines) for column in range(len(COLUMNS))]
    padded = [[cell.ljust(width) for cell, width in zip(line, widths, strict=True)] for line in lines]
    return ["  ".join(line).rstrip() for line in padded]

"""What of ours bills now: the inventory's resources with list prices, as rows and as text. Costs are estimates."""

from __future__ import annotations

from collections.abc import Iterable
from typing import NamedTuple

from include.aws.inventory import KINDS, Found
from include.aws.plan import UNKNOWN, Prices, prices
from include.settings import Settings

type Priced = dict[str, float]
"""What is paid for by the hour, and how many of it."""


class Bill(NamedTuple):
    """What a resource costs: ``per_hour`` is None if a price is not listed, or if only use is paid for."""

    found: Found
    per_hour: float | None
    paid_for: str


def bills(found: Iterable[Found], settings: Settings) -> list[Bill]:
    """Resources that bill, the dearest first."""
    listed = prices()
    every = [
        Bill(one, _per_hour(one, settings, listed), KINDS[one.kind].bills) for one in found if KINDS[one.kind].bills
    ]
    billing = [bill for bill in every if bill.per_hour != 0]
    return sorted(billing, key=lambda bill: (-(bill.per_hour or 0), bill.found.kind, bill.found.name))


def text(rows: Iterable[Bill], region: str) -> str:
    """The table for a terminal, with the sum below it."""
    listed, told = prices(), list(rows)
    if not told:
        return "Nothing of ours bills by the hour."
    lines = [("resource", "name", "whose", "per hour", "per month", "paid for")]
    for bill in told:
        hour, month = _cost(bill.per_hour, listed)
        whose = "ours" if bill.found.ours else "others'"
        lines.append((bill.found.kind, bill.found.name, whose, hour, month, bill.paid_for))
    widths = [max(len(line[column]) for line in lines) for column in range(len(lines[0]))]
    total = sum(bill.per_hour or 0 for bill in told)
    said = ["  ".join(cell.ljust(width) for cell, width in zip(line, widths, strict=True)).rstrip() for line in lines]
    said += [
        "",
        f"estimate: {total:.3f} {listed.currency} per hour, {total * listed.hours_per_month:.0f} per month, by list "
        f"prices of {listed.region}, {listed.as_of}; {UNKNOWN}: by use, or no price is listed",
    ]
    if region != listed.region:
        said.append(f"{region} has other prices")
    return "\n".join(said)


def _per_hour(found: Found, settings: Settings, listed: Prices) -> float | None:
    priced = _priced(found, settings)
    if priced is None or any(what not in listed.per_hour for what in priced):
        return None
    return sum(listed.per_hour[what] * many for what, many in priced.items())


def _priced(found: Found, settings: Settings) -> Priced | None:
    """What is paid for by the hour; None if only use is paid for, or if nobody knows what it is."""
    item = found.item
    match found.kind:
        case "instance":
            return _instance(found)
        case "volume":
            return {"ec2:disk_gib": float(item.get("Size", 0))}
        case "Elastic IP":
            return {} if item.get("InstanceId") else {"ec2:public_address": 1.0}
        case "data stream":
            on_demand = item.get("StreamModeDetails", {}).get("StreamMode") == "ON_DEMAND"
            return {"kinesis:on_demand": 1.0} if on_demand else {"kinesis:shard": float(settings.kinesis.shards)}
        case "MSK cluster":
            provisioned = item.get("Provisioned", {})
            kind = provisioned.get("BrokerNodeGroupInfo", {}).get("InstanceType", "")
            return {f"msk:{kind}": float(provisioned.get("NumberOfBrokerNodes", 1))}
        case "connector":
            return {"msk_connect:mcu": _capacity(found)}
        case "VPC endpoint":
            return {} if item.get("VpcEndpointType") == "Gateway" else {"ec2:interface_endpoint": 1.0}
        case "load balancer":
            return {f"elb:{item.get('Type', '')}": 1.0}
        case _:
            return None


def _instance(found: Found) -> Priced:
    """Its disk is a volume of its own in the inventory. A stopped one costs nothing else."""
    if found.item.get("State", {}).get("Name") not in ("pending", "running"):
        return {}
    address = {"ec2:public_address": 1.0} if found.item.get("PublicIpAddress") else {}
    return {f"ec2:{found.item.get('InstanceType', '')}": 1.0, **address}


def _capacity(found: Found) -> float:
    """MCUs: those it has, or at least has."""
    capacity = found.item.get("capacity", {})
    if "provisionedCapacity" in capacity:
        fixed = capacity["provisionedCapacity"]
        return float(fixed.get("mcuCount", 1) * fixed.get("workerCount", 1))
    scaled = capacity.get("autoScaling", {})
    return float(scaled.get("mcuCount", 1) * scaled.get("minWorkerCount", 1))


def _cost(per_hour: float | None, listed: Prices) -> tuple[str, str]:
    if per_hour is None:
        return UNKNOWN, UNKNOWN
    return f"{per_hour:.4f}", f"{per_hour * listed.hours_per_month:.2f}"

"""Whether the account's quotas leave room for what a run, or an environment of MWAA, would make."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import NamedTuple

from include.doctor.remark import Finding


class Quota(NamedTuple):
    """A quota as Service Quotas knows it. ``default`` is what AWS documents for a new account."""

    name: str
    service: str
    code: str
    default: int


VPCS = Quota("VPCs", "vpc", "L-F678F1CE", 5)
ELASTIC_IPS = Quota("Elastic IPs", "ec2", "L-0263D0A3", 5)
BROKERS = Quota("MSK brokers", "kafka", "L-EDD31C36", 90)
SHARDS = Quota("shards of data streams", "kinesis", "L-0918CF54", 1000)
REST_APIS = Quota("edge-optimized REST APIs", "apigateway", "", 120)
"""Cannot be raised, so Service Quotas does not list it."""
DATA_STREAMS = Quota("data streams on demand", "kinesis", "", 50)


class Room(NamedTuple):
    """How much of a quota is used, and how many more will be needed."""

    quota: Quota
    limit: int
    used: int
    needed: int


def findings(rooms: Iterable[Room], region: str) -> Iterator[Finding]:
    for room in rooms:
        wanted = room.used + room.needed
        if not room.needed or wanted <= room.limit:
            continue
        problem = f"{room.quota.name} in {region}: {room.used} of {room.limit} are used, {room.needed} more are needed"
        if not room.quota.code:
            yield Finding(problem, "delete some that nobody uses, or use another account or region")
            continue
        yield Finding(
            problem,
            "delete some that nobody uses, or ask for more: aws service-quotas request-service-quota-increase "
            f"--region {region} --service-code {room.quota.service} --quota-code {room.quota.code} "
            f"--desired-value {wanted}",
        )

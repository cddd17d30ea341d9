"""What a run costs by the hour: an estimate of what stands while it goes on, by the settings and the list prices."""

from __future__ import annotations

from datetime import datetime
from typing import NamedTuple

from include.aws.instance import DISK_GIB
from include.aws.plan import prices
from include.settings import ENTITIES, Settings

LEAST = 0.01


class RunCost(NamedTuple):
    """``said`` is the amount with its currency; ``basis`` says of what, by which prices, and what is not in it."""

    said: str
    basis: str


def run_cost(settings: Settings, started_at: datetime | None, ended_at: datetime) -> RunCost | None:
    """None if nobody knows when the run began, or what its machine costs."""
    listed, paid = prices(), _standing(settings)
    if started_at is None or ended_at < started_at or any(what not in listed.per_hour for what in paid):
        return None
    per_hour = sum(listed.per_hour[what] * many for what, many in paid.items())
    amount = per_hour * (ended_at - started_at).total_seconds() / 3600
    said = f"{amount:.2f}" if amount >= LEAST else f"less than {LEAST}"
    return RunCost(
        f"{said} {listed.currency}",
        f"client machine, S3 sink and data streams, {per_hour:.3f} {listed.currency} per hour whether or not a run "
        f"goes on, by list prices of {listed.region}, {listed.as_of}; without brokers, requests, storage and "
        "Databricks",
    )


def _standing(settings: Settings) -> dict[str, float]:
    """What is paid for by the hour, and how many of it."""
    streams = float(len(ENTITIES))
    provisioned = settings.kinesis.is_provisioned
    balancer = {"elb:network": 1.0} if settings.exposure == "vpc_link" else {}
    return balancer | {
        f"ec2:{settings.kafka_client.instance_type}": 1.0,
        "ec2:disk_gib": float(DISK_GIB),
        "ec2:public_address": 1.0,
        "msk_connect:mcu": float(settings.s3_sink.workers * settings.s3_sink.mcus),
        "kinesis:shard" if provisioned else "kinesis:on_demand": streams
        * (settings.kinesis.shards if provisioned else 1),
    }

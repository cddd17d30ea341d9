"""The private way to the REST proxy: an internal Network Load Balancer, as requests to Elastic Load Balancing.

A VPC link of a REST API leads to it, and it leads to the client machine, by the id of its instance: a machine that is
stopped and started again is still the target.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from include.aws.ownership import as_pairs

CROSS_ZONE = "load_balancing.cross_zone.enabled"
"""The machine is in one zone, and a VPC link may enter in any."""

IN_PROGRESS = ("initial", "draining")
HEALTHY = "healthy"

WHAT_TO_DO = {
    "Target.FailedHealthChecks": "nothing answers there: see ~/kafka-rest/kafka-rest.log on the client machine, and "
    "let the port in from the load balancer's security group, or from the VPC if it has none",
    "Target.Timeout": "nothing answers there: let the port in from the load balancer's security group, or from the VPC "
    "if it has none",
    "Target.InvalidState": "the instance is stopped: start it, or run pinterest_pipeline",
    "Target.NotInUse": "no listener of a load balancer leads to the target group, or the instance is in a zone that "
    "the load balancer is not in: run pinterest_pipeline",
    "Target.NotRegistered": "run pinterest_pipeline, which registers the client machine",
}
"""By reason for which a target is not healthy."""


def load_balancer_request(
    name: str, subnets: Sequence[str], security_group: str, tags: Mapping[str, str]
) -> dict[str, Any]:
    """The arguments of ``CreateLoadBalancer``."""
    return {
        "Name": name,
        "Type": "network",
        "Scheme": "internal",
        "Subnets": [*subnets],
        **({"SecurityGroups": [security_group]} if security_group else {}),
        "Tags": as_pairs(tags),
    }


def target_group_request(name: str, vpc_id: str, port: int, tags: Mapping[str, str]) -> dict[str, Any]:
    """The arguments of ``CreateTargetGroup``. A target is healthy once its port has taken two connections."""
    return {
        "Name": name,
        "Protocol": "TCP",
        "Port": port,
        "VpcId": vpc_id,
        "TargetType": "instance",
        "HealthCheckProtocol": "TCP",
        "HealthCheckIntervalSeconds": 10,
        "HealthyThresholdCount": 2,
        "UnhealthyThresholdCount": 2,
        "Tags": as_pairs(tags),
    }


def listener_request(load_balancer: str, target_group: str, port: int, tags: Mapping[str, str]) -> dict[str, Any]:
    """The arguments of ``CreateListener``."""
    return {
        "LoadBalancerArn": load_balancer,
        "Protocol": "TCP",
        "Port": port,
        "DefaultActions": forward(target_group),
        "Tags": as_pairs(tags),
    }


def forward(target_group: str) -> list[dict[str, Any]]:
    return [{"Type": "forward", "TargetGroupArn": target_group}]


def zone_subnets(subnets: Iterable[Mapping[str, Any]], machine: str) -> list[str]:
    """One subnet of each zone, as a load balancer wants them; in its own zone, the machine's."""
    by_zone: dict[str, str] = {}
    for subnet in sorted(subnets, key=lambda one: (one["SubnetId"] != machine, one["SubnetId"])):
        by_zone.setdefault(subnet["AvailabilityZone"], subnet["SubnetId"])
    return [by_zone[zone] for zone in sorted(by_zone)]


def problem(target: Mapping[str, Any] | None) -> str:
    """Why a target, as ``DescribeTargetHealth`` shows it, gets no requests, and what to do; empty if it gets them."""
    if target is None:
        return f"the client machine is not registered: {WHAT_TO_DO['Target.NotRegistered']}"
    health = target["TargetHealth"]
    if health["State"] == HEALTHY:
        return ""
    reason = str(health.get("Reason", ""))
    said = f"{health['State']} ({reason or 'no reason given'}{': ' if health.get('Description') else ''}"
    said += f"{health.get('Description', '')})"
    where = f"port {target['Target'].get('Port', '?')} of {target['Target']['Id']} is {said}"
    return f"{where}: {WHAT_TO_DO[reason]}" if reason in WHAT_TO_DO else where

"""Where VPC links lead: through the listeners of a Network Load Balancer to a target, which is this machine."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any


def read_links(gateway: Any, load_balancers: Any) -> dict[str, dict[int, int]]:
    """By the id of each AVAILABLE link: the target's port by the port of its load balancer.

    :param gateway: boto3's client for API Gateway
    :param load_balancers: its client for Elastic Load Balancing
    """
    links = gateway.get_vpc_links()["items"]
    return {
        link["id"]: dict(_ports(load_balancers, link["targetArns"][0]))
        for link in links
        if link["status"] == "AVAILABLE"
    }


def _ports(load_balancers: Any, arn: str) -> Iterator[tuple[int, int]]:
    for listener in load_balancers.describe_listeners(LoadBalancerArn=arn)["Listeners"]:
        group = listener["DefaultActions"][0]["TargetGroupArn"]
        for target in load_balancers.describe_target_health(TargetGroupArn=group)["TargetHealthDescriptions"]:
            yield listener["Port"], target["Target"]["Port"]

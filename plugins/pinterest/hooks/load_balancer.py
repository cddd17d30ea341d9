"""Elastic Load Balancing (Network Load Balancers): found by name, and the health of a target."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from botocore.exceptions import ClientError

from include.aws.ownership import Tags, as_tags
from pinterest.hooks.aws import AwsBaseHook

type Described = dict[str, Any]

LOAD_BALANCER_STATUS = ["LoadBalancers[0].State.Code", "LoadBalancers[0].State.Reason"]


class LoadBalancerHook(AwsBaseHook):
    """Thin wrapper around ``boto3.client("elbv2")``, with waiters of ours (``waiters/elbv2.json``)."""

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        kwargs["client_type"] = "elbv2"
        super().__init__(*args, **kwargs)

    @property
    def waiter_path(self) -> Path:
        return Path(__file__).parents[1] / "waiters" / "elbv2.json"

    def find_load_balancer(self, name: str) -> Described | None:
        try:
            return dict(self.conn.describe_load_balancers(Names=[name])["LoadBalancers"][0])
        except ClientError as error:
            if error.response["Error"]["Code"] != "LoadBalancerNotFound":
                raise
            return None

    def find_target_group(self, name: str) -> Described | None:
        try:
            return dict(self.conn.describe_target_groups(Names=[name])["TargetGroups"][0])
        except ClientError as error:
            if error.response["Error"]["Code"] != "TargetGroupNotFound":
                raise
            return None

    def find_listener(self, load_balancer: str, port: int) -> Described | None:
        """The listener of a load balancer on this port."""
        pages = self.conn.get_paginator("describe_listeners").paginate(LoadBalancerArn=load_balancer)
        return next((dict(one) for page in pages for one in page["Listeners"] if one["Port"] == port), None)

    def attributes(self, load_balancer: str) -> dict[str, str]:
        found = self.conn.describe_load_balancer_attributes(LoadBalancerArn=load_balancer)["Attributes"]
        return {one["Key"]: one["Value"] for one in found}

    def tags(self, arn: str) -> Tags:
        [found] = self.conn.describe_tags(ResourceArns=[arn])["TagDescriptions"]
        return as_tags(found.get("Tags"))

    def targets(self, target_group: str) -> list[Described]:
        """The targets of a group with their health, without those that are being taken out."""
        found = self.conn.describe_target_health(TargetGroupArn=target_group)["TargetHealthDescriptions"]
        return [dict(one) for one in found if one["TargetHealth"]["State"] != "draining"]

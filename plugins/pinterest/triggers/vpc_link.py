"""Deferred waits on the way from API Gateway to the REST proxy."""

from __future__ import annotations

from typing import Any

from airflow.providers.amazon.aws.triggers.base import AwsBaseWaiterTrigger

from pinterest.hooks.api_gateway import VPC_LINK_STATUS, ApiGatewayHook
from pinterest.hooks.load_balancer import LOAD_BALANCER_STATUS, LoadBalancerHook


class LoadBalancerActiveTrigger(AwsBaseWaiterTrigger):
    """Fires when a load balancer is active, or when it cannot become so. The event says whether we made it.

    :param made: whether this task made the load balancer, and has to delete it if it cannot be used
    """

    def __init__(self, *, arn: str, made: bool, waiter_delay: int, waiter_max_attempts: int, **aws: Any) -> None:
        super().__init__(
            serialized_fields={"arn": arn, "made": made},
            waiter_name="load_balancer_active",
            waiter_args={"LoadBalancerArns": [arn]},
            failure_message=f"Load balancer {arn} does not become active",
            status_message="Load balancer",
            status_queries=LOAD_BALANCER_STATUS,
            return_key="load_balancer",
            return_value={"arn": arn, "made": made},
            waiter_delay=waiter_delay,
            waiter_max_attempts=waiter_max_attempts,
            **aws,
        )

    def hook(self) -> LoadBalancerHook:
        return LoadBalancerHook(
            aws_conn_id=self.aws_conn_id, region_name=self.region_name, verify=self.verify, config=self.botocore_config
        )


class VpcLinkAvailableTrigger(AwsBaseWaiterTrigger):
    """Fires when a VPC link is AVAILABLE, or when it cannot become so. The event says whether we made it.

    :param made: whether this task made the link, and has to delete it if it cannot be used
    """

    def __init__(self, *, link_id: str, made: bool, waiter_delay: int, waiter_max_attempts: int, **aws: Any) -> None:
        super().__init__(
            serialized_fields={"link_id": link_id, "made": made},
            waiter_name="vpc_link_available",
            waiter_args={"vpcLinkId": link_id},
            failure_message=f"VPC link {link_id} does not become available",
            status_message="VPC link",
            status_queries=VPC_LINK_STATUS,
            return_key="vpc_link",
            return_value={"link_id": link_id, "made": made},
            waiter_delay=waiter_delay,
            waiter_max_attempts=waiter_max_attempts,
            **aws,
        )

    def hook(self) -> ApiGatewayHook:
        return ApiGatewayHook(
            aws_conn_id=self.aws_conn_id, region_name=self.region_name, verify=self.verify, config=self.botocore_config
        )

"""Deferred waits on EC2."""

from __future__ import annotations

from typing import Any

from airflow.providers.amazon.aws.triggers.base import AwsBaseWaiterTrigger

from pinterest.hooks.ec2 import INSTANCE_STATUS, Ec2AccountHook, console_request


class InstanceOkTrigger(AwsBaseWaiterTrigger):
    """Fires when an instance runs and has passed EC2's checks, or when it ends. The event says whether we launched it.

    :param launched: whether this task launched the instance, and has to terminate it if it cannot be used
    """

    def __init__(
        self, *, instance_id: str, launched: bool, waiter_delay: int, waiter_max_attempts: int, **aws: Any
    ) -> None:
        super().__init__(
            serialized_fields={"instance_id": instance_id, "launched": launched},
            waiter_name="instance_ok",
            waiter_args={"InstanceIds": [instance_id], "IncludeAllInstances": True},
            failure_message=f"Instance {instance_id} will not run",
            status_message=f"Instance {instance_id}",
            status_queries=INSTANCE_STATUS,
            return_key="instance",
            return_value={"instance_id": instance_id, "launched": launched},
            waiter_delay=waiter_delay,
            waiter_max_attempts=waiter_max_attempts,
            **aws,
        )

    def hook(self) -> Ec2AccountHook:
        return Ec2AccountHook(
            aws_conn_id=self.aws_conn_id, region_name=self.region_name, verify=self.verify, config=self.botocore_config
        )


class HostKeysPrintedTrigger(AwsBaseWaiterTrigger):
    """Fires when an instance has printed its SSH host keys to its console."""

    def __init__(
        self, *, instance_id: str, latest: bool, waiter_delay: int, waiter_max_attempts: int, **aws: Any
    ) -> None:
        super().__init__(
            serialized_fields={"instance_id": instance_id, "latest": latest},
            waiter_name="host_keys_printed",
            waiter_args=console_request(instance_id, latest),
            failure_message=f"The console of instance {instance_id} cannot be read",
            status_message=f"Console of instance {instance_id}, as of",
            status_queries=["Timestamp"],
            return_key="instance_id",
            return_value=instance_id,
            waiter_delay=waiter_delay,
            waiter_max_attempts=waiter_max_attempts,
            **aws,
        )

    def hook(self) -> Ec2AccountHook:
        return Ec2AccountHook(
            aws_conn_id=self.aws_conn_id, region_name=self.region_name, verify=self.verify, config=self.botocore_config
        )

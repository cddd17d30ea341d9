"""Deferred waits on MSK Connect."""

from __future__ import annotations

from typing import Any

from airflow.providers.amazon.aws.triggers.base import AwsBaseWaiterTrigger

from pinterest.hooks.msk_connect import CONNECTOR_STATUS, OPERATION_STATUS, MskConnectHook


class MskConnectConnectorRunningTrigger(AwsBaseWaiterTrigger):
    """Fires when a connector is RUNNING, or when it can no longer become so."""

    def __init__(self, *, connector_arn: str, waiter_delay: int, waiter_max_attempts: int, **aws: Any) -> None:
        super().__init__(
            serialized_fields={"connector_arn": connector_arn},
            waiter_name="connector_running",
            waiter_args={"connectorArn": connector_arn},
            failure_message=f"Connector {connector_arn} cannot run",
            status_message="Connector",
            status_queries=CONNECTOR_STATUS,
            return_key="connector_arn",
            return_value=connector_arn,
            waiter_delay=waiter_delay,
            waiter_max_attempts=waiter_max_attempts,
            **aws,
        )

    def hook(self) -> MskConnectHook:
        return MskConnectHook(
            aws_conn_id=self.aws_conn_id, region_name=self.region_name, verify=self.verify, config=self.botocore_config
        )


class MskConnectOperationTrigger(AwsBaseWaiterTrigger):
    """Fires when the update of a connector is complete, or has been rolled back."""

    def __init__(
        self, *, connector_arn: str, operation_arn: str, waiter_delay: int, waiter_max_attempts: int, **aws: Any
    ) -> None:
        super().__init__(
            serialized_fields={"connector_arn": connector_arn, "operation_arn": operation_arn},
            waiter_name="operation_complete",
            waiter_args={"connectorOperationArn": operation_arn},
            failure_message=f"Connector {connector_arn}: the update failed",
            status_message="Update of the connector",
            status_queries=OPERATION_STATUS,
            return_key="update",
            return_value={"connector_arn": connector_arn, "operation_arn": operation_arn},
            waiter_delay=waiter_delay,
            waiter_max_attempts=waiter_max_attempts,
            **aws,
        )

    def hook(self) -> MskConnectHook:
        return MskConnectHook(
            aws_conn_id=self.aws_conn_id, region_name=self.region_name, verify=self.verify, config=self.botocore_config
        )

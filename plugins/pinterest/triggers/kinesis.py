"""Deferred waits on Kinesis."""

from __future__ import annotations

from typing import Any

from airflow.providers.amazon.aws.triggers.base import AwsBaseWaiterTrigger

from pinterest.hooks.kinesis import KinesisStreamHook

STREAM_STATUS = ["StreamDescriptionSummary.StreamStatus"]


class KinesisStreamActiveTrigger(AwsBaseWaiterTrigger):
    """Fires when a data stream is ACTIVE, or when it can no longer become so."""

    def __init__(self, *, stream_name: str, waiter_delay: int, waiter_max_attempts: int, **aws: Any) -> None:
        super().__init__(
            serialized_fields={"stream_name": stream_name},
            waiter_name="stream_active",
            waiter_args={"StreamName": stream_name},
            failure_message=f"Data stream {stream_name} cannot become ACTIVE",
            status_message=f"Data stream {stream_name}",
            status_queries=STREAM_STATUS,
            return_key="stream_name",
            return_value=stream_name,
            waiter_delay=waiter_delay,
            waiter_max_attempts=waiter_max_attempts,
            **aws,
        )

    def hook(self) -> KinesisStreamHook:
        return KinesisStreamHook(
            aws_conn_id=self.aws_conn_id, region_name=self.region_name, verify=self.verify, config=self.botocore_config
        )

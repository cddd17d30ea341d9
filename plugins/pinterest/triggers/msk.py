"""Deferred waits on MSK."""

from __future__ import annotations

from typing import Any

from airflow.providers.amazon.aws.triggers.base import AwsBaseWaiterTrigger

from pinterest.hooks.msk import CLUSTER_STATUS, MskHook


class MskClusterTrigger(AwsBaseWaiterTrigger):
    """Fires when a waiter on a cluster has succeeded, or can no longer. The event says whether we created the cluster.

    :param waiter: ``cluster_active`` or ``cluster_deleted``
    :param created: whether this task created the cluster, and has to delete it if it cannot be used
    """

    def __init__(
        self,
        *,
        cluster_arn: str,
        waiter: str,
        created: bool,
        waiter_delay: int,
        waiter_max_attempts: int,
        **aws: Any,
    ) -> None:
        super().__init__(
            serialized_fields={"cluster_arn": cluster_arn, "waiter": waiter, "created": created},
            waiter_name=waiter,
            waiter_args={"ClusterArn": cluster_arn},
            failure_message=f"MSK cluster {cluster_arn}: {waiter} will not happen",
            status_message=f"MSK cluster {cluster_arn}",
            status_queries=CLUSTER_STATUS,
            return_key="cluster",
            return_value={"cluster_arn": cluster_arn, "created": created},
            waiter_delay=waiter_delay,
            waiter_max_attempts=waiter_max_attempts,
            **aws,
        )

    def hook(self) -> MskHook:
        return MskHook(
            aws_conn_id=self.aws_conn_id, region_name=self.region_name, verify=self.verify, config=self.botocore_config
        )

"""Operators for MSK."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from airflow.providers.amazon.aws.operators.base_aws import AwsBaseOperator
from airflow.providers.amazon.aws.utils.mixins import aws_template_fields
from airflow.providers.common.compat.sdk import Context

from pinterest.hooks.msk import Brokers, MskHook


class MskGetBrokersOperator(AwsBaseOperator[MskHook]):
    """Look up a cluster's brokers. Returns :class:`~pinterest.hooks.msk.Brokers`.

    :param cluster_name: name of the cluster (templated)
    :param authentication: ``iam`` or ``none``; chooses one of the cluster's listeners (templated)
    """

    aws_hook_class = MskHook
    template_fields: Sequence[str] = aws_template_fields("cluster_name", "authentication")

    def __init__(self, *, cluster_name: str, authentication: str, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.cluster_name = cluster_name
        self.authentication = authentication

    def execute(self, context: Context) -> Brokers:
        brokers = self.hook.brokers(self.cluster_name, "iam" if self.authentication == "iam" else "none")
        self.log.info("Brokers: %(bootstrap_servers)s, ZooKeeper: %(zookeeper)s", brokers)
        return brokers

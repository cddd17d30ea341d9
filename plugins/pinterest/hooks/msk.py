"""MSK (``kafka``): the cluster and the addresses of its brokers."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any, Literal, TypedDict

from include.aws.msk import READY, is_serverless, network_of, of_its_kind, state_of
from include.faults import LastingError
from pinterest.hooks.aws import AwsBaseHook

BOOTSTRAP = {"iam": "BootstrapBrokerStringSaslIam", "none": "BootstrapBrokerString"}
CLUSTER_STATUS = ["ClusterInfo.State", "ClusterInfo.StateInfo.Code", "ClusterInfo.StateInfo.Message"]


class MskError(RuntimeError):
    """The cluster is not ready."""


class MskSettingsError(LastingError, MskError):
    """The cluster is missing, or has no listener for the authentication mode."""


class Brokers(TypedDict):
    """Addresses are sorted: MSK returns them in any order. ``zookeeper`` is None if the cluster has none (KRaft).

    ``subnets`` and ``security_groups`` are those of the brokers. A ``serverless`` cluster decides itself how many
    copies of a record it keeps.
    """

    cluster_arn: str
    bootstrap_servers: str
    zookeeper: str | None
    subnets: list[str]
    security_groups: list[str]
    serverless: bool


class MskHook(AwsBaseHook):
    """Thin wrapper around ``boto3.client("kafka")``, with waiters of ours (``waiters/kafka.json``)."""

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        kwargs["client_type"] = "kafka"
        super().__init__(*args, **kwargs)

    @property
    def waiter_path(self) -> Path:
        return Path(__file__).parents[1] / "waiters" / "kafka.json"

    def find_cluster(self, name: str) -> dict[str, Any] | None:
        """The cluster with exactly this name, provisioned or serverless; None if there is none."""
        return next((one for one in self._clusters(name) if one["ClusterName"] == name), None)

    def brokers(self, cluster_name: str, authentication: Literal["iam", "none"]) -> Brokers:
        """Addresses for clients that authenticate with ``authentication``, and ZooKeeper's if the cluster has one."""
        cluster = self.find_cluster(cluster_name)
        if cluster is None:
            others = ", ".join(sorted(one["ClusterName"] for one in self._clusters(cluster_name))) or "none"
            raise MskSettingsError(
                f"No MSK cluster {cluster_name!r} in {self.conn_region_name}: set kafka.cluster_name, or "
                f"account.provision to have it created. Clusters that start with this name: {others}"
            )
        if cluster["State"] not in READY:
            raise MskError(f"MSK cluster {cluster_name!r} is {state_of(cluster)}, not ACTIVE")
        answer = self.conn.get_bootstrap_brokers(ClusterArn=cluster["ClusterArn"])
        servers = answer.get(BOOTSTRAP[authentication])
        if not servers:
            offered = ", ".join(sorted(k for k in answer if k.startswith("BootstrapBroker"))) or "no addresses"
            raise MskSettingsError(
                f"MSK cluster {cluster_name!r} has no {BOOTSTRAP[authentication]} (kafka.authentication is "
                f"{authentication!r}); it offers {offered}"
            )
        network = network_of(cluster)
        return {
            "cluster_arn": cluster["ClusterArn"],
            "bootstrap_servers": in_order(servers),
            "zookeeper": in_order(of_its_kind(cluster).get("ZookeeperConnectString") or "") or None,
            "subnets": network.subnets,
            "security_groups": network.security_groups,
            "serverless": is_serverless(cluster),
        }

    def describe(self, cluster_arn: str) -> dict[str, Any] | None:
        """The cluster, or None if it is gone."""
        try:
            return dict(self.conn.describe_cluster_v2(ClusterArn=cluster_arn)["ClusterInfo"])
        except self.conn.exceptions.NotFoundException:
            return None

    def _clusters(self, name: str) -> Iterator[dict[str, Any]]:
        """Clusters whose names begin so, which is how the service itself matches."""
        for page in self.conn.get_paginator("list_clusters_v2").paginate(ClusterNameFilter=name):
            yield from page["ClusterInfoList"]


def in_order(addresses: str) -> str:
    return ",".join(sorted(address.strip() for address in addresses.split(",") if address.strip()))

"""MSK (``kafka``): the cluster and the addresses of its brokers."""

from __future__ import annotations

from typing import Any, Literal, TypedDict

from airflow.providers.amazon.aws.hooks.base_aws import AwsBaseHook

from include.faults import LastingError

BOOTSTRAP = {"iam": "BootstrapBrokerStringSaslIam", "none": "BootstrapBrokerString"}


class MskError(RuntimeError):
    """The cluster is not ready."""


class MskSettingsError(LastingError, MskError):
    """The cluster is missing, or has no listener for the authentication mode."""


class Brokers(TypedDict):
    """Addresses are sorted: MSK returns them in any order. ``zookeeper`` is None if the cluster has none (KRaft).

    ``subnets`` and ``security_groups`` are those of the brokers.
    """

    cluster_arn: str
    bootstrap_servers: str
    zookeeper: str | None
    subnets: list[str]
    security_groups: list[str]


class MskHook(AwsBaseHook):
    """Thin wrapper around ``boto3.client("kafka")``."""

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        kwargs["client_type"] = "kafka"
        super().__init__(*args, **kwargs)

    def find_cluster(self, name: str) -> dict[str, Any]:
        """The provisioned cluster with exactly this name; the service itself matches by prefix."""
        pages = self.conn.get_paginator("list_clusters").paginate(ClusterNameFilter=name)
        clusters = [c for page in pages for c in page["ClusterInfoList"]]
        for cluster in clusters:
            if cluster["ClusterName"] == name:
                return dict(cluster)
        others = ", ".join(sorted(c["ClusterName"] for c in clusters)) or "none"
        raise MskSettingsError(
            f"No MSK cluster {name!r} in {self.conn_region_name}: set kafka.cluster_name. "
            f"Clusters that start with this name: {others}"
        )

    def brokers(self, cluster_name: str, authentication: Literal["iam", "none"]) -> Brokers:
        """Addresses for clients that authenticate with ``authentication``, and ZooKeeper's if the cluster has one."""
        cluster = self.find_cluster(cluster_name)
        if cluster["State"] not in ("ACTIVE", "UPDATING", "HEALING", "MAINTENANCE", "REBOOTING_BROKER"):
            raise MskError(f"MSK cluster {cluster_name!r} is {cluster['State']}, not ACTIVE")
        answer = self.conn.get_bootstrap_brokers(ClusterArn=cluster["ClusterArn"])
        servers = answer.get(BOOTSTRAP[authentication])
        if not servers:
            offered = ", ".join(sorted(k for k in answer if k.startswith("BootstrapBroker"))) or "no addresses"
            raise MskSettingsError(
                f"MSK cluster {cluster_name!r} has no {BOOTSTRAP[authentication]} (kafka.authentication is "
                f"{authentication!r}); it offers {offered}"
            )
        network = cluster.get("BrokerNodeGroupInfo", {})
        return {
            "cluster_arn": cluster["ClusterArn"],
            "bootstrap_servers": in_order(servers),
            "zookeeper": in_order(cluster.get("ZookeeperConnectString") or "") or None,
            "subnets": list(network.get("ClientSubnets", [])),
            "security_groups": list(network.get("SecurityGroups", [])),
        }


def in_order(addresses: str) -> str:
    return ",".join(sorted(address.strip() for address in addresses.split(",") if address.strip()))

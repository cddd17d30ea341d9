"""MSK clusters: how one is created, in which subnets, and what a provisioned and a serverless one have in common."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any, NamedTuple

from include.aws.ownership import given

READY = ("ACTIVE", "UPDATING", "HEALING", "MAINTENANCE", "REBOOTING_BROKER")
"""States in which clients reach the brokers."""

NO_BROKERS_IN = "use1-az3"
"""The zone, by its id, in which MSK has no brokers."""

KIND = {"PROVISIONED": "Provisioned", "SERVERLESS": "Serverless"}
"""The field with what only clusters of a type have."""


class BrokerNetwork(NamedTuple):
    """Where the brokers are: ids of subnets and security groups."""

    subnets: list[str]
    security_groups: list[str]


def zones_for(brokers: int) -> int:
    """In how many zones so many brokers stand: MSK wants as many in each, and two or three zones."""
    return 3 if brokers % 3 == 0 else 2


def broker_subnets(subnets: Iterable[Mapping[str, Any]], brokers: int) -> list[str]:
    """Ids of subnets for a new cluster, one in each zone. There are fewer than :func:`zones_for` if zones are lacking.

    :param subnets: as EC2 describes them
    """
    by_zone: dict[str, str] = {}
    for subnet in sorted(subnets, key=lambda one: (one["AvailabilityZone"], one["SubnetId"])):
        if subnet.get("AvailabilityZoneId") != NO_BROKERS_IN:
            by_zone.setdefault(subnet["AvailabilityZone"], subnet["SubnetId"])
    return list(by_zone.values())[: zones_for(brokers)]


def create_request(
    *,
    name: str,
    kafka_version: str,
    instance_type: str,
    brokers: int,
    storage_gib: int,
    subnets: Sequence[str],
    security_groups: Sequence[str],
    authentication: str,
    tags: Mapping[str, str],
) -> dict[str, Any]:
    """The arguments of ``CreateClusterV2``. Disks are encrypted, and so is what brokers say to each other.

    :param authentication: ``iam``: clients log in with it, over TLS only; ``none``: anybody may, also in plain text
    """
    iam = authentication == "iam"
    return {
        "ClusterName": name,
        "Tags": given(tags),
        "Provisioned": {
            "KafkaVersion": kafka_version,
            "NumberOfBrokerNodes": brokers,
            "BrokerNodeGroupInfo": {
                "InstanceType": instance_type,
                "ClientSubnets": [*subnets],
                "SecurityGroups": [*security_groups],
                "StorageInfo": {"EbsStorageInfo": {"VolumeSize": storage_gib}},
            },
            "ClientAuthentication": {"Sasl": {"Iam": {"Enabled": iam}}, "Unauthenticated": {"Enabled": not iam}},
            "EncryptionInfo": {
                "EncryptionInTransit": {"ClientBroker": "TLS" if iam else "TLS_PLAINTEXT", "InCluster": True}
            },
        },
    }


def of_its_kind(cluster: Mapping[str, Any]) -> dict[str, Any]:
    """What only clusters of this one's type have, as ``ListClustersV2`` lists it."""
    return dict(cluster.get(KIND.get(cluster.get("ClusterType", ""), "Provisioned")) or {})


def is_serverless(cluster: Mapping[str, Any]) -> bool:
    return cluster.get("ClusterType") == "SERVERLESS"


def network_of(cluster: Mapping[str, Any]) -> BrokerNetwork:
    """Where a cluster's brokers are, or where a serverless one can be reached."""
    own = of_its_kind(cluster)
    if is_serverless(cluster):
        places = own.get("VpcConfigs", [])
        return BrokerNetwork(
            [subnet for place in places for subnet in place.get("SubnetIds", [])],
            [group for place in places for group in place.get("SecurityGroupIds", [])],
        )
    nodes = own.get("BrokerNodeGroupInfo", {})
    return BrokerNetwork([*nodes.get("ClientSubnets", [])], [*nodes.get("SecurityGroups", [])])


def priced(instance_type: str, brokers: int, storage_gib: int) -> dict[str, float]:
    """What is paid for a provisioned cluster, see :class:`~include.aws.plan.Resource`."""
    return {f"msk:{instance_type}": float(brokers), "msk:storage_gib": float(brokers * storage_gib)}


def priced_as_found(cluster: Mapping[str, Any]) -> dict[str, float]:
    """The same for a cluster that is there, of either type."""
    if is_serverless(cluster):
        return {"msk:serverless": 1.0}
    own = of_its_kind(cluster)
    nodes = own.get("BrokerNodeGroupInfo", {})
    storage = nodes.get("StorageInfo", {}).get("EbsStorageInfo", {}).get("VolumeSize", 0)
    return priced(nodes.get("InstanceType", ""), own.get("NumberOfBrokerNodes", 1), storage)


def state_of(cluster: Mapping[str, Any]) -> str:
    """The state of a cluster in the service's own words."""
    reason = cluster.get("StateInfo") or {}
    return " ".join(str(word) for word in (cluster["State"], reason.get("Code"), reason.get("Message")) if word)


def differences(cluster: Mapping[str, Any], request: Mapping[str, Any]) -> list[str]:
    """What a provisioned cluster has otherwise than a new one would have, in words. Subnets are not compared."""
    found, wanted = of_its_kind(cluster), request["Provisioned"]
    nodes, asked = found.get("BrokerNodeGroupInfo", {}), wanted["BrokerNodeGroupInfo"]
    pairs = {
        "brokers": (found.get("NumberOfBrokerNodes"), wanted["NumberOfBrokerNodes"]),
        "instance_type": (nodes.get("InstanceType"), asked["InstanceType"]),
        "storage_gib": (
            nodes.get("StorageInfo", {}).get("EbsStorageInfo", {}).get("VolumeSize"),
            asked["StorageInfo"]["EbsStorageInfo"]["VolumeSize"],
        ),
    }
    return [f"{name} {has}, not {wants}" for name, (has, wants) in pairs.items() if has not in (None, wants)]

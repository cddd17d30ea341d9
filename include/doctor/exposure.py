"""What of the pipeline the whole Internet could reach: security groups' rules, the bucket, the brokers."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from typing import Any

from include.aws.network import SSH_PORT, ways_in_for_all
from include.doctor.remark import Finding

BLOCKS = ("BlockPublicAcls", "IgnorePublicAcls", "BlockPublicPolicy", "RestrictPublicBuckets")


def of_groups(groups: Iterable[Mapping[str, Any]], listeners: Mapping[int, str]) -> Iterator[Finding]:
    """Rules of security groups, as EC2 describes them, that let everybody in.

    :param listeners: what listens on a port, besides SSH
    """
    for group in groups:
        for way in ways_in_for_all(group.get("IpPermissions", []), {SSH_PORT: "SSH", **listeners}):
            yield Finding(
                f"security group {group['GroupName']} ({group['GroupId']}) lets everybody in: {way}",
                "remove the rule, or narrow it to the addresses or the security group that need it",
            )


def of_bucket(name: str, block: Mapping[str, bool] | None, *, policy_is_public: bool) -> Iterator[Finding]:
    """The bucket, by its public access block (None: it has none) and the status of its policy."""
    off = [setting for setting in BLOCKS if not (block or {}).get(setting)]
    if off:
        yield Finding(
            f"bucket {name} may be made public: {', '.join(off)} " + ("is off" if len(off) == 1 else "are off"),
            f"aws s3api put-public-access-block --bucket {name} --public-access-block-configuration "
            + ",".join(f"{setting}=true" for setting in BLOCKS),
        )
    if policy_is_public:
        yield Finding(f"bucket {name} is public by its policy", "remove the statement that lets everybody in")


def of_cluster(name: str, brokers: Mapping[str, Any]) -> Iterator[Finding]:
    """The MSK cluster, by its ``BrokerNodeGroupInfo``."""
    access = brokers.get("ConnectivityInfo", {}).get("PublicAccess", {}).get("Type", "DISABLED")
    if access != "DISABLED":
        yield Finding(
            f"MSK cluster {name}: its brokers have public addresses ({access})",
            "turn public access off in the cluster's networking settings: nothing of the pipeline needs it",
        )

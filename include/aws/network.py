"""The network of the client machine and the brokers: which subnet, which rules, and what a security group lacks."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from ipaddress import ip_network
from typing import Any, NamedTuple

from include.settings import WIDEST_PREFIX

SSH_PORT = 22
DESCRIPTIONS = {
    "client": "Kafka client machine of pinterest-pipeline",
    "brokers": "Kafka brokers and the S3 sink of pinterest-pipeline",
    "proxy_callers": "What calls the REST proxy of pinterest-pipeline",
}
"""The three security groups, and what EC2 shows beside their names."""


class Rule(NamedTuple):
    """One way in: TCP to a port, from a block of addresses or from a security group."""

    port: int
    source: str

    def __str__(self) -> str:
        return f"TCP {self.port} from {self.source}"


def wanted_rules(
    groups: Mapping[str, str], *, ssh_from: Sequence[str], proxy_port: int, broker_port: int, own_broker: bool = False
) -> dict[str, list[Rule]]:
    """The ways into each group, by its part in :data:`DESCRIPTIONS`. Nothing else needs to get in.

    :param groups: the groups' ids, by the same parts
    :param own_broker: whether the client machine is the broker, which the S3 sink's workers reach
    """
    to_broker = [Rule(broker_port, groups["brokers"])] if own_broker else []
    to_client = [*(Rule(SSH_PORT, source) for source in ssh_from), Rule(proxy_port, groups["proxy_callers"])]
    return {
        "client": [*to_client, *to_broker],
        "brokers": [Rule(broker_port, groups["client"]), Rule(broker_port, groups["brokers"])],
        "proxy_callers": [],
    }


def missing_rules(wanted: Iterable[Rule], found: Sequence[Mapping[str, Any]]) -> list[Rule]:
    """Rules that no permission of a group allows, given its ``IpPermissions``."""
    return [rule for rule in wanted if not any(_allows(permission, rule) for permission in found)]


def other_rules(wanted: Sequence[Rule], found: Sequence[Mapping[str, Any]]) -> list[str]:
    """What else gets into a group, in words; a list of prefixes is named by its id."""
    return [
        f"{_ports(permission)} from {source}"
        for permission in found
        for source in _sources(permission)
        if not any(rule.source == source and _only(permission, rule.port) for rule in wanted)
    ]


def permissions(rules: Iterable[Rule]) -> list[dict[str, Any]]:
    """``IpPermissions`` of ``AuthorizeSecurityGroupIngress``."""
    return [{"IpProtocol": "tcp", "FromPort": rule.port, "ToPort": rule.port, **_source(rule)} for rule in rules]


def lets_somebody_in(found: Sequence[Mapping[str, Any]], port: int) -> bool:
    """Whether a group with these ``IpPermissions`` opens a port to anybody."""
    return any(_opens(permission, port) and _sources(permission) for permission in found)


def ways_in_for_all(found: Sequence[Mapping[str, Any]], listeners: Mapping[int, str]) -> list[str]:
    """The ways into a group that are open to the whole Internet, or to much of it, in words.

    :param found: its ``IpPermissions``
    :param listeners: what listens on a port
    """
    said = []
    for permission in found:
        behind = ", ".join(what for port, what in listeners.items() if _opens(permission, port))
        wide = [source for source in _sources(permission) if is_wide(source)]
        said += [f"{_ports(permission)} from {source}" + (f" ({behind})" if behind else "") for source in wide]
    return said


def is_wide(source: str) -> bool:
    """Whether a rule's source is a block of more addresses than the settings would take."""
    if "/" not in source:
        return False
    block = ip_network(source)
    return block.prefixlen < WIDEST_PREFIX[block.version]


def launch_subnets(subnets: Iterable[Mapping[str, Any]], zones: Iterable[str] | None = None) -> list[Mapping[str, Any]]:
    """Subnets for an instance, the best first: with public addresses, then by zone.

    :param zones: availability zones that have the instance's type; None if any will do
    """
    offered = None if zones is None else set(zones)
    usable = [subnet for subnet in subnets if offered is None or subnet["AvailabilityZone"] in offered]
    return sorted(
        usable, key=lambda one: (not one.get("MapPublicIpOnLaunch"), one["AvailabilityZone"], one["SubnetId"])
    )


def endpoint_service(region: str) -> str:
    """The service that a VPC's gateway endpoint for S3 leads to."""
    return f"com.amazonaws.{region}.s3"


def _source(rule: Rule) -> dict[str, Any]:
    if rule.source.startswith("sg-"):
        return {"UserIdGroupPairs": [{"GroupId": rule.source}]}
    if ip_network(rule.source).version == 6:
        return {"Ipv6Ranges": [{"CidrIpv6": rule.source}]}
    return {"IpRanges": [{"CidrIp": rule.source}]}


def _sources(permission: Mapping[str, Any]) -> list[str]:
    return [
        *(pair["GroupId"] for pair in permission.get("UserIdGroupPairs", [])),
        *(block["CidrIp"] for block in permission.get("IpRanges", [])),
        *(block["CidrIpv6"] for block in permission.get("Ipv6Ranges", [])),
        *(prefixes["PrefixListId"] for prefixes in permission.get("PrefixListIds", [])),
    ]


def _allows(permission: Mapping[str, Any], rule: Rule) -> bool:
    """Whether a permission is the rule's, or a wider one of the same source."""
    return rule.source in _sources(permission) and _opens(permission, rule.port)


def _opens(permission: Mapping[str, Any], port: int) -> bool:
    if permission["IpProtocol"] == "-1":
        return True
    return permission["IpProtocol"] == "tcp" and port in range(permission["FromPort"], permission["ToPort"] + 1)


def _only(permission: Mapping[str, Any], port: int) -> bool:
    return permission["IpProtocol"] == "tcp" and (permission["FromPort"], permission["ToPort"]) == (port, port)


def _ports(permission: Mapping[str, Any]) -> str:
    if permission["IpProtocol"] == "-1":
        return "everything"
    first, last = permission.get("FromPort"), permission.get("ToPort")
    return f"{permission['IpProtocol'].upper()} {first if first == last else f'{first}-{last}'}"

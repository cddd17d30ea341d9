"""What of ours an account may hold: each kind of resource is one entry of ``KINDS``.

A resource is looked at if it has our tags, or if its name contains the user id; it is ours if it has our tags
(:mod:`include.aws.ownership`). What only has such a name was made by somebody else: it is listed, and never deleted.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, NamedTuple

import jmespath

from include.aws.ownership import Tags, as_tags, expires_at, is_ours

KEY_PAIR_PARAMETERS = "/ec2/keypair/"
"""Where the private keys of key pairs are kept; EC2 names them after the pair's id."""


class TagCall(NamedTuple):
    """The call that returns the tags of one resource, for services whose lists do not hold them.

    :param arguments: ``{id}`` and ``{name}`` stand for the resource's
    :param path: JMESPath of the tags in the answer
    :param missing: error codes that mean that it has no tags
    """

    operation: str
    arguments: Mapping[str, Any]
    path: str
    missing: frozenset[str] = frozenset()

    def asking(self, identifier: str, name: str) -> dict[str, Any]:
        return {key: _filled(value, identifier, name) for key, value in self.arguments.items()}


@dataclass(frozen=True)
class Kind:
    """A kind of resource, and how to find those that may be ours.

    :param name: what messages call it
    :param service: boto3's name of the service
    :param operation: lists all of them, page by page
    :param items: JMESPath of the resources in a page
    :param identifier: JMESPath of a resource's id
    :param label: JMESPath of its name
    :param tags: JMESPath of its tags in the list, or the call that returns them
    :param bills: what it costs; empty if nothing
    :param loses: which data goes with it; empty if none
    :param gone: JMESPath that is true of a resource that only the list still knows
    :param prefix: names that begin so may be ours, too, though they do not contain the user id
    """

    name: str
    service: str
    operation: str
    items: str
    identifier: str
    label: str
    tags: str | TagCall
    bills: str = ""
    loses: str = ""
    gone: str = ""
    prefix: str = field(default="")

    def in_page(self, page: Mapping[str, Any]) -> list[dict[str, Any]]:
        found = jmespath.search(self.items, page) or []
        return [item for item in found if not (self.gone and jmespath.search(self.gone, item))]

    def identifier_of(self, item: Mapping[str, Any]) -> str:
        return str(jmespath.search(self.identifier, item))

    def name_of(self, item: Mapping[str, Any]) -> str:
        return str(jmespath.search(self.label, item) or self.identifier_of(item))

    def listed_tags(self, item: Mapping[str, Any]) -> Tags:
        """The tags that the list itself holds."""
        return as_tags(jmespath.search(self.tags, item)) if isinstance(self.tags, str) else {}

    def may_be_ours(self, item: Mapping[str, Any], user_id: str) -> bool:
        """Whether it has our tags, as far as the list says, or such a name."""
        name = self.name_of(item)
        named = user_id in name or bool(self.prefix and name.startswith(self.prefix))
        return named or is_ours(self.listed_tags(item), user_id)


class Found(NamedTuple):
    """A resource of an account. ``item`` is what its service lists of it."""

    kind: str
    name: str
    identifier: str
    tags: Tags
    ours: bool
    item: dict[str, Any]

    @classmethod
    def of(cls, kind: Kind, item: dict[str, Any], tags: Tags, user_id: str) -> Found:
        return cls(kind.name, kind.name_of(item), kind.identifier_of(item), tags, is_ours(tags, user_id), item)

    @property
    def expires_at(self) -> datetime | None:
        return expires_at(self.tags)

    def __str__(self) -> str:
        return f"{self.kind} {self.name}" + (f" ({self.identifier})" if self.identifier != self.name else "")


NAME_TAG = "Tags[?Key=='Name'] | [0].Value"
NO_TAGS = frozenset({"NoSuchTagSet"})

OF_MSK_CONNECT = TagCall("list_tags_for_resource", {"resourceArn": "{id}"}, "tags")
OF_LOAD_BALANCING = TagCall("describe_tags", {"ResourceArns": ["{id}"]}, "TagDescriptions[0].Tags")
OF_PARAMETERS = TagCall("list_tags_for_resource", {"ResourceType": "Parameter", "ResourceId": "{name}"}, "TagList")

_REQUESTS = "its requests"

KINDS: dict[str, Kind] = {
    kind.name: kind
    for kind in (
        Kind(
            "connector",
            "kafkaconnect",
            "list_connectors",
            "connectors",
            "connectorArn",
            "connectorName",
            OF_MSK_CONNECT,
            bills="its capacity, by the hour",
        ),
        Kind(
            "custom plugin",
            "kafkaconnect",
            "list_custom_plugins",
            "customPlugins",
            "customPluginArn",
            "name",
            OF_MSK_CONNECT,
        ),
        Kind(
            "worker configuration",
            "kafkaconnect",
            "list_worker_configurations",
            "workerConfigurations",
            "workerConfigurationArn",
            "name",
            OF_MSK_CONNECT,
        ),
        Kind("usage plan", "apigateway", "get_usage_plans", "items", "id", "name", "tags"),
        Kind("API key", "apigateway", "get_api_keys", "items", "id", "name", "tags"),
        Kind("REST API", "apigateway", "get_rest_apis", "items", "id", "name", "tags", bills=_REQUESTS),
        Kind("VPC link of REST APIs", "apigateway", "get_vpc_links", "items", "id", "name", "tags"),
        Kind("VPC link", "apigatewayv2", "get_vpc_links", "Items", "VpcLinkId", "Name", "Tags"),
        Kind(
            "load balancer",
            "elbv2",
            "describe_load_balancers",
            "LoadBalancers",
            "LoadBalancerArn",
            "LoadBalancerName",
            OF_LOAD_BALANCING,
            bills="by the hour",
        ),
        Kind(
            "target group",
            "elbv2",
            "describe_target_groups",
            "TargetGroups",
            "TargetGroupArn",
            "TargetGroupName",
            OF_LOAD_BALANCING,
        ),
        Kind(
            "data stream",
            "kinesis",
            "list_streams",
            "StreamSummaries",
            "StreamARN",
            "StreamName",
            TagCall("list_tags_for_stream", {"StreamName": "{name}"}, "Tags"),
            bills="its shards, by the hour",
            loses="the records that it still keeps",
        ),
        Kind(
            "MSK cluster",
            "kafka",
            "list_clusters_v2",
            "ClusterInfoList",
            "ClusterArn",
            "ClusterName",
            "Tags",
            bills="its brokers, by the hour, and their storage",
            loses="all topics",
        ),
        Kind(
            "instance",
            "ec2",
            "describe_instances",
            "Reservations[].Instances[]",
            "InstanceId",
            NAME_TAG,
            "Tags",
            bills="by the hour",
            gone="contains(['shutting-down', 'terminated'], State.Name)",
        ),
        Kind(
            "volume",
            "ec2",
            "describe_volumes",
            "Volumes",
            "VolumeId",
            NAME_TAG,
            "Tags",
            bills="its size, by the month",
        ),
        Kind("Elastic IP", "ec2", "describe_addresses", "Addresses", "AllocationId", NAME_TAG, "Tags", "by the hour"),
        Kind(
            "network interface",
            "ec2",
            "describe_network_interfaces",
            "NetworkInterfaces",
            "NetworkInterfaceId",
            "Description",
            "TagSet",
        ),
        Kind("security group", "ec2", "describe_security_groups", "SecurityGroups", "GroupId", "GroupName", "Tags"),
        Kind(
            "VPC endpoint",
            "ec2",
            "describe_vpc_endpoints",
            "VpcEndpoints",
            "VpcEndpointId",
            NAME_TAG,
            "Tags",
            bills="by the hour, unless it is a gateway",
            gone="contains(['deleting', 'deleted'], State)",
        ),
        Kind("key pair", "ec2", "describe_key_pairs", "KeyPairs", "KeyPairId", "KeyName", "Tags"),
        Kind(
            "role",
            "iam",
            "list_roles",
            "Roles",
            "Arn",
            "RoleName",
            TagCall("list_role_tags", {"RoleName": "{name}"}, "Tags"),
        ),
        Kind(
            "instance profile",
            "iam",
            "list_instance_profiles",
            "InstanceProfiles",
            "Arn",
            "InstanceProfileName",
            TagCall("list_instance_profile_tags", {"InstanceProfileName": "{name}"}, "Tags"),
        ),
        Kind(
            "parameter",
            "ssm",
            "describe_parameters",
            "Parameters",
            "Name",
            "Name",
            OF_PARAMETERS,
            prefix=KEY_PAIR_PARAMETERS,
        ),
        Kind("secret", "secretsmanager", "list_secrets", "SecretList", "ARN", "Name", "Tags", bills="by the month"),
        Kind(
            "log group",
            "logs",
            "describe_log_groups",
            "logGroups",
            "logGroupArn",
            "logGroupName",
            TagCall("list_tags_for_resource", {"resourceArn": "{id}"}, "tags"),
            bills="what it stores, by the month",
            loses="the logs",
        ),
        Kind(
            "bucket",
            "s3",
            "list_buckets",
            "Buckets",
            "Name",
            "Name",
            TagCall("get_bucket_tagging", {"Bucket": "{name}"}, "TagSet", NO_TAGS),
            bills="what it stores, by the month",
            loses="all objects",
        ),
    )
}
"""By name. A kind that the pipeline begins to make needs an entry here, and one in ``removal.REMOVALS``."""


def table(found: Iterable[tuple[Found, str]]) -> str:
    """Resources, each with a remark, as text in columns."""
    rows = [(one.kind, one.name, one.identifier, remark) for one, remark in found]
    if not rows:
        return "  nothing"
    widths = [max(len(row[column]) for row in rows) for column in range(3)]
    return "\n".join(
        f"  {kind:{widths[0]}}  {name:{widths[1]}}  {identifier:{widths[2]}}  {remark}"
        for kind, name, identifier, remark in rows
    )


def _filled(value: Any, identifier: str, name: str) -> Any:
    if isinstance(value, list):
        return [_filled(one, identifier, name) for one in value]
    return {"{id}": identifier, "{name}": name}.get(value, value)

"""How one resource of ours is removed: the calls, in order.

A removal is a generator: it yields a :class:`Call`, and is sent the answer. A call whose resource is gone is answered
with nothing, so a removal that broke off anywhere can be begun anew.
"""

from __future__ import annotations

from collections.abc import Callable, Generator
from typing import Any, NamedTuple

from include.aws.inventory import Found

GONE = frozenset(
    {
        "NotFoundException",
        "ResourceNotFoundException",
        "NoSuchEntity",
        "NoSuchBucket",
        "ParameterNotFound",
        "InvalidResourceId",
        "LoadBalancerNotFound",
        "TargetGroupNotFound",
        "InvalidInstanceID.NotFound",
        "InvalidGroup.NotFound",
        "InvalidPermission.NotFound",
        "InvalidKeyPair.NotFound",
        "InvalidVpcEndpointId.NotFound",
    }
)
"""Codes with which services say that there is no such resource (any more)."""


class Call(NamedTuple):
    operation: str
    arguments: dict[str, Any]


class Waiter(NamedTuple):
    """A waiter that succeeds when the resource is gone. ``status`` is the JMESPath of its state until then."""

    name: str
    arguments: dict[str, Any]
    status: str


type Removal = Generator[Call, dict[str, Any]]


def usage_plan(found: Found) -> Removal:
    """API Gateway deletes no plan that still has stages."""
    for stage in found.item.get("apiStages", []):
        patch = {"op": "remove", "path": "/apiStages", "value": f"{stage['apiId']}:{stage['stage']}"}
        yield Call("update_usage_plan", {"usagePlanId": found.identifier, "patchOperations": [patch]})
    yield Call("delete_usage_plan", {"usagePlanId": found.identifier})


def api_key(found: Found) -> Removal:
    yield Call("delete_api_key", {"apiKey": found.identifier})


def rest_api(found: Found) -> Removal:
    yield Call("delete_rest_api", {"restApiId": found.identifier})


def parameter(found: Found) -> Removal:
    yield Call("delete_parameter", {"Name": found.name})


def role(found: Found) -> Removal:
    """IAM deletes no role that still has policies."""
    attached = yield Call("list_attached_role_policies", {"RoleName": found.name})
    for policy in attached.get("AttachedPolicies", []):
        yield Call("detach_role_policy", {"RoleName": found.name, "PolicyArn": policy["PolicyArn"]})
    inline = yield Call("list_role_policies", {"RoleName": found.name})
    for name in inline.get("PolicyNames", []):
        yield Call("delete_role_policy", {"RoleName": found.name, "PolicyName": name})
    yield Call("delete_role", {"RoleName": found.name})


def connector(found: Found) -> Removal:
    if found.item.get("connectorState") != "DELETING":
        yield Call("delete_connector", {"connectorArn": found.identifier})


def custom_plugin(found: Found) -> Removal:
    if found.item.get("customPluginState") != "DELETING":
        yield Call("delete_custom_plugin", {"customPluginArn": found.identifier})


def worker_configuration(found: Found) -> Removal:
    if found.item.get("workerConfigurationState") != "DELETING":
        yield Call("delete_worker_configuration", {"workerConfigurationArn": found.identifier})


def log_group(found: Found) -> Removal:
    yield Call("delete_log_group", {"logGroupName": found.name})


def data_stream(found: Found) -> Removal:
    """Consumers of the data stream go with it."""
    if found.item.get("StreamStatus") != "DELETING":
        yield Call("delete_stream", {"StreamName": found.name, "EnforceConsumerDeletion": True})


def vpc_link(found: Found) -> Removal:
    if found.item.get("status") != "DELETING":
        yield Call("delete_vpc_link", {"vpcLinkId": found.identifier})


def load_balancer(found: Found) -> Removal:
    """Its listeners go with it. For some minutes after a VPC link to it is gone, AWS refuses: it is in use."""
    yield Call("delete_load_balancer", {"LoadBalancerArn": found.identifier})


def target_group(found: Found) -> Removal:
    yield Call("delete_target_group", {"TargetGroupArn": found.identifier})


def msk_cluster(found: Found) -> Removal:
    """All topics go with it. MSK deletes none that is still being created."""
    if found.item.get("State") != "DELETING":
        yield Call("delete_cluster", {"ClusterArn": found.identifier})


def instance(found: Found) -> Removal:
    """Its volume and network interface go with it."""
    yield Call("terminate_instances", {"InstanceIds": [found.identifier]})


def instance_profile(found: Found) -> Removal:
    """IAM deletes no instance profile that still has a role."""
    for one in found.item.get("Roles", []):
        arguments = {"InstanceProfileName": found.name, "RoleName": one["RoleName"]}
        yield Call("remove_role_from_instance_profile", arguments)
    yield Call("delete_instance_profile", {"InstanceProfileName": found.name})


def key_pair(found: Found) -> Removal:
    yield Call("delete_key_pair", {"KeyPairId": found.identifier})


def vpc_endpoint(found: Found) -> Removal:
    yield Call("delete_vpc_endpoints", {"VpcEndpointIds": [found.identifier]})


def rules_of_security_group(found: Found) -> Removal:
    """EC2 deletes no security group that a rule of another one names."""
    if rules := found.item.get("IpPermissions"):
        yield Call("revoke_security_group_ingress", {"GroupId": found.identifier, "IpPermissions": rules})


def security_group(found: Found) -> Removal:
    yield Call("delete_security_group", {"GroupId": found.identifier})


def bucket(found: Found) -> Removal:
    """S3 deletes no bucket that holds an object."""
    yield Call("delete_bucket", {"Bucket": found.name})


REMOVALS: dict[str, Callable[[Found], Removal]] = {
    "usage plan": usage_plan,
    "API key": api_key,
    "REST API": rest_api,
    "parameter": parameter,
    "role": role,
    "connector": connector,
    "custom plugin": custom_plugin,
    "worker configuration": worker_configuration,
    "log group": log_group,
    "data stream": data_stream,
    "VPC link of REST APIs": vpc_link,
    "load balancer": load_balancer,
    "target group": target_group,
    "MSK cluster": msk_cluster,
    "instance": instance,
    "instance profile": instance_profile,
    "key pair": key_pair,
    "VPC endpoint": vpc_endpoint,
    "security group": security_group,
    "bucket": bucket,
}
"""By kind. What the pipeline makes must be here; any other kind is only listed."""


PREPARATIONS: dict[str, Callable[[Found], Removal]] = {"security group": rules_of_security_group}
"""By kind: what is done for all that are to be removed, before the first one is."""


def until_gone(found: Found) -> Waiter | None:
    """What to wait for after a removal; None for kinds that are gone at once."""
    match found.kind:
        case "connector":
            return Waiter("connector_deleted", {"connectorArn": found.identifier}, "connectorState")
        case "custom plugin":
            return Waiter("custom_plugin_deleted", {"customPluginArn": found.identifier}, "customPluginState")
        case "worker configuration":
            arguments = {"workerConfigurationArn": found.identifier}
            return Waiter("worker_configuration_deleted", arguments, "workerConfigurationState")
        case "VPC link of REST APIs":
            return Waiter("vpc_link_deleted", {"vpcLinkId": found.identifier}, "status")
        case "load balancer":
            status = "LoadBalancers[0].State.Code"
            return Waiter("load_balancer_deleted", {"LoadBalancerArns": [found.identifier]}, status)
        case "MSK cluster":
            return Waiter("cluster_deleted", {"ClusterArn": found.identifier}, "ClusterInfo.State")
        case "instance":
            status = "Reservations[].Instances[].State.Name | [0]"
            return Waiter("instance_terminated", {"InstanceIds": [found.identifier]}, status)
        case "data stream":
            return Waiter("stream_deleted", {"StreamName": found.name}, "StreamDescriptionSummary.StreamStatus")
    return None


STAGES: dict[str, tuple[str, ...]] = {
    "rest_api": (
        *("usage plan", "API key", "parameter", "REST API", "role"),
        *("VPC link of REST APIs", "load balancer", "target group"),
    ),
    "s3_sink": ("connector", "custom plugin", "worker configuration", "log group", "role"),
    "data_streams": ("data stream",),
    "kafka_client": ("instance", "instance profile", "role", "key pair", "parameter"),
    "kafka": ("MSK cluster",),
    "network": ("VPC endpoint", "security group"),
    "bucket": ("bucket",),
}
"""By stage that makes them: kinds in the order in which they are removed."""

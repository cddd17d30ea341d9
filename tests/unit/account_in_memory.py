"""An AWS account in memory, behind real boto3 clients: botocore checks each request and answer by the service's model.

Resources refuse to be deleted while others use them, as AWS' do, and some are DELETING for a while.
"""

from __future__ import annotations

import io
import json
from collections.abc import Callable
from functools import cache
from types import SimpleNamespace
from typing import Any

import boto3
from botocore.config import Config
from botocore.model import OperationModel
from botocore.response import StreamingBody
from botocore.validate import ParamValidator

from tests.builders import BUCKET, USER_ID

OURS = {"project": "pinterest-pipeline", "user_id": USER_ID}
READS = ("Get", "List", "Describe", "Head")
ACCOUNT_ID = "123456789012"
ROLE_ARN = f"arn:aws:sts::{ACCOUNT_ID}:assumed-role/airflow/worker"
KINESIS_ROLE = f"{USER_ID}-kinesis-access-role"
PARAMETER = f"/pinterest/{USER_ID}/api-key"


class Killed(BaseException):
    """The process ends here."""


class Refused(Exception):
    """An error of AWS with this code."""

    def __init__(self, code: str, message: str = "no") -> None:
        super().__init__(message)
        self.code = code


def remember(params: dict[str, Any], context: dict[str, Any], **_: Any) -> None:
    """The arguments as the caller gives them."""
    context["given"] = params


def arn(service: str, name: str) -> str:
    return f"arn:aws:{service}:us-east-1:{ACCOUNT_ID}:{name}"


def pairs(tags: dict[str, str]) -> list[dict[str, str]]:
    return [{"Key": key, "Value": value} for key, value in tags.items()]


@cache
def _client(service: str) -> Any:
    """Made once: reading a service's model takes longer than a test."""
    keys = {"aws_access_key_id": "a", "aws_secret_access_key": "b"}
    config = Config(retries={"total_max_attempts": 1}, user_agent="tests")  # botocore's own takes long
    client = boto3.client(service, region_name="us-east-1", config=config, **keys)
    client.meta.events.register("before-parameter-build", remember)
    return client


class Account:
    """What ``provisioned`` makes, and what a test adds. ``calls`` has the operations in order; ``writes`` those that
    change something. ``die_before`` is the number of changes after which the process is killed; ``denied`` are
    operations that the caller may not use."""

    def __init__(self) -> None:
        self.calls: list[str] = []
        self.writes: list[str] = []
        self.die_before: int | None = None
        self.denied: set[str] = set()
        self.listed: dict[str, list[dict[str, Any]]] = {}
        self.tags: dict[str, dict[str, str]] = {}
        self.policies: dict[str, list[str]] = {}
        self.objects: dict[str, bytes] = {}
        self.rules: list[dict[str, Any]] = []

    def client(self, service: str) -> Any:
        """A client of this account, until another account gives out one for the service."""
        made = _client(service)
        made.meta.events.unregister("before-call", unique_id="account")
        made.meta.events.register("before-call", self._answer, unique_id="account")
        return made

    def add(self, kind: str, name: str, tags: dict[str, str] | None = None, **more: Any) -> dict[str, Any]:
        """A resource of a kind; its tags are in the list, or asked for by name or ARN, as its service has it."""
        make = MADE[kind]
        item, key = make(name, tags or {})
        self.tags[key] = tags or {}
        self.listed.setdefault(kind, []).append(item | more)
        return item

    def named(self, kind: str) -> list[str]:
        names = ("name", "connectorName", "StreamName", "RoleName", "Name", "GroupName", "KeyName")
        return [next(item[key] for key in names if key in item) for item in self.listed.get(kind, [])]

    def _answer(self, model: OperationModel, context: dict[str, Any], **_: Any) -> tuple[Any, dict[str, Any]]:
        service, name = model.service_model.service_name, model.name
        self.calls.append(f"{service}:{name}")
        if not name.startswith(READS):
            if self.die_before is not None and len(self.writes) >= self.die_before:
                raise Killed
            self.writes.append(f"{service}:{name}")
        try:
            if name in self.denied:
                raise Refused("AccessDeniedException", f"User is not authorized to perform: {service}:{name}")
            answer = self._do(service, name, context["given"])
        except Refused as error:
            body = {"Error": {"Code": error.code, "Message": str(error)}, "ResponseMetadata": {}}
            return SimpleNamespace(status_code=400), body
        if model.output_shape is not None:
            problems = ParamValidator().validate(answer, model.output_shape)
            assert not problems.has_errors(), problems.generate_report()
        return SimpleNamespace(status_code=200), {**answer, "ResponseMetadata": {}}

    def _do(self, service: str, name: str, given: dict[str, Any]) -> dict[str, Any]:
        handler: Callable[..., dict[str, Any]] | None = getattr(self, f"{service}_{name}", None)
        if handler is not None:
            return handler(**given)
        return LISTS[service, name](self)

    def remove(self, kind: str, key: str, value: str, missing: str) -> dict[str, Any]:
        found = [item for item in self.listed.get(kind, []) if item[key] == value]
        if not found:
            raise Refused(missing)
        self.listed[kind].remove(found[0])
        return {}

    def begin_to_delete(self, kind: str, key: str, value: str, state: str, missing: str) -> dict[str, Any]:
        found = [item for item in self.listed.get(kind, []) if item[key] == value]
        if not found:
            raise Refused(missing)
        found[0][state] = "DELETING"
        return {}

    def describe(self, kind: str, key: str, value: str, state: str, missing: str) -> dict[str, Any]:
        """The resource. One that is being deleted is seen so once, and then it is gone."""
        found = [item for item in self.listed.get(kind, []) if item[key] == value]
        if not found:
            raise Refused(missing)
        if found[0].get(state) == "DELETING":
            self.listed[kind].remove(found[0])
        return found[0]

    # API Gateway

    def apigateway_UpdateUsagePlan(self, usagePlanId: str, patchOperations: list[dict[str, str]]) -> dict[str, Any]:
        [plan] = [plan for plan in self.listed["usage plan"] if plan["id"] == usagePlanId]
        removed = {patch["value"] for patch in patchOperations if patch["op"] == "remove"}
        plan["apiStages"] = [one for one in plan["apiStages"] if f"{one['apiId']}:{one['stage']}" not in removed]
        return {}

    def apigateway_DeleteUsagePlan(self, usagePlanId: str) -> dict[str, Any]:
        if any(plan["id"] == usagePlanId and plan.get("apiStages") for plan in self.listed.get("usage plan", [])):
            raise Refused("BadRequestException", "there are API stages associated with it")
        return self.remove("usage plan", "id", usagePlanId, "NotFoundException")

    def apigateway_DeleteApiKey(self, apiKey: str) -> dict[str, Any]:
        return self.remove("API key", "id", apiKey, "NotFoundException")

    def apigateway_DeleteRestApi(self, restApiId: str) -> dict[str, Any]:
        return self.remove("REST API", "id", restApiId, "NotFoundException")

    def apigateway_DeleteVpcLink(self, vpcLinkId: str) -> dict[str, Any]:
        if self.listed.get("REST API"):
            raise Refused("BadRequestException", f"Cannot delete vpc link. Vpc link '{vpcLinkId}', is referenced in")
        return self.begin_to_delete("VPC link of REST APIs", "id", vpcLinkId, "status", "NotFoundException")

    def apigateway_GetVpcLink(self, vpcLinkId: str) -> dict[str, Any]:
        return self.describe("VPC link of REST APIs", "id", vpcLinkId, "status", "NotFoundException")

    # Elastic Load Balancing

    def elbv2_DeleteLoadBalancer(self, LoadBalancerArn: str) -> dict[str, Any]:
        if self.listed.get("VPC link of REST APIs"):
            raise Refused("ResourceInUse", "cannot be deleted because it is currently associated with another service")
        return self.remove("load balancer", "LoadBalancerArn", LoadBalancerArn, "LoadBalancerNotFound")

    def elbv2_DescribeLoadBalancers(self, LoadBalancerArns: list[str] | None = None, **_: Any) -> dict[str, Any]:
        found = self.listed.get("load balancer", [])
        if LoadBalancerArns and not any(one["LoadBalancerArn"] in LoadBalancerArns for one in found):
            raise Refused("LoadBalancerNotFound")
        return {"LoadBalancers": found}

    def elbv2_DeleteTargetGroup(self, TargetGroupArn: str) -> dict[str, Any]:
        if self.listed.get("load balancer"):
            raise Refused("ResourceInUse", "is currently in use by a listener or a rule")
        return self.remove("target group", "TargetGroupArn", TargetGroupArn, "TargetGroupNotFound")

    # IAM and Parameter Store

    def iam_ListRoleTags(self, RoleName: str) -> dict[str, Any]:
        return {"Tags": pairs(self.tags[RoleName])}

    def iam_ListInstanceProfileTags(self, InstanceProfileName: str) -> dict[str, Any]:
        return {"Tags": pairs(self.tags[InstanceProfileName])}

    def iam_ListAttachedRolePolicies(self, RoleName: str) -> dict[str, Any]:
        found = [one for one in self.policies.get(RoleName, []) if one.startswith("arn:")]
        return {"AttachedPolicies": [{"PolicyArn": one} for one in found]}

    def iam_ListRolePolicies(self, RoleName: str) -> dict[str, Any]:
        return {"PolicyNames": [one for one in self.policies.get(RoleName, []) if not one.startswith("arn:")]}

    def iam_DetachRolePolicy(self, RoleName: str, PolicyArn: str) -> dict[str, Any]:
        self.policies[RoleName].remove(PolicyArn)
        return {}

    def iam_DeleteRolePolicy(self, RoleName: str, PolicyName: str) -> dict[str, Any]:
        self.policies[RoleName].remove(PolicyName)
        return {}

    def iam_DeleteRole(self, RoleName: str) -> dict[str, Any]:
        if self.policies.get(RoleName):
            raise Refused("DeleteConflict", "must delete policies first")
        return self.remove("role", "RoleName", RoleName, "NoSuchEntity")

    def iam_RemoveRoleFromInstanceProfile(self, InstanceProfileName: str, RoleName: str) -> dict[str, Any]:
        for profile in self.listed["instance profile"]:
            profile["Roles"] = [one for one in profile["Roles"] if one["RoleName"] != RoleName]
        return {}

    def iam_DeleteInstanceProfile(self, InstanceProfileName: str) -> dict[str, Any]:
        if any(profile["Roles"] for profile in self.listed["instance profile"]):
            raise Refused("DeleteConflict", "must remove roles first")
        return self.remove("instance profile", "InstanceProfileName", InstanceProfileName, "NoSuchEntity")

    # EC2

    def ec2_TerminateInstances(self, InstanceIds: list[str]) -> dict[str, Any]:
        for one in self.listed.get("instance", []):
            if one["InstanceId"] in InstanceIds:
                one["State"] = {"Name": "terminated"}
        return {}

    def ec2_DescribeInstances(self, InstanceIds: list[str] | None = None) -> dict[str, Any]:
        found = [
            one for one in self.listed.get("instance", []) if one["InstanceId"] in (InstanceIds or [one["InstanceId"]])
        ]
        return {"Reservations": [{"Instances": found}]}

    def ec2_DeleteKeyPair(self, KeyPairId: str) -> dict[str, Any]:
        return self.remove("key pair", "KeyPairId", KeyPairId, "InvalidKeyPair.NotFound")

    def ec2_DeleteVpcEndpoints(self, VpcEndpointIds: list[str]) -> dict[str, Any]:
        for one in self.listed["VPC endpoint"]:
            if one["VpcEndpointId"] in VpcEndpointIds:
                one["State"] = "deleting"
        return {}

    def ec2_RevokeSecurityGroupIngress(self, GroupId: str, IpPermissions: list[dict[str, Any]]) -> dict[str, Any]:
        [group] = [one for one in self.listed["security group"] if one["GroupId"] == GroupId]
        group["IpPermissions"] = [one for one in group["IpPermissions"] if one not in IpPermissions]
        return {}

    def ec2_DeleteSecurityGroup(self, GroupId: str) -> dict[str, Any]:
        rules = [rule for one in self.listed["security group"] for rule in one.get("IpPermissions", [])]
        if GroupId in {pair["GroupId"] for rule in rules for pair in rule["UserIdGroupPairs"]}:
            raise Refused("DependencyViolation", "has a dependent object")
        return self.remove("security group", "GroupId", GroupId, "InvalidGroup.NotFound")

    def ssm_ListTagsForResource(self, ResourceType: str, ResourceId: str) -> dict[str, Any]:
        assert ResourceType == "Parameter"
        return {"TagList": pairs(self.tags[ResourceId])}

    def ssm_DeleteParameter(self, Name: str) -> dict[str, Any]:
        return self.remove("parameter", "Name", Name, "ParameterNotFound")

    # MSK Connect

    def kafkaconnect_ListTagsForResource(self, resourceArn: str) -> dict[str, Any]:
        if resourceArn not in self.tags:
            raise Refused("NotFoundException")
        return {"tags": self.tags[resourceArn]}

    def kafkaconnect_DeleteConnector(self, connectorArn: str) -> dict[str, Any]:
        return self.begin_to_delete("connector", "connectorArn", connectorArn, "connectorState", "NotFoundException")

    def kafkaconnect_DescribeConnector(self, connectorArn: str) -> dict[str, Any]:
        return self.describe("connector", "connectorArn", connectorArn, "connectorState", "NotFoundException")

    def kafkaconnect_DeleteCustomPlugin(self, customPluginArn: str) -> dict[str, Any]:
        if self.listed.get("connector"):
            raise Refused("BadRequestException", "in use")
        key, state = "customPluginArn", "customPluginState"
        return self.begin_to_delete("custom plugin", key, customPluginArn, state, "NotFoundException")

    def kafkaconnect_DescribeCustomPlugin(self, customPluginArn: str) -> dict[str, Any]:
        key, state = "customPluginArn", "customPluginState"
        return self.describe("custom plugin", key, customPluginArn, state, "NotFoundException")

    def kafkaconnect_DeleteWorkerConfiguration(self, workerConfigurationArn: str) -> dict[str, Any]:
        if self.listed.get("connector"):
            raise Refused("BadRequestException", "in use")
        key, state = "workerConfigurationArn", "workerConfigurationState"
        return self.begin_to_delete("worker configuration", key, workerConfigurationArn, state, "NotFoundException")

    def kafkaconnect_DescribeWorkerConfiguration(self, workerConfigurationArn: str) -> dict[str, Any]:
        key, state = "workerConfigurationArn", "workerConfigurationState"
        return self.describe("worker configuration", key, workerConfigurationArn, state, "NotFoundException")

    # MSK

    def kafka_DeleteCluster(self, ClusterArn: str) -> dict[str, Any]:
        states = {one["ClusterArn"]: one["State"] for one in self.listed.get("MSK cluster", [])}
        if states.get(ClusterArn) == "CREATING":
            raise Refused("BadRequestException", "You can't delete cluster in CREATING state.")
        return self.begin_to_delete("MSK cluster", "ClusterArn", ClusterArn, "State", "NotFoundException")

    def kafka_DescribeClusterV2(self, ClusterArn: str) -> dict[str, Any]:
        return {"ClusterInfo": self.describe("MSK cluster", "ClusterArn", ClusterArn, "State", "NotFoundException")}

    # Kinesis

    def kinesis_ListTagsForStream(self, StreamName: str) -> dict[str, Any]:
        return {"Tags": pairs(self.tags[StreamName]), "HasMoreTags": False}

    def kinesis_DeleteStream(self, StreamName: str, EnforceConsumerDeletion: bool) -> dict[str, Any]:
        assert EnforceConsumerDeletion
        missing = "ResourceNotFoundException"
        return self.begin_to_delete("data stream", "StreamName", StreamName, "StreamStatus", missing)

    def kinesis_DescribeStreamSummary(self, StreamName: str) -> dict[str, Any]:
        missing = "ResourceNotFoundException"
        found = self.describe("data stream", "StreamName", StreamName, "StreamStatus", missing)
        more = {"RetentionPeriodHours": 24, "EnhancedMonitoring": [], "OpenShardCount": 1}
        return {"StreamDescriptionSummary": {**found, **more}}

    # other services

    def elbv2_DescribeTags(self, ResourceArns: list[str]) -> dict[str, Any]:
        return {"TagDescriptions": [{"ResourceArn": one, "Tags": pairs(self.tags[one])} for one in ResourceArns]}

    def logs_DeleteLogGroup(self, logGroupName: str) -> dict[str, Any]:
        return self.remove("log group", "logGroupName", logGroupName, "ResourceNotFoundException")

    def logs_ListTagsForResource(self, resourceArn: str) -> dict[str, Any]:
        return {"tags": self.tags[resourceArn]}

    def sts_GetCallerIdentity(self) -> dict[str, Any]:
        return {"Arn": ROLE_ARN}

    # S3

    def s3_GetBucketTagging(self, Bucket: str) -> dict[str, Any]:
        if not self.tags[Bucket]:
            raise Refused("NoSuchTagSet")
        return {"TagSet": pairs(self.tags[Bucket])}

    def s3_DeleteBucket(self, Bucket: str) -> dict[str, Any]:
        if self.objects:
            raise Refused("BucketNotEmpty", "The bucket you tried to delete is not empty")
        return self.remove("bucket", "Name", Bucket, "NoSuchBucket")

    def s3_GetObject(self, Bucket: str, Key: str, **_: Any) -> dict[str, Any]:
        self.bucket_must_be_there()
        if Key not in self.objects:
            raise Refused("NoSuchKey")
        content = self.objects[Key]
        return {"Body": StreamingBody(io.BytesIO(content), len(content))}

    def s3_PutObject(self, Bucket: str, Key: str, Body: bytes, **_: Any) -> dict[str, Any]:
        self.objects[Key] = Body if isinstance(Body, bytes) else Body.read()
        return {}

    def s3_ListObjectVersions(self, Bucket: str, Prefix: str, **_: Any) -> dict[str, Any]:
        self.bucket_must_be_there()
        found = [key for key in sorted(self.objects) if key.startswith(Prefix)]
        return {"Versions": [{"Key": key, "VersionId": "1"} for key in found], "IsTruncated": False}

    def s3_ListObjectsV2(self, Bucket: str, **_: Any) -> dict[str, Any]:
        self.bucket_must_be_there()
        return {"Contents": [{"Key": key} for key in sorted(self.objects)]}

    def s3_DeleteObjects(self, Bucket: str, Delete: dict[str, Any], **_: Any) -> dict[str, Any]:
        for one in Delete["Objects"]:
            self.objects.pop(one["Key"], None)
        return {}

    def s3_GetBucketLifecycleConfiguration(self, Bucket: str) -> dict[str, Any]:
        self.bucket_must_be_there()
        if not self.rules:
            raise Refused("NoSuchLifecycleConfiguration")
        return {"Rules": self.rules}

    def s3_PutBucketLifecycleConfiguration(self, Bucket: str, LifecycleConfiguration: Any, **_: Any) -> dict[str, Any]:
        self.rules = LifecycleConfiguration["Rules"]
        return {}

    def s3_DeleteBucketLifecycle(self, Bucket: str) -> dict[str, Any]:
        self.rules = []
        return {}

    def bucket_must_be_there(self) -> None:
        if BUCKET not in self.named("bucket"):
            raise Refused("NoSuchBucket")


def _by_arn(service: str, folder: str, key: str, name_key: str, **more: Any) -> Callable[..., Any]:
    def make(name: str, _: dict[str, str]) -> tuple[dict[str, Any], str]:
        identifier = arn(service, f"{folder}/{name}/1")
        return {key: identifier, name_key: name, **more}, identifier

    return make


def _in_list(key: str, name_key: str, tags_key: str = "tags") -> Callable[..., Any]:
    def make(name: str, tags: dict[str, str]) -> tuple[dict[str, Any], str]:
        return {key: f"id-of-{name}", name_key: name, tags_key: tags if tags_key == "tags" else pairs(tags)}, name

    return make


def _by_name(key: str, **more: Any) -> Callable[..., Any]:
    return lambda name, _: ({key: name, **more}, name)


def _tagged_name(key: str, **more: Any) -> Callable[..., Any]:
    def make(name: str, tags: dict[str, str]) -> tuple[dict[str, Any], str]:
        return {key: f"id-of-{name}", "Tags": pairs({"Name": name, **tags}), **more}, name

    return make


MADE: dict[str, Callable[..., tuple[dict[str, Any], str]]] = {
    "connector": _by_arn("kafkaconnect", "connector", "connectorArn", "connectorName", connectorState="RUNNING"),
    "custom plugin": _by_arn("kafkaconnect", "custom-plugin", "customPluginArn", "name", customPluginState="ACTIVE"),
    "worker configuration": _by_arn("kafkaconnect", "worker-configuration", "workerConfigurationArn", "name"),
    "usage plan": _in_list("id", "name"),
    "API key": _in_list("id", "name"),
    "REST API": _in_list("id", "name"),
    "VPC link of REST APIs": _in_list("id", "name"),
    "VPC link": lambda name, tags: ({"VpcLinkId": name, "Name": name, "Tags": tags, **NO_PLACE}, name),
    "load balancer": _by_arn("elasticloadbalancing", "loadbalancer", "LoadBalancerArn", "LoadBalancerName"),
    "target group": _by_arn("elasticloadbalancing", "targetgroup", "TargetGroupArn", "TargetGroupName"),
    "data stream": lambda name, _: ({"StreamName": name, "StreamARN": arn("kinesis", name), **ACTIVE}, name),
    "MSK cluster": lambda name, tags: (
        {"ClusterArn": arn("kafka", name), "ClusterName": name, "Tags": tags, "State": "ACTIVE"},
        name,
    ),
    "instance": _tagged_name("InstanceId", State={"Name": "running"}),
    "volume": _tagged_name("VolumeId"),
    "Elastic IP": _tagged_name("AllocationId"),
    "network interface": _in_list("NetworkInterfaceId", "Description", "TagSet"),
    "security group": _in_list("GroupId", "GroupName", "Tags"),
    "VPC endpoint": _tagged_name("VpcEndpointId", State="available"),
    "key pair": _in_list("KeyPairId", "KeyName", "Tags"),
    "role": lambda name, _: ({"RoleName": name, "Arn": arn("iam", name), **OF_IAM, "RoleId": "A" * 16}, name),
    "instance profile": lambda name, _: (
        {"InstanceProfileName": name, "Arn": arn("iam", name), **OF_IAM, "InstanceProfileId": "A" * 16, "Roles": []},
        name,
    ),
    "parameter": _by_name("Name"),
    "secret": lambda name, tags: ({"ARN": arn("secretsmanager", name), "Name": name, "Tags": pairs(tags)}, name),
    "log group": lambda name, _: ({"logGroupArn": arn("logs", name), "logGroupName": name}, arn("logs", name)),
    "bucket": _by_name("Name"),
}
NO_PLACE: dict[str, Any] = {"SecurityGroupIds": [], "SubnetIds": []}
ACTIVE = {"StreamStatus": "ACTIVE", "StreamCreationTimestamp": 0}
OF_IAM = {"Path": "/", "CreateDate": 0}


def _list(kind: str, key: str, wrap: Callable[[list[Any]], list[Any]] = list, **more: Any) -> Callable[[Account], Any]:
    return lambda account: {key: wrap(account.listed.get(kind, [])), **more}


LISTS: dict[tuple[str, str], Callable[[Account], dict[str, Any]]] = {
    ("kafkaconnect", "ListConnectors"): _list("connector", "connectors"),
    ("kafkaconnect", "ListCustomPlugins"): _list("custom plugin", "customPlugins"),
    ("kafkaconnect", "ListWorkerConfigurations"): _list("worker configuration", "workerConfigurations"),
    ("apigateway", "GetUsagePlans"): _list("usage plan", "items"),
    ("apigateway", "GetApiKeys"): _list("API key", "items"),
    ("apigateway", "GetRestApis"): _list("REST API", "items"),
    ("apigateway", "GetVpcLinks"): _list("VPC link of REST APIs", "items"),
    ("apigatewayv2", "GetVpcLinks"): _list("VPC link", "Items"),
    ("elbv2", "DescribeTargetGroups"): _list("target group", "TargetGroups"),
    ("kinesis", "ListStreams"): lambda account: {
        "StreamNames": account.named("data stream"),
        "StreamSummaries": account.listed.get("data stream", []),
        "HasMoreStreams": False,
    },
    ("kafka", "ListClustersV2"): _list("MSK cluster", "ClusterInfoList"),
    ("ec2", "DescribeVolumes"): _list("volume", "Volumes"),
    ("ec2", "DescribeAddresses"): _list("Elastic IP", "Addresses"),
    ("ec2", "DescribeNetworkInterfaces"): _list("network interface", "NetworkInterfaces"),
    ("ec2", "DescribeSecurityGroups"): _list("security group", "SecurityGroups"),
    ("ec2", "DescribeVpcEndpoints"): _list("VPC endpoint", "VpcEndpoints"),
    ("ec2", "DescribeKeyPairs"): _list("key pair", "KeyPairs"),
    ("iam", "ListRoles"): _list("role", "Roles", IsTruncated=False),
    ("iam", "ListInstanceProfiles"): _list("instance profile", "InstanceProfiles", IsTruncated=False),
    ("ssm", "DescribeParameters"): _list("parameter", "Parameters"),
    ("secretsmanager", "ListSecrets"): _list("secret", "SecretList"),
    ("logs", "DescribeLogGroups"): _list("log group", "logGroups"),
    ("s3", "ListBuckets"): _list("bucket", "Buckets"),
}


def provisioned(tags: dict[str, str] | None = None) -> Account:
    """What ``pinterest_pipeline`` makes, and the client machine, cluster and bucket that it finds."""
    account, ours = Account(), OURS | (tags or {})
    account.add("REST API", USER_ID, ours)
    stages = [{"apiId": f"id-of-{USER_ID}", "stage": "prod"}]
    account.add("usage plan", f"{USER_ID}-usage-plan", ours, apiStages=stages)
    account.add("API key", f"{USER_ID}-api-key", ours)
    account.add("parameter", PARAMETER, ours)
    account.add("role", KINESIS_ROLE, ours)
    account.policies[KINESIS_ROLE] = ["kinesis-streams", "arn:aws:iam::aws:policy/somebody-attached-it"]
    account.add("connector", f"{USER_ID}-connector", ours)
    account.add("custom plugin", f"{USER_ID}-plugin-abababababab", ours)
    account.add("worker configuration", f"{USER_ID}-worker-0123456789ab", ours)
    for entity in ("pin", "geo", "user"):
        account.add("data stream", f"streaming-{USER_ID}-{entity}", ours)
    account.add("instance", USER_ID)
    account.add("key pair", f"{USER_ID}-key-pair")
    account.add("MSK cluster", "pinterest-msk-cluster")
    account.add("bucket", BUCKET)
    account.add("role", f"{USER_ID}-ec2-access-role")
    account.add("role", "somebody-elses")
    return account


def with_machine(account: Account) -> Account:
    """The account with a client machine, a cluster and a network that are ours."""
    role = f"{USER_ID}-ec2-access-role"
    account.listed["role"] = [one for one in account.listed["role"] if one["RoleName"] != role]
    for kind in ("instance", "key pair", "MSK cluster"):
        account.listed[kind].clear()
    account.add("instance", USER_ID, OURS)
    account.add("MSK cluster", "pinterest-msk-cluster", OURS)
    account.add("key pair", f"{USER_ID}-key-pair", OURS)
    account.add("parameter", f"/ec2/keypair/id-of-{USER_ID}-key-pair", OURS)
    account.add("parameter", f"/pinterest/{USER_ID}/host-key/i-1", OURS)
    account.add("role", role, OURS)
    account.add("instance profile", role, OURS, Roles=[{**account.listed["role"][-1]}])
    account.add("role", f"{USER_ID}-s3-sink-role", OURS)
    for kind in ("VPC link of REST APIs", "load balancer", "target group"):
        account.add(kind, f"{USER_ID}-rest-proxy", OURS)
    account.add("log group", f"/aws/vendedlogs/pinterest/{USER_ID}-connector", OURS)
    account.add("VPC endpoint", f"{USER_ID}-s3", OURS)
    client, brokers = f"{USER_ID}-kafka-client", f"{USER_ID}-msk"
    account.add("security group", client, OURS)
    rule = {"IpProtocol": "tcp", "UserIdGroupPairs": [{"GroupId": f"id-of-{client}"}, {"GroupId": f"id-of-{brokers}"}]}
    account.add("security group", brokers, OURS, IpPermissions=[rule])
    return account


def checkpoints_document() -> bytes:
    stream = {"name": f"streaming-{USER_ID}-pin", "arn": "a", "created_at": "2026-01-01T00:00:00.000+00:00"}
    return json.dumps({"entities": {"pin": {"name": stream["name"], "data_stream": stream}}}).encode()

"""Who could reach the machine, the brokers and the bucket?"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from botocore.exceptions import ClientError

from include.doctor.exposure import of_bucket, of_cluster, of_groups
from include.doctor.remark import Finding, Later, Remark
from pinterest.doctor.account import Account
from pinterest.hooks.ec2 import Ec2AccountHook

NO_BUCKET = {"404", "NoSuchBucket"}


def groups(account: Account) -> Iterator[Remark]:
    """The rules of our security groups, and of the client machine's and the brokers'."""
    settings, ec2 = account.settings, account.client("ec2")
    machine = account.hook(Ec2AccountHook).find_client_machine(settings.user_id) or {}
    ids = {group["GroupId"] for group in machine.get("SecurityGroups", [])}
    cluster = _cluster(account)
    ids |= set(cluster.get("BrokerNodeGroupInfo", {}).get("SecurityGroups", []))
    names = [settings.client_group, settings.broker_group, settings.proxy_caller_group]
    found: dict[str, dict[str, Any]] = {}
    for filters in ([{"Name": "group-name", "Values": names}], [{"Name": "group-id", "Values": sorted(ids)}]):
        if filters[0]["Values"]:
            pages = ec2.get_paginator("describe_security_groups").paginate(Filters=filters)
            found |= {group["GroupId"]: group for page in pages for group in page["SecurityGroups"]}
    listeners = {settings.rest_proxy.port: "the REST proxy", settings.broker_port: "the brokers"}
    yield from of_groups(found.values(), listeners)
    yield from of_cluster(settings.kafka.cluster_name, cluster.get("BrokerNodeGroupInfo", {}))


def bucket(account: Account) -> Iterator[Remark]:
    """The bucket: there, ours to use, and closed."""
    name, s3 = account.settings.bucket, account.client("s3")
    try:
        s3.head_bucket(Bucket=name)
    except ClientError as error:
        code = error.response["Error"]["Code"]
        if code == "403":
            yield Finding(
                f"bucket {name} may not be used: it belongs to another account, or a permission is missing",
                "give the role the policy that `bin/policies airflow` prints, or choose another user_id",
            )
        elif code not in NO_BUCKET:
            raise
        elif account.settings.account.provision:
            yield Later(f"bucket {name}")
        else:
            yield Finding(f"bucket {name} is missing", "make it, or set account.provision")
        return
    yield from of_bucket(name, _block(s3, name), policy_is_public=_policy_is_public(s3, name))


def _block(s3: Any, name: str) -> dict[str, bool] | None:
    try:
        return dict(s3.get_public_access_block(Bucket=name)["PublicAccessBlockConfiguration"])
    except ClientError as error:
        if error.response["Error"]["Code"] != "NoSuchPublicAccessBlockConfiguration":
            raise
        return None


def _policy_is_public(s3: Any, name: str) -> bool:
    try:
        return bool(s3.get_bucket_policy_status(Bucket=name)["PolicyStatus"].get("IsPublic"))
    except ClientError as error:
        if error.response["Error"]["Code"] != "NoSuchBucketPolicy":
            raise
        return False


def _cluster(account: Account) -> dict[str, Any]:
    """The provisioned cluster, as MSK describes it; empty if there is none."""
    name = account.settings.kafka.cluster_name
    pages = account.client("kafka").get_paginator("list_clusters").paginate(ClusterNameFilter=name)
    found = [cluster for page in pages for cluster in page["ClusterInfoList"] if cluster["ClusterName"] == name]
    return dict(found[0]) if found else {}

"""Is there room for what a run, or an environment of MWAA, would make?"""

from __future__ import annotations

from collections.abc import Iterator

from botocore.exceptions import ClientError

from include.doctor.quotas import (
    BROKERS,
    DATA_STREAMS,
    ELASTIC_IPS,
    REST_APIS,
    SHARDS,
    VPCS,
    Quota,
    Room,
    findings,
)
from include.doctor.remark import Remark
from pinterest.doctor.account import Account
from pinterest.hooks.api_gateway import ApiGatewayHook
from pinterest.hooks.ec2 import Ec2AccountError, Ec2AccountHook
from pinterest.hooks.kinesis import KinesisStreamHook

NOT_APPLIED = "NoSuchResourceException"


def network_quotas(account: Account) -> Iterator[Remark]:
    """A VPC, and the address of its NAT gateway, where the settings' VPC is not there."""
    ec2 = account.client("ec2")
    try:
        account.hook(Ec2AccountHook).find_vpc(account.settings.network.vpc_id)
    except Ec2AccountError:
        missing = 1
    else:
        return
    vpcs = sum(len(page["Vpcs"]) for page in ec2.get_paginator("describe_vpcs").paginate())
    addresses = len(ec2.describe_addresses()["Addresses"])
    rooms = [
        Room(VPCS, _limit(account, VPCS), vpcs, missing),
        Room(ELASTIC_IPS, _limit(account, ELASTIC_IPS), addresses, missing),
    ]
    yield from findings(rooms, account.settings.region)


def broker_quotas(account: Account) -> Iterator[Remark]:
    """The brokers of a cluster that is not there yet."""
    kafka = account.settings.kafka
    if kafka.mode == "self_hosted":
        return
    pages = account.client("kafka").get_paginator("list_clusters_v2").paginate()
    clusters = [cluster for page in pages for cluster in page["ClusterInfoList"]]
    if any(cluster["ClusterName"] == kafka.cluster_name for cluster in clusters):
        return
    used = sum(cluster.get("Provisioned", {}).get("NumberOfBrokerNodes", 0) for cluster in clusters)
    room = Room(BROKERS, _limit(account, BROKERS), used, kafka.brokers)
    yield from findings([room], account.settings.region)


def rest_api_quotas(account: Account) -> Iterator[Remark]:
    """The REST API, if it is not there yet."""
    if account.hook(ApiGatewayHook).find_rest_api(account.settings.rest_api_name) is not None:
        return
    pages = account.client("apigateway").get_paginator("get_rest_apis").paginate()
    kinds = [kind for page in pages for api in page["items"] for kind in api["endpointConfiguration"]["types"]]
    yield from findings([Room(REST_APIS, REST_APIS.default, kinds.count("EDGE"), 1)], account.settings.region)


def shard_quotas(account: Account) -> Iterator[Remark]:
    """The data streams that are not there yet."""
    settings, hook = account.settings, account.hook(KinesisStreamHook)
    missing = sum(hook.find_stream(name) is None for name in settings.data_streams.values())
    if not missing:
        return
    limits = account.client("kinesis").describe_limits()
    if settings.kinesis.is_provisioned:
        room = Room(SHARDS, limits["ShardLimit"], limits["OpenShardCount"], missing * settings.kinesis.shards)
    else:
        room = Room(DATA_STREAMS, limits["OnDemandStreamCountLimit"], limits["OnDemandStreamCount"], missing)
    yield from findings([room], settings.region)


def _limit(account: Account, quota: Quota) -> int:
    """What applies to the account; what AWS gives every account, if nothing else was applied."""
    quotas = account.client("service-quotas")
    which = {"ServiceCode": quota.service, "QuotaCode": quota.code}
    try:
        found = quotas.get_service_quota(**which)
    except ClientError as error:
        if error.response["Error"]["Code"] != NOT_APPLIED:
            raise
        found = quotas.get_aws_default_service_quota(**which)
    return int(found["Quota"]["Value"])

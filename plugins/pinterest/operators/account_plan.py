"""The operator that says what a run would find and make in the account."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from airflow.providers.common.compat.sdk import BaseOperator, Context
from botocore.exceptions import ClientError

from include.aws import msk
from include.aws.instance import DISK_GIB
from include.aws.ownership import is_ours
from include.aws.plan import Action, Resource, action, rows, table
from include.settings import Kinesis, Settings
from pinterest.hooks.api_gateway import ApiGatewayHook
from pinterest.hooks.aws import S3Hook
from pinterest.hooks.ec2 import Ec2AccountHook
from pinterest.hooks.iam import IamHook
from pinterest.hooks.kinesis import KinesisStreamHook
from pinterest.hooks.load_balancer import LoadBalancerHook
from pinterest.hooks.msk import MskHook
from pinterest.hooks.msk_connect import MskConnectHook
from pinterest.settings import settings

MISSING = {"404", "NoSuchBucket", "NoSuchTagSet"}


class AccountPlanOperator(BaseOperator):
    """List what is there, what a run would make, and what it costs. Nothing is made or changed.

    Returns the rows of the table in the log, see :func:`~include.aws.plan.rows`. Security groups, endpoint, bucket,
    roles, key pair, client machine and MSK cluster are made only with ``account.provision``; what a run would miss is
    listed, too.
    """

    def __init__(self, *, aws_conn_id: str | None = "aws_default", **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.aws_conn_id = aws_conn_id

    def execute(self, context: Context) -> list[dict[str, Any]]:
        current = settings()
        found = [
            *self._network(current),
            *self._bucket(current),
            *self._roles(current),
            *self._client_machine(current),
            *self._vpc_link(current),
            *self._kafka(current),
            *self._api(current),
        ]
        self.log.info("Plan for %s in %s:\n%s", current.user_id, current.region, table(found, current.region))
        return rows(found)

    def _network(self, current: Settings) -> Iterator[Resource]:
        ec2, provision = self._hook(Ec2AccountHook, current), current.account.provision
        vpc = ec2.find_vpc(current.network.vpc_id)
        vpc_id = str(vpc["VpcId"])
        yield Resource("VPC", vpc_id, Action.USED, vpc_id, is_ours(vpc.get("Tags"), current.user_id))
        names = [current.client_group, current.broker_group, current.proxy_caller_group]
        groups = ec2.security_groups(vpc_id, names)
        for name in names:
            yield self._one(current, "security group", name, groups.get(name), "GroupId", provision)
        endpoint = ec2.find_s3_endpoint(vpc_id, current.region)
        yield self._one(current, "S3 endpoint", vpc_id, endpoint, "VpcEndpointId", provision)

    def _bucket(self, current: Settings) -> Iterator[Resource]:
        s3 = S3Hook(aws_conn_id=self.aws_conn_id, region_name=current.region).conn
        tags: list[dict[str, str]] | None = None
        try:
            s3.head_bucket(Bucket=current.bucket)
            tags = []
            tags = s3.get_bucket_tagging(Bucket=current.bucket)["TagSet"]
        except ClientError as error:
            if error.response["Error"]["Code"] not in MISSING:
                raise
        found = None if tags is None else {"Name": current.bucket, "Tags": tags}
        yield self._one(current, "bucket", current.bucket, found, "Name", current.account.provision)

    def _roles(self, current: Settings) -> Iterator[Resource]:
        iam, provision = self._hook(IamHook, current), current.account.provision
        for name in dict.fromkeys((current.role, current.sink_role)):
            yield self._one(current, "role", name, iam.find_role(name), "RoleId", provision)
        profile = iam.find_instance_profile(current.role)
        yield self._one(current, "instance profile", current.role, profile, "InstanceProfileId", provision)
        yield self._one(
            current, "role", current.kinesis_role, iam.find_role(current.kinesis_role), "RoleId", may_make=True
        )

    def _client_machine(self, current: Settings) -> Iterator[Resource]:
        ec2, provision = self._hook(Ec2AccountHook, current), current.account.provision
        pair = ec2.find_key_pair(current.key_pair)
        yield self._one(current, "key pair", current.key_pair, pair, "KeyPairId", provision)
        machine = ec2.find_client_machine(current.user_id)
        kind = machine["InstanceType"] if machine else current.kafka_client.instance_type
        priced = {f"ec2:{kind}": 1.0, "ec2:disk_gib": float(DISK_GIB), "ec2:public_address": 1.0}
        if machine is None:
            yield Resource("instance", kind, action(found=False, may_make=provision), priced=priced)
            return
        state = machine["State"]["Name"]
        runs, ours = state in ("pending", "running"), is_ours(machine.get("Tags"), current.user_id)
        stopped = Action.STARTED if provision else Action.MISSED
        found = f"{machine['InstanceId']} ({state})"
        yield Resource("instance", kind, Action.USED if runs else stopped, found, ours, priced)

    def _vpc_link(self, current: Settings) -> Iterator[Resource]:
        if current.exposure != "vpc_link":
            return
        balancing, name = self._hook(LoadBalancerHook, current), current.vpc_link
        group, balancer = balancing.find_target_group(name), balancing.find_load_balancer(name)
        links = self._hook(ApiGatewayHook, current).find_vpc_links(name)
        for kind, found, arn in (
            ("target group", group, "TargetGroupArn"),
            ("load balancer", balancer, "LoadBalancerArn"),
        ):
            done = action(found=found is not None, may_make=True)
            ours = is_ours(balancing.tags(found[arn]), current.user_id) if found else None
            priced = {"elb:network": 1.0} if kind == "load balancer" else {}
            yield Resource(kind, name, done, str(found[arn]).rpartition("/")[2] if found else None, ours, priced)
        yield self._one(current, "VPC link", name, links[0] if links else None, "id", may_make=True)

    def _kafka(self, current: Settings) -> Iterator[Resource]:
        if current.kafka.mode == "msk":
            yield self._cluster(current)
        connector = self._hook(MskConnectHook, current).find_connector(current.connector)
        state = str(connector["connectorState"]) if connector else None
        done = action(found=connector is not None, may_make=True)
        capacity = float(current.s3_sink.workers * current.s3_sink.mcus)
        yield Resource("connector", current.connector, done, state, priced={"msk_connect:mcu": capacity})

    def _cluster(self, current: Settings) -> Resource:
        kafka = current.kafka
        cluster = self._hook(MskHook, current).find_cluster(kafka.cluster_name)
        if cluster is None:
            costs = msk.priced(kafka.instance_type, kafka.brokers, kafka.storage_gib)
            done = action(found=False, may_make=current.makes_cluster)
            return Resource("MSK cluster", kafka.cluster_name, done, priced=costs)
        costs, ours = msk.priced_as_found(cluster), is_ours(cluster.get("Tags"), current.user_id)
        return Resource("MSK cluster", kafka.cluster_name, Action.USED, cluster["State"], ours, costs)

    def _api(self, current: Settings) -> Iterator[Resource]:
        kinesis = self._hook(KinesisStreamHook, current)
        for name in current.data_streams.values():
            stream = kinesis.find_stream(name)
            state = str(stream["StreamStatus"]) if stream else None
            priced = _stream_priced(current.kinesis, stream)
            yield Resource("data stream", name, action(found=stream is not None, may_make=True), state, priced=priced)
        api = self._hook(ApiGatewayHook, current).find_rest_api(current.rest_api_name)
        yield self._one(current, "REST API", current.rest_api_name, api, "id", may_make=True)

    def _one(
        self, current: Settings, kind: str, name: str, found: dict[str, Any] | None, id_field: str, may_make: bool
    ) -> Resource:
        done = action(found=found is not None, may_make=may_make)
        if found is None:
            return Resource(kind, name, done)
        ours = is_ours(found.get("Tags") or found.get("tags"), current.user_id)
        return Resource(kind, name, done, str(found[id_field]), ours)

    def _hook[Hook](self, hook: type[Hook], current: Settings) -> Hook:
        return hook(aws_conn_id=self.aws_conn_id, region_name=current.region)  # type: ignore[call-arg]


def _stream_priced(wanted: Kinesis, found: dict[str, Any] | None) -> dict[str, float]:
    """What a data stream costs by the hour after a run, which leaves the mode of one as it is unless a mode is set."""
    provisioned, shards = wanted.is_provisioned, wanted.shards
    if found and wanted.mode is None:
        provisioned, shards = found["StreamModeDetails"]["StreamMode"] == "PROVISIONED", found["OpenShardCount"]
    return {"kinesis:shard": float(shards)} if provisioned else {"kinesis:on_demand": 1.0}

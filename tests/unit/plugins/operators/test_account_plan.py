"""The plan: everything is looked up, and nothing is made."""

from __future__ import annotations

from typing import Any

import pytest
from botocore.exceptions import ClientError

from pinterest.operators import account_plan
from pinterest.operators.account_plan import AccountPlanOperator
from tests.builders import BUCKET, USER_ID, settings
from tests.unit.plugins.msk_connect_parts import cluster, serverless_cluster

TAGS = {"project": "pinterest-pipeline", "user_id": USER_ID}
PAIRS = [{"Key": key, "Value": value} for key, value in TAGS.items()]
NETWORK = ["security group"] * 3 + ["S3 endpoint", "bucket"]
VPC_LINK = ["target group", "load balancer", "VPC link"]
MADE_BY_PROVISION = [*NETWORK, "role", "role", "instance profile", "key pair", "instance"]


class Account:
    """Plays every hook. ``things`` holds what is there, by the finder's name; ``asked`` what was looked up."""

    def __init__(self, **things: Any) -> None:
        self.things = things
        self.asked: list[str] = []

    def __call__(self, *, aws_conn_id: str, region_name: str) -> Account:
        assert (aws_conn_id, region_name) == ("aws_default", "us-east-1")
        return self

    @property
    def conn(self) -> Account:
        return self

    def __getattr__(self, name: str) -> Any:
        def find(*_args: Any, **_arguments: Any) -> Any:
            self.asked.append(name)
            return self.things.get(name)

        return find

    def find_vpc(self, vpc_id: str | None) -> dict[str, Any]:
        return {"VpcId": "vpc-1"}

    def security_groups(self, vpc_id: str, names: list[str]) -> dict[str, Any]:
        return {name: self.things["group"] for name in names if "group" in self.things}

    def head_bucket(self, Bucket: str) -> None:
        if "bucket" not in self.things:
            raise ClientError({"Error": {"Code": "404"}}, "HeadBucket")

    def get_bucket_tagging(self, Bucket: str) -> dict[str, Any]:
        if not self.things["bucket"]:
            raise ClientError({"Error": {"Code": "NoSuchTagSet"}}, "GetBucketTagging")
        return {"TagSet": self.things["bucket"]}


THERE = {
    "group": {"GroupId": "sg-1", "Tags": PAIRS},
    "find_s3_endpoint": {"VpcEndpointId": "vpce-1"},
    "bucket": [],
    "find_role": {"RoleId": "R", "Tags": PAIRS},
    "find_instance_profile": {"InstanceProfileId": "P", "Tags": PAIRS},
    "find_key_pair": {"KeyPairId": "key-1", "Tags": PAIRS},
    "find_client_machine": {
        "InstanceId": "i-1", "InstanceType": "t2.micro", "State": {"Name": "running"}, "Tags": PAIRS,
    },
    "find_cluster": cluster(),
    "find_connector": {"connectorState": "RUNNING"},
    "find_stream": {
        "StreamStatus": "ACTIVE", "StreamModeDetails": {"StreamMode": "ON_DEMAND"}, "OpenShardCount": 4,
    },
    "find_rest_api": {"id": "api", "tags": TAGS},
    "find_target_group": {"TargetGroupArn": "arn:tg/1"},
    "find_load_balancer": {"LoadBalancerArn": "arn:lb/1"},
    "find_vpc_links": [{"id": "l1", "tags": TAGS}],
    "tags": TAGS,
}  # fmt: skip


def plan(monkeypatch, account, /, **sections) -> list[dict[str, Any]]:
    for hook in (
        "ApiGatewayHook",
        "Ec2AccountHook",
        "IamHook",
        "KinesisStreamHook",
        "LoadBalancerHook",
        "MskHook",
        "MskConnectHook",
    ):
        monkeypatch.setattr(account_plan, hook, account)
    monkeypatch.setattr(account_plan, "S3Hook", account)
    monkeypatch.setattr(account_plan, "settings", lambda: settings(**sections))
    return AccountPlanOperator(task_id="plan").execute({})


def kinds(found, action):
    return [row["kind"] for row in found if row["action"] == action]


def test_of_an_empty_account_everything_is_made_but_the_network(monkeypatch, capsys):
    found = plan(monkeypatch, Account(), account={"provision": True})

    assert kinds(found, "used") == ["VPC"]
    assert kinds(found, "missed") == []
    assert kinds(found, "made") == [
        *NETWORK, *["role"] * 2, "instance profile", "role", "key pair", "instance", *VPC_LINK, "MSK cluster",
        "connector", *["data stream"] * 3, "REST API",
    ]  # fmt: skip
    assert {row["found"] for row in found if row["kind"] != "VPC"} == {None}
    assert "of which would be added: 0.302 per hour" in capsys.readouterr().out


def test_without_provision_what_is_not_there_is_missed(monkeypatch):
    found = plan(monkeypatch, Account())

    missed = [*NETWORK, "role", "instance profile", "key pair", "instance", "MSK cluster"]
    assert kinds(found, "missed") == missed


@pytest.mark.parametrize("provision", [True, False])
def test_what_is_there_is_used(monkeypatch, provision):
    found = plan(monkeypatch, Account(**THERE), account={"provision": provision})

    assert {row["action"] for row in found} == {"used"}
    others = {row["kind"] for row in found if row["ours"] is False}
    assert others == {"VPC", "S3 endpoint", "bucket", "MSK cluster"}
    [machine] = [row for row in found if row["kind"] == "instance"]
    assert (machine["name"], machine["found"], machine["ours"]) == ("t2.micro", "i-1 (running)", True)
    [brokers] = [row for row in found if row["kind"] == "MSK cluster"]
    assert (brokers["found"], brokers["per_hour"]) == ("ACTIVE", pytest.approx(0.63))


def test_a_cluster_costs_its_brokers_and_their_disks(monkeypatch):
    kafka = {"brokers": 3, "instance_type": "kafka.m5.large", "storage_gib": 100}
    [created] = [row for row in plan(monkeypatch, Account(), kafka=kafka) if row["kind"] == "MSK cluster"]
    account = Account(find_cluster=serverless_cluster())
    [found] = [row for row in plan(monkeypatch, account) if row["kind"] == "MSK cluster"]

    assert created["per_hour"] == pytest.approx(3 * 0.21 + 300 * 0.000137)
    assert found["per_hour"] == pytest.approx(0.75)


def test_a_broker_of_our_own_costs_nothing_beside_its_machine(monkeypatch):
    found = plan(monkeypatch, Account(), kafka={"mode": "self_hosted"}, s3_sink={"workers": 2, "mcus": 4})

    assert kinds(found, "missed").count("MSK cluster") == 0
    [connector] = [row for row in found if row["kind"] == "connector"]
    assert connector["per_hour"] == pytest.approx(8 * 0.11)


@pytest.mark.parametrize(("provision", "action"), [(True, "started"), (False, "missed")])
def test_a_stopped_machine_is_started_where_that_is_allowed(monkeypatch, provision, action):
    stopped = {**THERE["find_client_machine"], "State": {"Name": "stopped"}}
    found = plan(monkeypatch, Account(find_client_machine=stopped), account={"provision": provision})

    assert "instance" in kinds(found, action)


@pytest.mark.parametrize("things", [{}, THERE])
def test_nothing_is_made_or_changed(monkeypatch, things):
    account = Account(**things)
    plan(monkeypatch, account, account={"provision": True})

    assert {name.partition("_")[0] for name in account.asked} <= {"find", "tags"}


def test_on_the_internet_no_load_balancer_is_paid_for(monkeypatch):
    found = plan(monkeypatch, Account(), account={"provision": True}, rest_proxy={"exposure": "internet"})

    assert not {*VPC_LINK} & {row["kind"] for row in found}


@pytest.mark.parametrize(
    ("there", "kinesis", "per_hour"),
    [
        (False, {}, 0.015),
        (False, {"mode": "provisioned", "shards": 4}, 0.06),
        (False, {"mode": "on_demand"}, 0.04),
        (True, {}, 0.04),
        (True, {"mode": "provisioned", "shards": 4}, 0.06),
    ],
)
def test_a_data_stream_costs_what_it_is_after_the_run(monkeypatch, there, kinesis, per_hour):
    found = plan(monkeypatch, Account(**(THERE if there else {})), kinesis=kinesis)

    assert [row["per_hour"] for row in found if row["kind"] == "data stream"] == [pytest.approx(per_hour)] * 3


def test_a_bucket_that_may_not_be_looked_at_fails_the_plan(monkeypatch):
    account = Account()
    refusal = ClientError({"Error": {"Code": "403"}}, "HeadBucket")
    monkeypatch.setattr(account, "head_bucket", lambda Bucket: (_ for _ in ()).throw(refusal))

    with pytest.raises(ClientError, match=r"403.*HeadBucket"):
        plan(monkeypatch, account)


def test_the_bucket_is_the_users(monkeypatch):
    [bucket] = [row for row in plan(monkeypatch, Account(bucket=PAIRS)) if row["kind"] == "bucket"]

    assert (bucket["name"], bucket["found"], bucket["ours"]) == (BUCKET, BUCKET, True)

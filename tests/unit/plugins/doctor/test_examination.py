"""The doctor in an account in memory: one fault at a time is named, and all else is looked at still."""

from __future__ import annotations

import json
from types import SimpleNamespace
from typing import Any, ClassVar

import pytest
import requests
from airflow.providers.amazon.aws.hooks.base_aws import AwsGenericHook

from include.doctor.bills import bills
from include.doctor.remark import Finding, Later, Remark, Unchecked, is_well
from pinterest.doctor import reach
from pinterest.doctor.account import Account
from pinterest.doctor.examination import inventory, of_account, of_connections, of_settings
from pinterest.hooks.kafka_client import Completed, KafkaClientHook, KafkaClientSetupError
from tests.builders import BUCKET, USER_ID, settings, variable
from tests.unit import account_in_memory
from tests.unit.account_in_memory import ACCOUNT_ID, OURS, Refused, provisioned

ROLE = f"arn:aws:iam::{ACCOUNT_ID}:role/service-role/airflow"
CLUSTER = "pinterest-msk-cluster"
EVERYBODY = {"IpProtocol": "tcp", "FromPort": 8082, "ToPort": 8082, "IpRanges": [{"CidrIp": "0.0.0.0/0"}]}
CLOSED = dict.fromkeys(("BlockPublicAcls", "IgnorePublicAcls", "BlockPublicPolicy", "RestrictPublicBuckets"), True)


class Examined(account_in_memory.Account):
    """An account that also answers what only a doctor asks. Each fault is an attribute."""

    refused: frozenset[str] = frozenset()
    unknown: frozenset[str] = frozenset()
    quota = 5.0
    applied = True
    vpcs = 1
    brokers: dict[str, Any]
    block: dict[str, bool] | None = CLOSED
    public = False
    streams: ClassVar = {
        "ShardLimit": 10,
        "OpenShardCount": 0,
        "OnDemandStreamCount": 0,
        "OnDemandStreamCountLimit": 50,
    }

    def _do(self, service: str, name: str, given: dict[str, Any]) -> dict[str, Any]:
        return super()._do(service.replace("-", "_"), name, given)

    def iam_GetRole(self, RoleName: str) -> dict[str, Any]:
        role = {"Path": "/", "RoleName": RoleName, "RoleId": "A" * 16, "Arn": ROLE, "CreateDate": 0}
        return {"Role": role}

    def iam_SimulatePrincipalPolicy(self, ActionNames: list[str], **asked: Any) -> dict[str, Any]:
        assert asked["PolicySourceArn"] == ROLE
        if self.unknown & set(ActionNames):
            raise Refused("InvalidInput", "Invalid Service Action")
        decisions = {name: "implicitDeny" if name in self.refused else "allowed" for name in ActionNames}
        return {
            "EvaluationResults": [
                {"EvalActionName": name, "EvalDecision": decision} for name, decision in decisions.items()
            ]
        }

    def service_quotas_GetServiceQuota(self, **_: Any) -> dict[str, Any]:
        if not self.applied:
            raise Refused("NoSuchResourceException")
        return {"Quota": {"Value": self.quota}}

    def service_quotas_GetAWSDefaultServiceQuota(self, **_: Any) -> dict[str, Any]:
        return {"Quota": {"Value": self.quota}}

    def kinesis_DescribeLimits(self) -> dict[str, Any]:
        return self.streams

    def kinesis_DescribeStreamSummary(self, StreamName: str) -> dict[str, Any]:
        if StreamName not in self.named("data stream"):
            raise Refused("ResourceNotFoundException")
        return super().kinesis_DescribeStreamSummary(StreamName)

    def kafka_ListClusters(self, ClusterNameFilter: str) -> dict[str, Any]:
        found = [one for one in self.listed.get("MSK cluster", []) if one["ClusterName"] == ClusterNameFilter]
        more = {"State": "ACTIVE", "BrokerNodeGroupInfo": self.brokers}
        return {"ClusterInfoList": [{**one, **more} for one in found]}

    def kafka_GetBootstrapBrokers(self, ClusterArn: str) -> dict[str, Any]:
        return {"BootstrapBrokerStringSaslIam": "b-1:9098"}

    def ec2_DescribeVpcs(self, **asked: Any) -> dict[str, Any]:
        return {"Vpcs": [{"VpcId": f"vpc-{number}"} for number in range(self.vpcs)]}

    def ec2_DescribeInstances(self, Filters: Any = None, **_: Any) -> dict[str, Any]:
        return {"Reservations": [{"Instances": self.listed.get("instance", [])}]}

    def ec2_DescribeSecurityGroups(self, Filters: list[dict[str, Any]] | None = None) -> dict[str, Any]:
        wanted = {value for one in Filters or [] for value in one["Values"]}
        groups = self.listed.get("security group", [])
        return {"SecurityGroups": [one for one in groups if not Filters or wanted & {one["GroupId"], one["GroupName"]}]}

    def ssm_GetParameter(self, Name: str, WithDecryption: bool) -> dict[str, Any]:
        if Name not in self.named("parameter"):
            raise Refused("ParameterNotFound")
        return {"Parameter": {"Name": Name, "Type": "SecureString", "Value": "the key"}}

    def apigateway_GetStage(self, restApiId: str, stageName: str) -> dict[str, Any]:
        return {"stageName": stageName}

    def s3_HeadBucket(self, Bucket: str) -> dict[str, Any]:
        if Bucket not in self.named("bucket"):
            raise Refused("404")
        return {}

    def s3_GetPublicAccessBlock(self, Bucket: str) -> dict[str, Any]:
        if self.block is None:
            raise Refused("NoSuchPublicAccessBlockConfiguration")
        return {"PublicAccessBlockConfiguration": self.block}

    def s3_GetBucketPolicyStatus(self, Bucket: str) -> dict[str, Any]:
        return {"PolicyStatus": {"IsPublic": self.public}}

    def sns_GetTopicAttributes(self, TopicArn: str) -> dict[str, Any]:
        raise Refused("NotFound")

    def sts_GetCallerIdentity(self) -> dict[str, Any]:
        return {"Arn": f"arn:aws:sts::{ACCOUNT_ID}:assumed-role/airflow/worker", "Account": ACCOUNT_ID}


@pytest.fixture
def aws(monkeypatch) -> Examined:
    """What a run has made, and nothing wrong with it."""
    aws = Examined()
    aws.__dict__ |= provisioned().__dict__
    aws.brokers = {"ClientSubnets": ["subnet-1"], "InstanceType": "kafka.t3.small", "SecurityGroups": ["id-of-theirs"]}
    aws.listed["instance"][0]["SecurityGroups"] = [{"GroupId": "id-of-machine"}]
    for name in (f"{USER_ID}-kafka-client", "theirs", "machine"):
        aws.add("security group", name, OURS, IpPermissions=[])
    monkeypatch.setattr(AwsGenericHook, "get_client_type", lambda hook, **_: aws.client(hook.client_type))
    monkeypatch.setattr(KafkaClientHook, "run", lambda *_, **__: Completed("java 21\nkafka 4.3.1\n", "", 0))
    monkeypatch.setattr(reach.requests, "get", lambda *_, **__: SimpleNamespace(status_code=200))
    return aws


def remarks(**sections: Any) -> list[Remark]:
    """What is said but of the database and the workspace: those answer in tests/local and on the lab."""
    said = of_account(Account(settings(**sections)), lambda _: None)
    return [one for one in said if not (isinstance(one, Unchecked) and one.what in ("database", "Databricks"))]


def problems(**sections: Any) -> list[str]:
    return [one.problem for one in remarks(**sections) if isinstance(one, Finding)]


@pytest.fixture(autouse=True)
def _no_connections(monkeypatch):
    for name in ("PINTEREST_SOURCE", "DATABRICKS_DEFAULT", "AWS_DEFAULT"):
        monkeypatch.delenv(f"AIRFLOW_CONN_{name}", raising=False)


def test_an_account_in_which_all_is_well(aws):
    assert remarks() == []
    assert aws.writes == ["iam:SimulatePrincipalPolicy"] * aws.writes.count("iam:SimulatePrincipalPolicy")


def test_a_permission_that_is_missing_is_named_with_its_resource(aws):
    aws.refused = frozenset({"kafkaconnect:CreateConnector"})

    assert problems() == [f"{ROLE} may not kafkaconnect:CreateConnector on *: no policy allows it"]


def test_runs_that_make_the_account_need_another_policy(aws):
    aws.refused = frozenset({"s3:CreateBucket"})

    assert problems() == []
    assert problems(account={"provision": True}) == [
        f"{ROLE} may not s3:CreateBucket on arn:aws:s3:::{BUCKET}: no policy allows it"
    ]


def test_an_action_that_iam_cannot_simulate_is_left_unchecked_alone(aws):
    aws.unknown = frozenset({"ssm:AddTagsToResource"})
    aws.refused = frozenset({"ssm:PutParameter"})

    said = remarks()

    assert [one.what.split(" on ")[0] for one in said if isinstance(one, Unchecked)] == [
        "the permission ssm:AddTagsToResource"
    ]
    assert [one.problem.split(" on ")[0] for one in said if isinstance(one, Finding)] == [
        f"{ROLE} may not ssm:PutParameter"
    ]


def test_the_root_user_has_no_policies_to_compare(aws, monkeypatch):
    root = {"Arn": f"arn:aws:iam::{ACCOUNT_ID}:root", "Account": ACCOUNT_ID}
    monkeypatch.setattr(Examined, "sts_GetCallerIdentity", lambda _: root)

    [found] = remarks()

    assert isinstance(found, Finding)
    assert ":root is neither a role nor a user of IAM" in found.problem
    assert "ROLE=<name>" in found.fix


def test_full_quotas_matter_only_where_something_is_missing(aws):
    aws.quota, aws.vpcs = 0.0, 0
    aws.listed["MSK cluster"].clear()
    aws.listed["REST API"] = [{"name": f"o{n}", "endpointConfiguration": {"types": ["EDGE"]}} for n in range(120)]
    aws.listed["data stream"].clear()
    aws.streams = {**Examined.streams, "OnDemandStreamCount": 48, "OpenShardCount": 9}

    found = problems(account={"provision": True})
    assert [one for one in found if "needed" in one] == [
        "VPCs in us-east-1: 0 of 0 are used, 1 more are needed",
        "Elastic IPs in us-east-1: 0 of 0 are used, 1 more are needed",
        "MSK brokers in us-east-1: 0 of 0 are used, 2 more are needed",
        "edge-optimized REST APIs in us-east-1: 120 of 120 are used, 1 more are needed",
        "shards of data streams in us-east-1: 9 of 10 are used, 3 more are needed",
    ]
    assert "data streams on demand in us-east-1: 48 of 50 are used, 3 more are needed" in problems(
        kinesis={"mode": "on_demand"}
    )


def test_a_quota_that_nobody_has_changed_is_what_aws_gives_everyone(aws):
    aws.applied = False
    aws.vpcs = 0
    aws.quota = 0.0

    assert "VPCs in us-east-1: 0 of 0 are used, 1 more are needed" in problems()


def test_a_stopped_machine_is_a_fault_unless_a_run_starts_it(aws):
    aws.listed["instance"][0]["State"] = {"Name": "stopped"}
    what = f"the Kafka client machine (the EC2 instance with the tag Name={USER_ID}) is stopped"

    assert problems() == [what]
    assert remarks(account={"provision": True}) == [Later(f"SSH: {what}")]


def test_a_machine_that_lets_nobody_in_is_a_fault(aws, monkeypatch):
    def refuse(*_: Any, **__: Any) -> Completed:
        raise KafkaClientSetupError("it refused the login")

    monkeypatch.setattr(KafkaClientHook, "run", refuse)

    assert problems() == ["it refused the login"]


def test_old_tools_are_a_fault(aws, monkeypatch):
    monkeypatch.setattr(KafkaClientHook, "run", lambda *_, **__: Completed("java 11\n", "", 0))

    assert problems() == ["the client machine has Java 11; it must be 17 or newer"]


def test_a_cluster_without_the_listener_is_a_fault(aws):
    [found] = problems(kafka={"authentication": "none"})

    assert "it offers BootstrapBrokerStringSaslIam" in found


@pytest.mark.parametrize(
    ("status", "problem"),
    [
        (504, "API Gateway does not reach the REST proxy (504)"),
        (403, "refuses the key in Parameter Store"),
    ],
)
def test_the_rest_proxy_is_asked_as_posts_go(aws, monkeypatch, status, problem):
    asked = {}

    def get(url: str, **more: Any) -> SimpleNamespace:
        asked.update(url=url, **more)
        return SimpleNamespace(status_code=status)

    monkeypatch.setattr(reach.requests, "get", get)

    [found] = problems()

    assert problem in found
    assert asked["url"] == f"https://id-of-{USER_ID}.execute-api.us-east-1.amazonaws.com/prod/topics"
    assert asked["headers"] == {"x-api-key": "the key"}
    assert "the key" not in found.replace("the key in", "")


def test_an_api_that_does_not_answer_is_a_fault(aws, monkeypatch):
    def get(*_: Any, **__: Any) -> SimpleNamespace:
        raise requests.ConnectTimeout

    monkeypatch.setattr(reach.requests, "get", get)

    assert [one.endswith("gives no answer (ConnectTimeout)") for one in problems()] == [True]


def test_an_api_whose_key_is_lost_is_a_fault(aws):
    aws.listed["parameter"].clear()

    [found] = problems()

    assert "Parameter Store has no /pinterest/" in found


def test_what_a_run_makes_is_missing_without_fault(aws):
    for kind in ("REST API", "bucket", "instance"):
        aws.listed[kind].clear()

    said = remarks(account={"provision": True})

    assert [one.what.split(":")[0] for one in said if isinstance(one, Later)] == [
        "SSH",
        "the REST proxy",
        f"bucket {BUCKET}",
    ]
    assert is_well(said)
    assert problems() != []


def test_open_doors_are_found(aws):
    for group in aws.listed["security group"]:
        group["IpPermissions"] = [EVERYBODY]
    aws.brokers["ConnectivityInfo"] = {"PublicAccess": {"Type": "SERVICE_PROVIDED_EIPS"}}
    aws.block, aws.public = None, True

    found = problems()

    for name in (f"{USER_ID}-kafka-client", "theirs", "machine"):
        assert (
            f"security group {name} (id-of-{name}) lets everybody in: TCP 8082 from 0.0.0.0/0 (the REST proxy)" in found
        )
    assert f"MSK cluster {CLUSTER}: its brokers have public addresses (SERVICE_PROVIDED_EIPS)" in found
    assert f"bucket {BUCKET} is public by its policy" in found


def test_a_topic_that_is_missing_is_a_fault(aws):
    topic = "arn:aws:sns:us-east-1:123456789012:told"

    assert f"notify.topic_arn: there is no topic {topic}" in problems(notify={"topic_arn": topic})


def test_what_is_denied_is_unchecked_and_all_else_is_looked_at(aws):
    aws.denied = {"SimulatePrincipalPolicy", "HeadBucket", "DescribeSecurityGroups", "GetRestApis"}
    aws.listed["instance"][0]["State"] = {"Name": "stopped"}

    said = remarks()

    unchecked = {one.what: one.why for one in said if isinstance(one, Unchecked)}
    assert set(unchecked) == {"permissions", "quota of REST APIs", "REST proxy", "security groups", "bucket"}
    assert all("give it the policy that `bin/policies doctor` prints" in why for why in unchecked.values())
    assert [one.problem for one in said if isinstance(one, Finding)] != []


def test_without_an_identity_nothing_in_aws_is_asked(aws):
    aws.denied = {"GetCallerIdentity"}

    [found] = remarks()

    assert isinstance(found, Finding)
    assert found.problem.startswith("connection aws_default: AWS does not know who asks: ")
    assert aws.calls == ["sts:GetCallerIdentity"]


def test_what_bills_is_the_inventory_with_prices(aws):
    aws.add("Elastic IP", USER_ID, OURS)
    aws.denied = {"ListSecrets"}

    found, unchecked = inventory(Account(settings()))

    billed = {(bill.found.kind, bill.per_hour) for bill in bills(found, settings())}
    assert ("Elastic IP", 0.005) in billed
    assert ("bucket", None) in billed
    assert [one.ours for one in found if one.name == CLUSTER] == [False]
    assert [one.what for one in unchecked if isinstance(one, Unchecked)] == ["whether a secret bills"]


def test_connections_and_the_variable_are_read_as_tasks_read_them(monkeypatch):
    monkeypatch.setenv("AIRFLOW_CONN_PINTEREST_SOURCE", json.dumps({"conn_type": "mysql", "host": "db"}))
    monkeypatch.setenv("AIRFLOW_VAR_PINTEREST_PIPELINE", json.dumps(variable(kinesis={"shard": 1}, user_id="me")))

    assert [one.problem for one in of_connections() if isinstance(one, Finding)] == [
        "connection pinterest_source: it has no login, schema",
        "connection databricks_default is missing",
    ]
    found = of_settings()
    assert isinstance(found, Finding)
    assert "user_id: " in found.problem
    assert "kinesis.shard: " in found.problem

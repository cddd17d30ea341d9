"""The policies that are shipped: filled from the settings, small enough for IAM, and no wider than they have to be."""

from __future__ import annotations

import json
import subprocess

import pytest

from include.aws.policies import holds_statements, names, policy, statements, with_statements
from tests.builders import ROOT, USER_ID, settings, variable
from tests.iam import actions, allows, grants

ACCOUNT = "123456789012"
REGION = "eu-west-1"
LARGEST_MANAGED_POLICY = 6144  # characters that are no white space
ON_NO_RESOURCE = {
    "airflow": {
        "ec2:DescribeInstances",
        "ec2:DescribeKeyPairs",
        "ec2:CreateNetworkInterface",
        "ec2:DescribeSecurityGroups",
        "ec2:DescribeSubnets",
        "ec2:DescribeVpcs",
        "kafka:ListClustersV2",
        "kafkaconnect:CreateConnector",
        "kafkaconnect:CreateCustomPlugin",
        "kafkaconnect:CreateWorkerConfiguration",
        "kafkaconnect:ListConnectors",
        "kafkaconnect:ListCustomPlugins",
        "kafkaconnect:ListWorkerConfigurations",
        "logs:CreateLogDelivery",
        "logs:DeleteLogDelivery",
        "logs:DescribeLogGroups",
        "logs:DescribeResourcePolicies",
        "logs:GetLogDelivery",
        "logs:ListLogDeliveries",
        "logs:PutResourcePolicy",
    },
    "teardown": {
        "ec2:DescribeAddresses",
        "ec2:DescribeNetworkInterfaces",
        "ec2:DescribeVolumes",
        "ec2:DescribeVpcEndpoints",
        "elasticloadbalancing:DescribeLoadBalancers",
        "elasticloadbalancing:DescribeTags",
        "elasticloadbalancing:DescribeTargetGroups",
        "ec2:DeleteVpcEndpointServiceConfigurations",
        "ec2:DescribeVpcEndpointServiceConfigurations",
        "ec2:ModifyVpcEndpointServicePermissions",
        "iam:ListInstanceProfiles",
        "iam:ListRoles",
        "kinesis:ListStreams",
        "s3:ListAllMyBuckets",
        "secretsmanager:ListSecrets",
        "ssm:DescribeParameters",
    },
    "vpc_link": {
        "elasticloadbalancing:DescribeListeners",
        "elasticloadbalancing:DescribeLoadBalancerAttributes",
        "elasticloadbalancing:DescribeLoadBalancers",
        "elasticloadbalancing:DescribeTags",
        "elasticloadbalancing:DescribeTargetGroups",
        "elasticloadbalancing:DescribeTargetHealth",
        "ec2:CreateVpcEndpointServiceConfiguration",
        "ec2:DeleteVpcEndpointServiceConfigurations",
        "ec2:DescribeAccountAttributes",
        "ec2:DescribeAddresses",
        "ec2:DescribeInternetGateways",
        "ec2:DescribeVpcEndpointServiceConfigurations",
        "ec2:ModifyVpcEndpointServicePermissions",
    },
    "kinesis_api": {"kinesis:ListStreams"},
    "doctor": {
        "ec2:DescribeAddresses",
        "ec2:DescribeInstances",
        "ec2:DescribeSecurityGroups",
        "ec2:DescribeVpcs",
        "kafka:ListClusters",
        "kafka:ListClustersV2",
        "kinesis:DescribeLimits",
        "servicequotas:GetAWSDefaultServiceQuota",
        "servicequotas:GetServiceQuota",
    },
    "provision": {
        "ec2:DescribeInstanceStatus",
        "ec2:DescribeInstanceTypeOfferings",
        "ec2:DescribeRouteTables",
        "ec2:DescribeSecurityGroups",
        "ec2:DescribeSubnets",
        "ec2:DescribeVpcEndpoints",
        "ec2:DescribeVpcs",
        "kafka:CreateClusterV2",
    },
}
"""Actions that IAM does not tie to a resource."""

PERMISSIONS = [name for name in names() if not name.endswith(".trust")]
OWN_KEY = {"kinesis": {"kms_key": "alias/ours"}}


def filled(name, **sections):
    return policy(name, settings(region=REGION, **sections), ACCOUNT)


@pytest.mark.parametrize("name", PERMISSIONS)
@pytest.mark.parametrize("sections", [{}, OWN_KEY], ids=["AWS' key", "own key"])
def test_a_policy_fits_into_one_of_iam(name, sections):
    document = filled(name, **sections)

    assert document["Version"] == "2012-10-17"
    assert len("".join(json.dumps(document).split())) <= LARGEST_MANAGED_POLICY
    sids = [statement["Sid"] for statement in document["Statement"]]
    assert len(set(sids)) == len(sids)
    assert all(sid.isalnum() for sid in sids)


@pytest.mark.parametrize("name", PERMISSIONS)
def test_no_action_has_a_wildcard_and_every_resource_is_ours(name):
    document = filled(name)

    assert [action for action in actions(document) if "*" in action] == []
    assert {grant.action for grant in grants(document) if grant.resource == "*"} == ON_NO_RESOURCE.get(name, set())
    for grant in grants(document):
        _, _, service, region, account, _ = (grant.resource if grant.resource != "*" else "arn:aws:s3:::").split(":", 5)
        assert region in ("" if service in ("s3", "iam") else REGION, *[""][: service == "s3"])
        assert account in ("", ACCOUNT)


@pytest.mark.parametrize("name", ["kafka_client", "s3_sink"])
def test_kafka_is_used_by_the_name_of_topic_and_group(name):
    cluster = f"arn:aws:kafka:{REGION}:{ACCOUNT}"
    ours = f"{cluster}:topic/mine/4c3-5/{USER_ID}.pin"
    document = filled(name, kafka={"cluster_name": "mine"})

    assert allows(document, "kafka-cluster:Connect", f"{cluster}:cluster/mine/4c3-5")
    assert allows(document, "kafka-cluster:ReadData", ours)
    assert not allows(document, "kafka-cluster:Connect", f"{cluster}:cluster/mine-too/4c3-5")
    assert not allows(document, "kafka-cluster:DeleteTopic", ours)
    for topic in ("aaaaaaaaaaaa.pin", "__consumer_offsets", f"{USER_ID}pin"):
        assert not allows(document, "kafka-cluster:ReadData", f"{cluster}:topic/mine/4c3-5/{topic}")
    assert not allows(document, "kafka-cluster:AlterGroup", f"{cluster}:group/mine/4c3-5/another")


def test_a_client_that_assumes_a_role_may_do_so():
    role = f"arn:aws:iam::{ACCOUNT}:role/kafka"

    assert not allows(filled("kafka_client"), "sts:AssumeRole", role)
    assert allows(filled("kafka_client", kafka={"role_arn": role}), "sts:AssumeRole", role)
    assert not allows(filled("airflow"), "iam:UpdateAssumeRolePolicy", role)
    assert allows(filled("airflow", kafka={"role_arn": role}), "iam:UpdateAssumeRolePolicy", role)
    [statement] = filled("kafka_role.trust")["Statement"]
    assert statement["Principal"] == {"AWS": f"arn:aws:iam::{ACCOUNT}:role/{USER_ID}-ec2-access-role"}


def test_airflow_may_tell_only_the_topic_of_the_settings():
    topic = f"arn:aws:sns:{REGION}:{ACCOUNT}:told"

    assert "sns:Publish" not in actions(filled("airflow"))
    assert allows(filled("airflow", notify={"topic_arn": topic}), "sns:Publish", topic)
    assert not allows(filled("airflow", notify={"topic_arn": topic}), "sns:Publish", topic + "2")


@pytest.mark.parametrize(
    ("name", "more"),
    [
        ("airflow", {"kms:Decrypt"}),
        ("databricks", {"kms:Decrypt"}),
        ("kinesis_api", {"kms:Decrypt", "kms:GenerateDataKey"}),
        ("s3_sink", set()),
    ],
)
def test_whoever_reads_or_writes_the_data_streams_may_use_a_key_of_the_account(name, more):
    assert actions(filled(name, **OWN_KEY)) - actions(filled(name)) == more
    assert actions(filled(name, kinesis={"kms_key": "alias/ours", "encryption": "none"})) == actions(filled(name))


def test_msk_connect_may_assume_the_sinks_role_for_our_connector_only():
    [statement] = filled("s3_sink.trust")["Statement"]

    assert statement["Principal"] == {"Service": "kafkaconnect.amazonaws.com"}
    assert statement["Condition"] == {
        "StringEquals": {"aws:SourceAccount": ACCOUNT},
        "ArnLike": {"aws:SourceArn": f"arn:aws:kafkaconnect:{REGION}:{ACCOUNT}:connector/{USER_ID}-connector/*"},
    }


@pytest.mark.parametrize(
    ("name", "service"),
    [("kafka_client", "ec2"), ("databricks", "ec2"), ("kinesis_api", "apigateway"), ("s3_sink", "kafkaconnect")],
)
def test_a_role_trusts_one_service(name, service):
    [statement] = filled(f"{name}.trust")["Statement"]

    assert (statement["Effect"], statement["Action"]) == ("Allow", "sts:AssumeRole")
    assert statement["Principal"] == {"Service": f"{service}.amazonaws.com"}


def test_api_gateway_assumes_its_role_without_saying_for_whom():
    """It names neither account nor API to IAM when it assumes the role of an integration, so a condition on
    ``aws:SourceAccount`` or ``aws:SourceArn`` would refuse every call."""
    [statement] = filled("kinesis_api.trust")["Statement"]

    assert "Condition" not in statement


def test_an_unknown_policy_is_refused_with_those_there_are():
    with pytest.raises(LookupError, match=r"no policy 'sink'; there are airflow, .*s3_sink, s3_sink\.trust"):
        filled("sink")


OURS = {"Sid": "Ours", "Effect": "Allow", "Principal": {"AWS": "a"}, "Action": "sts:AssumeRole"}
THEIRS = {"Sid": "Theirs", "Effect": "Allow", "Principal": {"AWS": "b"}, "Action": "sts:AssumeRole"}
UNNAMED = {name: value for name, value in OURS.items() if name != "Sid"}
OLDER = {**OURS, "Principal": {"AWS": "c"}}


def document(*found):
    return {"Version": "2012-10-17", "Statement": list(found)}


class TestStatements:
    @pytest.mark.parametrize(
        ("found", "whole"),
        [
            pytest.param([], [OURS], id="nothing there"),
            pytest.param([THEIRS], [THEIRS, OURS], id="others stay"),
            pytest.param([OLDER, THEIRS], [THEIRS, OURS], id="ours of an earlier version is replaced"),
            pytest.param([UNNAMED], [UNNAMED], id="the same without a name is enough"),
        ],
    )
    def test_others_statements_are_kept(self, found, whole):
        changed = with_statements(document(*found), document(OURS))

        assert changed == document(*whole)
        assert holds_statements(changed, document(OURS))
        assert holds_statements(document(*found), document(OURS)) == (found == whole)

    def test_a_single_statement_may_stand_without_a_list(self):
        assert statements({"Statement": THEIRS}) == [THEIRS]
        assert with_statements({"Statement": THEIRS}, document(OURS)) == document(THEIRS, OURS)


@pytest.mark.slow
class TestBinPolicies:
    def run(self, *arguments, text):
        command = [str(ROOT / "bin" / "policies"), *arguments]
        return subprocess.run(command, input=text, capture_output=True, text=True, timeout=60)

    def test_prints_a_policy_for_iam(self):
        printed = self.run("airflow", ACCOUNT, text=json.dumps(variable(region=REGION)))

        assert (printed.returncode, printed.stderr) == (0, "")
        assert json.loads(printed.stdout) == filled("airflow")

    @pytest.mark.parametrize(
        ("arguments", "text", "said"),
        [
            ((), "{}", "airflow, databricks"),
            (("airflow", "12"), "{}", "the id of the AWS account"),
            (("airflow", ACCOUNT), "{}", "user_id: Field required"),
        ],
    )
    def test_says_what_is_wrong(self, arguments, text, said):
        printed = self.run(*arguments, text=text)

        assert (printed.returncode, printed.stdout) == (2, "")
        assert said in printed.stderr

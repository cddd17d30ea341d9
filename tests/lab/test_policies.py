"""The policies that are shipped, against everything that whole runs asked of AWS.

Comes after the other whole runs, so that theirs count, too.
"""

from __future__ import annotations

import pytest

from include.aws.policies import policy
from include.settings import parse_settings
from lab.calls import calls
from lab.state import ACCOUNT
from tests.iam import ASKED_ALONG, NEEDS_NO_PERMISSION, Grant, allows, unused

ROLES = ("airflow", "databricks", "s3_sink")

NOT_IN_EVERY_RUN = {
    "airflow": {
        "what is there already is not made again": {
            *("apigateway:POST", "apigateway:PUT", "iam:CreateRole", "iam:PutRolePolicy", "ssm:PutParameter"),
            *("kafkaconnect:CreateConnector", "kafkaconnect:CreateCustomPlugin"),
            *("kafkaconnect:CreateWorkerConfiguration", "kinesis:CreateStream", "kinesis:StartStreamEncryption"),
            *("ec2:CreateSecurityGroup", "ec2:CreateVpcEndpoint", "ec2:ImportKeyPair", "ec2:RunInstances"),
            *("ec2:DescribeInstanceTypeOfferings", "ec2:DescribeSubnets", "ec2:GetConsoleOutput"),
            *("kafka:CreateClusterV2", "kafka:DescribeClusterV2"),
            *("logs:CreateLogGroup", "logs:PutRetentionPolicy"),
            *("iam:AddRoleToInstanceProfile", "iam:CreateInstanceProfile", "s3:CreateBucket"),
            "ssm:GetParameter",  # of the newest image
            *("elasticloadbalancing:CreateListener", "elasticloadbalancing:CreateLoadBalancer"),
            *("elasticloadbalancing:CreateTargetGroup", "elasticloadbalancing:RegisterTargets"),
        },
        "AWS asks for it along with another action, and the lab does not": {
            *{along for more in ASKED_ALONG.values() for along in more},
        },
        "what is as it should be is not changed": {
            *("ec2:AuthorizeSecurityGroupIngress", "ec2:ModifyVpcEndpoint", "ec2:StartInstances"),
            *("s3:GetBucketTagging", "s3:PutBucketPolicy", "s3:PutBucketPublicAccessBlock"),
            *("s3:PutBucketVersioning", "s3:PutEncryptionConfiguration"),
            *("apigateway:DELETE", "apigateway:PATCH", "iam:UpdateAssumeRolePolicy", "kafkaconnect:UpdateConnector"),
            "kafkaconnect:DescribeConnectorOperation",
            *("kinesis:DecreaseStreamRetentionPeriod", "kinesis:IncreaseStreamRetentionPeriod"),
            *("elasticloadbalancing:DeregisterTargets", "elasticloadbalancing:DescribeTags"),
            *("elasticloadbalancing:ModifyListener", "elasticloadbalancing:ModifyLoadBalancerAttributes"),
            "elasticloadbalancing:SetSecurityGroups",
            *("kinesis:StopStreamEncryption", "kinesis:UpdateShardCount", "kinesis:UpdateStreamMode"),
        },
        "what could not be made, or has to write its topics again, is removed": {
            *("kafkaconnect:DeleteConnector", "kafkaconnect:DeleteCustomPlugin"),
            *("ec2:DeleteKeyPair", "ec2:TerminateInstances", "elasticloadbalancing:DeleteLoadBalancer"),
            "kafka:DeleteCluster",
        },
        "a worker log is read when a connector fails": {"logs:DescribeLogStreams", "logs:GetLogEvents"},
        "maintenance runs once a week": {"s3:GetLifecycleConfiguration", "s3:PutLifecycleConfiguration"},
        "API Gateway is handed its role once": {"iam:GetRole"},
    },
    "databricks": {
        "checkpoints are in a folder of the lab": {"s3:DeleteObject", "s3:GetObject", "s3:PutObject"},
        "the lab's source asks for shards otherwise than Databricks'": {
            *("kinesis:DescribeStream", "kinesis:DescribeStreamSummary", "kinesis:ListShards"),
        },
        "Databricks looks for the bucket's region": {"s3:GetBucketLocation"},
    },
    "s3_sink": {
        "Kafka is asked without IAM in the lab": {
            *("kafka-cluster:Connect", "kafka-cluster:DescribeCluster", "kafka-cluster:CreateTopic"),
            *("kafka-cluster:DescribeTopic", "kafka-cluster:ReadData", "kafka-cluster:WriteData"),
            *("kafka-cluster:DescribeGroup", "kafka-cluster:AlterGroup"),
        },
        "Confluent's connector finds the bucket first, and uploads in parts": {
            *("s3:GetBucketLocation", "s3:ListBucket", "s3:GetObject"),
            *("s3:AbortMultipartUpload", "s3:ListMultipartUploadParts"),
        },
    },
}
"""Actions that a lab's runs may do without, by the reason why the role has them. Other tests show that code needs them:
of Airflow's role tests/unit/test_airflow_role.py, on Kafka tests/unit/test_kafka_permissions.py."""


@pytest.fixture(scope="module")
def made(pipeline, first_run, second_run) -> dict[str, set[tuple[str, str]]]:
    """Actions and resources, by the role that asked."""
    kept = [call for call in calls(pipeline.lab) if call.action not in NEEDS_NO_PERMISSION]
    return {role: {(call.action, call.resource) for call in kept if call.caller == role} for role in ROLES}


@pytest.fixture(scope="module")
def policies(pipeline) -> dict[str, dict]:
    settings = parse_settings(pipeline.environment["AIRFLOW_VAR_PINTEREST_PIPELINE"])
    filled = {role: policy(role, settings, ACCOUNT) for role in ROLES}
    for more in ("provision", "vpc_link"):
        filled["airflow"]["Statement"] += policy(more, settings, ACCOUNT)["Statement"]
    return filled


@pytest.mark.parametrize("role", ROLES)
def test_a_role_may_do_all_that_it_does(made, policies, role):
    assert made[role]
    assert sorted(call for call in made[role] if not allows(policies[role], *call)) == []


@pytest.mark.parametrize("role", ROLES)
def test_a_role_may_do_nothing_that_it_does_not_need(made, policies, role):
    """A grant is an action on a resource: one that is needed elsewhere does not excuse it here."""
    reasons = NOT_IN_EVERY_RUN[role]
    excused = {action for actions in reasons.values() for action in actions}

    left: set[Grant] = {grant for grant in unused(policies[role], made[role]) if grant.action not in excused}

    assert sorted(left) == []

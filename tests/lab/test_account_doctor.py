"""The account's doctor on ministack: IAM's simulation, security groups and the bucket, as the services answer.

ministack's simulation takes no context, so what a policy allows on a condition is refused there.
"""

from __future__ import annotations

import json
from typing import Any

import pytest

from include.aws.policies import policy
from include.doctor.remark import Finding
from lab.airflow_environment import aws_connection
from lab.state import ACCOUNT, State
from pinterest.doctor import exposure
from pinterest.doctor.account import Account
from pinterest.doctor.permissions import permissions
from tests.builders import BUCKET, USER_ID, settings
from tests.lab.lab_parts import client

ROLE = "doctors-airflow"
ARN = f"arn:aws:iam::{ACCOUNT}:role/{ROLE}"
SERVICE_LINKED = f"arn:aws:iam::{ACCOUNT}:role/aws-service-role/kafkaconnect.amazonaws.com/*"
KEYS = f"arn:aws:ssm:us-east-1:{ACCOUNT}:parameter/ec2/keypair/*"
ON_CONDITION = f"{ARN} may not iam:CreateServiceLinkedRole on {SERVICE_LINKED}: no policy allows it"


@pytest.fixture
def account(aws: State, monkeypatch) -> Account:
    monkeypatch.setenv("AIRFLOW_CONN_AWS_DEFAULT", json.dumps(aws_connection(aws)))
    return Account(settings(), ROLE)


@pytest.fixture
def role(aws: State) -> Any:
    """A role without policies; call it with one."""
    iam = client(aws, "iam")
    iam.create_role(RoleName=ROLE, AssumeRolePolicyDocument=json.dumps({"Version": "2012-10-17", "Statement": []}))

    def give(document: dict[str, Any]) -> None:
        iam.put_role_policy(RoleName=ROLE, PolicyName="airflow", PolicyDocument=json.dumps(document))

    yield give
    for name in iam.list_role_policies(RoleName=ROLE)["PolicyNames"]:
        iam.delete_role_policy(RoleName=ROLE, PolicyName=name)
    iam.delete_role(RoleName=ROLE)


def problems(remarks) -> list[str]:
    return [one.problem for one in remarks if isinstance(one, Finding)]


def test_a_role_with_the_whole_policy_may_do_all_of_it(account, role):
    role(policy("airflow", settings(), ACCOUNT))

    assert problems(permissions(account)) == [ON_CONDITION]


def test_every_statement_that_is_missing_is_named(account, role):
    whole = policy("airflow", settings(), ACCOUNT)
    left_out = ("ReadThePrivateKey", "KeepTheBucketsLifecycleRules")
    role(whole | {"Statement": [one for one in whole["Statement"] if one["Sid"] not in left_out]})

    assert problems(permissions(account)) == [
        f"{ARN} may not ssm:GetParameter on {KEYS}: no policy allows it",
        ON_CONDITION,
        f"{ARN} may not s3:GetLifecycleConfiguration, s3:PutLifecycleConfiguration on arn:aws:s3:::{BUCKET}: "
        "no policy allows it",
    ]


def test_a_role_without_the_policy_is_one_finding(account, role):
    [found] = problems(permissions(account))

    assert found == f"{ARN} may do nothing of the policy 'airflow': no policy allows it"


def test_a_door_for_everybody_is_found(account, aws):
    ec2 = client(aws, "ec2")
    vpc = ec2.describe_vpcs()["Vpcs"][0]["VpcId"]
    group = ec2.create_security_group(GroupName=f"{USER_ID}-kafka-client", Description="d", VpcId=vpc)["GroupId"]
    try:
        assert problems(exposure.groups(account)) == []
        rule = {"IpProtocol": "tcp", "FromPort": 8082, "ToPort": 8082, "IpRanges": [{"CidrIp": "0.0.0.0/0"}]}
        ec2.authorize_security_group_ingress(GroupId=group, IpPermissions=[rule])

        [found] = problems(exposure.groups(account))
        assert found.endswith("lets everybody in: TCP 8082 from 0.0.0.0/0 (the REST proxy)")
    finally:
        ec2.delete_security_group(GroupId=group)


def test_a_bucket_is_closed_when_its_block_is_whole(account, aws):
    s3 = client(aws, "s3")
    s3.create_bucket(Bucket=BUCKET)

    assert [one.split(":")[0] for one in problems(exposure.bucket(account))] == [f"bucket {BUCKET} may be made public"]
    s3.put_public_access_block(
        Bucket=BUCKET,
        PublicAccessBlockConfiguration={
            "BlockPublicAcls": True,
            "IgnorePublicAcls": True,
            "BlockPublicPolicy": True,
            "RestrictPublicBuckets": True,
        },
    )
    assert problems(exposure.bucket(account)) == []
    s3.delete_public_access_block(Bucket=BUCKET)

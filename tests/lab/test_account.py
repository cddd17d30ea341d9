"""What the pipeline finds in the account, read with boto3 as the pipeline reads it: little."""

from __future__ import annotations

import json
from types import SimpleNamespace

import pytest

from include.aws.s3_lifecycle import with_ours
from lab import account
from lab.state import State
from pinterest.operators.s3 import S3LifecycleOperator
from tests.lab.lab_parts import client, running, start_aws


@pytest.fixture(scope="module")
def prepared(tmp_path_factory) -> State:
    """An account of its own, which no other test has put anything into."""
    state = State.open(tmp_path_factory.mktemp("account"))
    with running(start_aws(state)):
        account.prepare(state)
        yield state


def test_the_account_starts_empty(prepared):
    ec2, iam = client(prepared, "ec2"), client(prepared, "iam")

    assert client(prepared, "s3").list_buckets()["Buckets"] == []
    assert ec2.describe_instances()["Reservations"] == []
    assert ec2.describe_key_pairs()["KeyPairs"] == []
    assert ec2.describe_vpc_endpoints()["VpcEndpoints"] == []
    assert iam.list_roles()["Roles"] == []
    assert iam.list_instance_profiles()["InstanceProfiles"] == []
    assert client(prepared, "kafka").list_clusters_v2()["ClusterInfoList"] == []


def test_the_network_is_what_aws_gives_everyone(prepared):
    ec2 = client(prepared, "ec2")
    [vpc] = ec2.describe_vpcs()["Vpcs"]
    groups = ec2.describe_security_groups()["SecurityGroups"]

    assert vpc["IsDefault"]
    assert [group["GroupName"] for group in groups] == ["default"]


def test_the_secrets_are_kept_for_the_other_parts(prepared):
    kept = json.loads(prepared.path("secrets.json").read_text())

    assert {"databricks_token", "aws_access_key_id", "aws_secret_access_key"} <= set(kept)
    assert len({kept["databricks_token"], kept["aws_access_key_id"], kept["aws_secret_access_key"]}) == 3


def test_a_second_call_changes_nothing(prepared):
    before = prepared.path("secrets.json").read_text()
    account.prepare(prepared)

    assert prepared.path("secrets.json").read_text() == before


def test_the_bucket_takes_lifecycle_rules_and_keeps_those_of_others(prepared, monkeypatch):
    s3, bucket = client(prepared, "s3"), "rules"
    s3.create_bucket(Bucket=bucket)
    monkeypatch.setattr(S3LifecycleOperator, "hook", SimpleNamespace(conn=s3))
    others = {"ID": "theirs", "Status": "Enabled", "Filter": {"Prefix": "logs/"}, "Expiration": {"Days": 1}}
    s3.put_bucket_lifecycle_configuration(Bucket=bucket, LifecycleConfiguration={"Rules": [others]})

    for days, expected in (("90", with_ours([others], 90)), ("90", with_ours([others], 90)), ("", [others])):
        S3LifecycleOperator(task_id="lifecycle", bucket=bucket, days=days).execute({})
        assert s3.get_bucket_lifecycle_configuration(Bucket=bucket)["Rules"] == expected

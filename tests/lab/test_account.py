"""What the pipeline finds in the account, read with boto3 as the pipeline reads it."""

from __future__ import annotations

import io
import json
from types import SimpleNamespace

import paramiko
import pytest

from include.aws.s3_lifecycle import with_ours
from lab import account
from lab.state import State
from pinterest.operators.s3 import S3LifecycleOperator
from tests.lab.lab_parts import client, running, start_cloud

USER_ID = "0e36c8cd403d"


@pytest.fixture(scope="module")
def prepared(aws) -> State:
    account.prepare(aws)
    return aws


def key_pair_id(state: State) -> str:
    return client(state, "ec2").describe_key_pairs(KeyNames=[f"{USER_ID}-key-pair"])["KeyPairs"][0]["KeyPairId"]


def private_key(state: State) -> str:
    parameter = client(state, "ssm").get_parameter(Name=f"/ec2/keypair/{key_pair_id(state)}", WithDecryption=True)
    assert parameter["Parameter"]["Type"] == "SecureString"
    return parameter["Parameter"]["Value"]


def instances(state: State) -> list[dict]:
    filters = [{"Name": "tag:Name", "Values": [USER_ID]}, {"Name": "instance-state-name", "Values": ["running"]}]
    pages = client(state, "ec2").describe_instances(Filters=filters)["Reservations"]
    return [instance for reservation in pages for instance in reservation["Instances"]]


def test_one_instance_runs_under_the_user_s_name(prepared):
    [instance] = instances(prepared)

    assert instance["KeyName"] == f"{USER_ID}-key-pair"
    assert instance["PublicDnsName"]
    assert instance["IamInstanceProfile"]["Arn"].endswith(f"{USER_ID}-ec2-access-role")


def test_the_key_in_parameter_store_opens_the_client_machine(prepared):
    with running(start_cloud(prepared, "ssh_host")), paramiko.SSHClient() as ssh:
        ssh.set_missing_host_key_policy(paramiko.AutoAddPolicy())
        key = paramiko.Ed25519Key.from_private_key(io.StringIO(private_key(prepared)))
        ssh.connect("127.0.0.1", prepared.port("ssh"), "ec2-user", pkey=key, look_for_keys=False, allow_agent=False)
        assert ssh.exec_command("echo in")[1].read() == b"in\n"


def test_the_cluster_gives_the_lab_s_brokers(prepared):
    kafka = client(prepared, "kafka")
    [cluster] = kafka.list_clusters(ClusterNameFilter="pinterest-msk-cluster")["ClusterInfoList"]

    assert cluster["State"] == "ACTIVE"
    brokers = kafka.get_bootstrap_brokers(ClusterArn=cluster["ClusterArn"])
    assert brokers["BootstrapBrokerString"] == f"127.0.0.1:{prepared.port('kafka')}"


def test_the_bucket_takes_objects(prepared):
    s3 = client(prepared, "s3")
    s3.put_object(Bucket=f"user-{USER_ID}-bucket", Key="topics/a", Body=b"1")

    assert s3.get_object(Bucket=f"user-{USER_ID}-bucket", Key="topics/a")["Body"].read() == b"1"


@pytest.mark.parametrize(
    ("role", "service"), [("ec2-access-role", "ec2.amazonaws.com"), ("s3-sink-role", "kafkaconnect.amazonaws.com")]
)
def test_a_role_trusts_one_service_and_may_do_nothing_to_a_whole_service(prepared, role, service):
    iam = client(prepared, "iam")
    name = f"{USER_ID}-{role}"
    [trusted] = statements(iam.get_role(RoleName=name)["Role"]["AssumeRolePolicyDocument"])
    [policy] = iam.list_role_policies(RoleName=name)["PolicyNames"]
    allowed = statements(iam.get_role_policy(RoleName=name, PolicyName=policy)["PolicyDocument"])

    assert (trusted["Action"], trusted["Principal"]) == ("sts:AssumeRole", {"Service": service})
    assert [action for statement in allowed for action in statement["Action"] if "*" in action] == []


def statements(document: dict | str) -> list[dict]:
    return (json.loads(document) if isinstance(document, str) else document)["Statement"]


def test_what_a_role_might_do_before_is_taken_from_it(prepared):
    iam = client(prepared, "iam")
    role = f"{USER_ID}-ec2-access-role"
    everything = {"Effect": "Allow", "Action": "kafka-cluster:*", "Resource": "*"}
    document = json.dumps({"Version": "2012-10-17", "Statement": [everything]})
    iam.put_role_policy(RoleName=role, PolicyName="bucket-and-topics", PolicyDocument=document)
    account.prepare(prepared)

    assert iam.list_role_policies(RoleName=role)["PolicyNames"] == ["pinterest-pipeline"]


def test_the_secrets_are_kept_for_the_other_parts(prepared):
    kept = json.loads(prepared.path("secrets.json").read_text())

    assert {"databricks_token", "aws_access_key_id", "aws_secret_access_key"} <= set(kept)
    assert len({kept["databricks_token"], kept["aws_access_key_id"], kept["aws_secret_access_key"]}) == 3


def test_a_second_call_changes_nothing(prepared):
    def facts():
        clusters = client(prepared, "kafka").list_clusters()["ClusterInfoList"]
        return (
            [instance["InstanceId"] for instance in instances(prepared)],
            key_pair_id(prepared),
            private_key(prepared),
            [cluster["ClusterArn"] for cluster in clusters],
            [bucket["CreationDate"] for bucket in client(prepared, "s3").list_buckets()["Buckets"]],
        )

    before = facts()
    account.prepare(prepared)

    assert facts() == before


def test_a_stopped_instance_is_started_again(prepared):
    [instance] = instances(prepared)
    client(prepared, "ec2").stop_instances(InstanceIds=[instance["InstanceId"]])
    account.prepare(prepared)

    assert [i["InstanceId"] for i in instances(prepared)] == [instance["InstanceId"]]


def test_a_new_key_of_the_machine_replaces_the_old_one(prepared):
    old = private_key(prepared)
    prepared.path("client_machine", "client_key").unlink()
    account.prepare(prepared)

    assert private_key(prepared) != old
    assert private_key(prepared) == prepared.path("client_machine", "client_key").read_text()


def test_the_bucket_takes_lifecycle_rules_and_keeps_those_of_others(prepared, monkeypatch):
    s3, bucket = client(prepared, "s3"), f"user-{USER_ID}-bucket"
    monkeypatch.setattr(S3LifecycleOperator, "hook", SimpleNamespace(conn=s3))
    others = {"ID": "theirs", "Status": "Enabled", "Filter": {"Prefix": "logs/"}, "Expiration": {"Days": 1}}
    s3.put_bucket_lifecycle_configuration(Bucket=bucket, LifecycleConfiguration={"Rules": [others]})

    for days, expected in (("90", with_ours([others], 90)), ("90", with_ours([others], 90)), ("", [others])):
        S3LifecycleOperator(task_id="lifecycle", bucket=bucket, days=days).execute({})
        assert s3.get_bucket_lifecycle_configuration(Bucket=bucket)["Rules"] == expected

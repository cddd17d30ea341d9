"""Creates in the lab what an AWS account holds before the pipeline first runs: ``python -m lab.account``.

A key pair with its private key in Parameter Store, the Kafka client instance, the MSK cluster, the bucket and the
roles, which may do what the policies that the pipeline ships say. Everything is looked up by name or tag first, so a
second call changes nothing. If the client machine has a new key because its folder was wiped, the parameter is updated.
"""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

from jinja2 import Environment, FileSystemLoader, StrictUndefined

from lab.aws.client import aws
from lab.cloud.ssh_host import FOLDER, client_key
from lab.state import ACCOUNT, CHECKOUT, REGION, USER_ID, State

KEY_PAIR = f"{USER_ID}-key-pair"
ROLE = f"{USER_ID}-ec2-access-role"
SINK_ROLE = f"{USER_ID}-s3-sink-role"
POLICY = "pinterest-pipeline"
BUCKET = f"user-{USER_ID}-bucket"
CLUSTER = "pinterest-msk-cluster"
SECRETS = ("databricks_token", "aws_access_key_id", "aws_secret_access_key")

POLICIES = CHECKOUT / "include" / "templates" / "policies"
IN_POLICIES = SimpleNamespace(
    user_id=USER_ID,
    region=REGION,
    bucket=BUCKET,
    consumer_group="students",
    connector=f"{USER_ID}-connector",
    dead_letter_topic=f"{USER_ID}-dead-letters",
    kafka=SimpleNamespace(cluster_name=CLUSTER, role_arn=None),
)
"""What the policies that the pipeline ships take from its settings."""


def prepare(state: State) -> None:
    """Create what is missing. ministack must be running."""
    for name in SECRETS:
        state.secret(name)
    bucket(aws(state, "s3"))
    roles(aws(state, "iam"))
    key_pair(aws(state, "ec2"), aws(state, "ssm"), state)
    instance(aws(state, "ec2"))
    cluster(aws(state, "kafka"))


def bucket(s3: Any) -> None:
    if BUCKET not in {bucket["Name"] for bucket in s3.list_buckets()["Buckets"]}:
        s3.create_bucket(Bucket=BUCKET)


def roles(iam: Any) -> None:
    """The roles of the client instance, with an instance profile of the same name, and of the S3 sink."""
    role(iam, ROLE, "kafka_client")
    role(iam, SINK_ROLE, "s3_sink")
    try:
        profile = iam.get_instance_profile(InstanceProfileName=ROLE)["InstanceProfile"]
    except iam.exceptions.NoSuchEntityException:
        profile = iam.create_instance_profile(InstanceProfileName=ROLE)["InstanceProfile"]
    if not profile["Roles"]:
        iam.add_role_to_instance_profile(InstanceProfileName=ROLE, RoleName=ROLE)


def role(iam: Any, name: str, policies: str) -> None:
    """A role with the trust and the permissions that the pipeline ships under that name, and no others."""
    trust = policy(f"{policies}.trust")
    try:
        iam.create_role(RoleName=name, AssumeRolePolicyDocument=trust)
    except iam.exceptions.EntityAlreadyExistsException:
        iam.update_assume_role_policy(RoleName=name, PolicyDocument=trust)
    for other in set(iam.list_role_policies(RoleName=name)["PolicyNames"]) - {POLICY}:
        iam.delete_role_policy(RoleName=name, PolicyName=other)
    iam.put_role_policy(RoleName=name, PolicyName=POLICY, PolicyDocument=policy(policies))


def policy(name: str) -> str:
    """One of the policies that the pipeline ships, filled for the lab."""
    templates = Environment(loader=FileSystemLoader(POLICIES), undefined=StrictUndefined)
    return templates.get_template(f"{name}.json").render(settings=lambda: IN_POLICIES, account_id=lambda: ACCOUNT)


def key_pair(ec2: Any, ssm: Any, state: State) -> None:
    """The client machine's key, stored as EC2 stores a pair it created: the private half in Parameter Store."""
    key = client_key(state)
    private_key = state.path(FOLDER, "client_key").read_text()
    found = ec2.describe_key_pairs(Filters=[{"Name": "key-name", "Values": [KEY_PAIR]}])["KeyPairs"]
    if found:
        pair_id = found[0]["KeyPairId"]
    else:
        public_key = key.export_public_key("openssh")
        pair_id = ec2.import_key_pair(KeyName=KEY_PAIR, PublicKeyMaterial=public_key)["KeyPairId"]
    name = f"/ec2/keypair/{pair_id}"
    try:
        kept = ssm.get_parameter(Name=name, WithDecryption=True)["Parameter"]["Value"]
    except ssm.exceptions.ParameterNotFound:
        kept = None
    if kept != private_key:
        ssm.put_parameter(Name=name, Value=private_key, Type="SecureString", Overwrite=kept is not None)


def instance(ec2: Any) -> None:
    alive = [
        {"Name": "tag:Name", "Values": [USER_ID]},
        {"Name": "instance-state-name", "Values": ["running", "stopped"]},
    ]
    reservations = ec2.describe_instances(Filters=alive)["Reservations"]
    found = [instance for reservation in reservations for instance in reservation["Instances"]]
    if not found:
        ec2.run_instances(
            ImageId="ami-00000000",
            InstanceType="t2.micro",
            MinCount=1,
            MaxCount=1,
            KeyName=KEY_PAIR,
            IamInstanceProfile={"Name": ROLE},
            TagSpecifications=[{"ResourceType": "instance", "Tags": [{"Key": "Name", "Value": USER_ID}]}],
        )
    elif found[0]["State"]["Name"] == "stopped":
        ec2.start_instances(InstanceIds=[found[0]["InstanceId"]])


def cluster(kafka: Any) -> None:
    clusters = kafka.list_clusters(ClusterNameFilter=CLUSTER)["ClusterInfoList"]
    if not any(cluster["ClusterName"] == CLUSTER for cluster in clusters):
        kafka.create_cluster(
            ClusterName=CLUSTER,
            KafkaVersion="3.7.x",
            NumberOfBrokerNodes=1,
            BrokerNodeGroupInfo={"InstanceType": "kafka.t3.small", "ClientSubnets": ["subnet-00000001"]},
        )


if __name__ == "__main__":
    prepare(State.open())

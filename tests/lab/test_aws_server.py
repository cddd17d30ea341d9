"""What the wrapper adds to ministack: nothing acknowledged is lost, and programs on this machine only."""

from __future__ import annotations

import json
import signal
import stat
from contextlib import suppress

import psutil
import pytest
import requests
from botocore.exceptions import ClientError

from lab.calls import access_key, calls
from lab.state import State
from tests.lab.lab_parts import client, running, start_aws, wait_until


@pytest.fixture
def apart(tmp_path) -> State:
    return State.open(root=tmp_path / "state")


def saved(state: State, service: str) -> str:
    path = state.path("ministack", "services", f"{service}.json")
    return path.read_text() if path.exists() else ""


def change_everything(state: State) -> None:
    s3 = client(state, "s3")
    s3.create_bucket(Bucket="kept-bucket")
    s3.put_object(Bucket="kept-bucket", Key="a/b+c:d", Body=b"kept")
    client(state, "apigateway").create_rest_api(name="kept-api")
    client(state, "kafka").create_cluster(
        ClusterName="kept-cluster",
        KafkaVersion="3.7.x",
        NumberOfBrokerNodes=1,
        BrokerNodeGroupInfo={"InstanceType": "kafka.t3.small", "ClientSubnets": ["subnet-1"]},
    )
    kinesis = client(state, "kinesis")
    kinesis.create_stream(StreamName="kept-stream", ShardCount=1)
    kinesis.put_record(StreamName="kept-stream", Data=b"kept-record", PartitionKey="1")
    client(state, "ssm").put_parameter(Name="/kept", Value="kept-value", Type="SecureString")


def everything(state: State) -> list[object]:
    kinesis = client(state, "kinesis")
    shard = kinesis.describe_stream(StreamName="kept-stream")["StreamDescription"]["Shards"][0]["ShardId"]
    start = {"StreamName": "kept-stream", "ShardId": shard, "ShardIteratorType": "TRIM_HORIZON"}
    records = kinesis.get_records(ShardIterator=kinesis.get_shard_iterator(**start)["ShardIterator"])["Records"]
    return [
        client(state, "s3").get_object(Bucket="kept-bucket", Key="a/b+c:d")["Body"].read(),
        [api["name"] for api in client(state, "apigateway").get_rest_apis()["items"]],
        [cluster["ClusterName"] for cluster in client(state, "kafka").list_clusters()["ClusterInfoList"]],
        [record["Data"] for record in records],
        client(state, "ssm").get_parameter(Name="/kept", WithDecryption=True)["Parameter"]["Value"],
    ]


EVERYTHING = [b"kept", ["kept-api"], ["kept-cluster"], [b"kept-record"], "kept-value"]


ON_DISK = ["kept-bucket", "kept-api", "kept-cluster", "a2VwdC1yZWNvcmQ=", "kept-value"]


def all_saved(state: State) -> str:
    return "".join(path.read_text() for path in state.path("ministack").rglob("[!.]*.json*"))


def test_a_kill_loses_nothing_that_is_a_moment_old(apart):
    part = start_aws(apart)
    change_everything(apart)
    wait_until(lambda: all(kept in all_saved(apart) for kept in ON_DISK), "the changes are on disk", deadline=15)
    part.kill()
    with running(start_aws(apart)):
        assert everything(apart) == EVERYTHING


def test_a_kill_loses_no_bucket_however_young(apart):
    part = start_aws(apart)
    s3 = client(apart, "s3")
    names = [f"bucket-{number}" for number in range(3)]
    for name in names:
        s3.create_bucket(Bucket=name)
    s3.delete_bucket(Bucket=names.pop())
    part.kill()
    with running(start_aws(apart)):
        assert [bucket["Name"] for bucket in client(apart, "s3").list_buckets()["Buckets"]] == names


def test_a_stop_loses_nothing(apart):
    part = start_aws(apart)
    change_everything(apart)
    part.process.send_signal(signal.SIGTERM)
    assert part.process.wait(20) == 0
    with running(start_aws(apart)):
        assert everything(apart) == EVERYTHING


def test_what_is_kept_is_readable_by_its_owner_only(aws):
    client(aws, "ssm").put_parameter(Name="/secret", Value="private", Type="SecureString", Overwrite=True)
    wait_until(lambda: "/secret" in saved(aws, "ssm"), "the parameter is on disk")
    files = [path for path in aws.path("ministack").rglob("*") if path.is_file()]

    assert files
    assert {stat.S_IMODE(path.stat().st_mode) & 0o077 for path in files} == {0}
    assert stat.S_IMODE(aws.path("ministack").stat().st_mode) == 0o700


def test_a_file_is_written_only_when_its_content_changed(aws):
    ssm = client(aws, "ssm")
    ssm.put_parameter(Name="/written-once", Value="1", Type="String", Overwrite=True)
    wait_until(lambda: "/written-once" in saved(aws, "ssm"), "the parameter is on disk")
    before = aws.path("ministack", "services", "ssm.json").stat().st_mtime_ns
    client(aws, "s3").create_bucket(Bucket="another-bucket")
    wait_until(lambda: "another-bucket" in saved(aws, "s3"), "the bucket is on disk")

    assert aws.path("ministack", "services", "ssm.json").stat().st_mtime_ns == before


def test_every_listener_is_on_loopback(apart):
    with running(start_aws(apart)) as part:
        connections = psutil.Process(part.process.pid).net_connections()
        listening = {c.laddr for c in connections if c.status == psutil.CONN_LISTEN}

    assert listening == {("127.0.0.1", apart.port("aws"))}


@pytest.mark.parametrize(
    ("headers", "path"),
    [
        pytest.param({"Origin": "https://example.org"}, "/", id="a web page"),
        pytest.param({"Host": "attacker.example:80"}, "/", id="a web page under another name"),
        pytest.param({}, "/_ministack/reset", id="ministack's reset"),
        pytest.param({}, "/_ministack/config", id="ministack's configuration"),
    ],
)
def test_what_is_not_for_us_is_refused(aws, headers, path):
    answer = requests.post(f"http://127.0.0.1:{aws.port('aws')}{path}", headers=headers)

    assert answer.status_code == 403


def test_health_is_answered_by_the_process_that_was_started(apart):
    with running(start_aws(apart)) as part:
        health = requests.get(f"http://127.0.0.1:{apart.port('aws')}/_lab/health").json()

    assert health == {"service": "aws", "pid": part.process.pid}


def test_a_change_of_api_gateway_makes_the_revision_longer(aws):
    revision = aws.path("ministack", "apigateway.revision")
    before = revision.stat().st_size
    api = client(aws, "apigateway")
    api.create_rest_api(name="one")
    after_change = revision.stat().st_size
    api.get_rest_apis()
    client(aws, "ssm").put_parameter(Name="/other", Value="1", Type="String", Overwrite=True)

    assert after_change > before
    assert revision.stat().st_size == after_change


def test_the_region_and_the_account_are_the_lab_s(aws):
    identity = client(aws, "sts").get_caller_identity()

    assert identity["Account"] == "000000000000"


def test_a_service_error_stays_a_service_error(aws):
    with pytest.raises(ClientError, match="ParameterNotFound"):
        client(aws, "ssm").get_parameter(Name="/nothing")


def test_the_state_on_disk_is_json_after_many_changes(aws):
    ssm = client(aws, "ssm")
    for number in range(30):
        ssm.put_parameter(Name=f"/many/{number}", Value="x", Type="String", Overwrite=True)
        text = saved(aws, "ssm")
        assert not text or json.loads(text)


NODES = {"InstanceType": "kafka.t3.small", "ClientSubnets": ["subnet-1", "subnet-2"], "SecurityGroups": ["sg-1"]}


def create_cluster(kafka, name, brokers=2):
    own = {"KafkaVersion": "3.9.x", "NumberOfBrokerNodes": brokers, "BrokerNodeGroupInfo": NODES}
    return kafka.create_cluster_v2(ClusterName=name, Tags={"user_id": "u"}, Provisioned=own)


class TestMsk:
    def test_a_cluster_takes_a_moment_to_come_and_to_go(self, aws):
        kafka = client(aws, "kafka")
        answer = create_cluster(kafka, "comes")
        arn, state = answer["ClusterArn"], lambda: kafka.describe_cluster_v2(ClusterArn=arn)["ClusterInfo"]["State"]

        assert (answer["State"], answer["ClusterType"], state()) == ("CREATING", "PROVISIONED", "CREATING")
        with pytest.raises(ClientError, match="CREATING state"):
            kafka.get_bootstrap_brokers(ClusterArn=arn)
        with pytest.raises(ClientError, match="can't delete cluster in CREATING state"):
            kafka.delete_cluster(ClusterArn=arn)
        wait_until(lambda: state() == "ACTIVE", "the cluster is ACTIVE")
        brokers = kafka.get_bootstrap_brokers(ClusterArn=arn)
        assert brokers["BootstrapBrokerString"] == f"127.0.0.1:{aws.port('kafka')}"
        assert kafka.delete_cluster(ClusterArn=arn)["State"] == "DELETING"
        with pytest.raises(ClientError, match="NotFoundException"):
            state()

    def test_a_cluster_is_listed_as_it_was_asked_for(self, aws):
        kafka = client(aws, "kafka")
        create_cluster(kafka, "listed-v2")

        [found] = kafka.list_clusters_v2(ClusterNameFilter="listed-v")["ClusterInfoList"]
        assert (found["ClusterName"], found["Tags"]) == ("listed-v2", {"user_id": "u"})
        assert found["Provisioned"]["BrokerNodeGroupInfo"] == NODES
        assert found["Provisioned"]["NumberOfBrokerNodes"] == 2

    def test_what_msk_refuses_is_refused(self, aws):
        kafka = client(aws, "kafka")
        create_cluster(kafka, "twice")

        with pytest.raises(ClientError, match="ConflictException"):
            create_cluster(kafka, "twice")
        with pytest.raises(ClientError, match="multiple of Availability Zones"):
            create_cluster(kafka, "uneven", brokers=3)
        with pytest.raises(ClientError, match="NotFoundException"):
            kafka.describe_cluster_v2(ClusterArn="arn:aws:kafka:us-east-1:000000000000:cluster/none/1")

    def test_clusters_are_the_same_in_both_versions_of_the_api(self, aws):
        kafka = client(aws, "kafka")
        network = {"InstanceType": "kafka.t3.small", "ClientSubnets": ["subnet-1"]}
        arn = kafka.create_cluster(
            ClusterName="listed", KafkaVersion="3.7.x", NumberOfBrokerNodes=1, BrokerNodeGroupInfo=network
        )["ClusterArn"]

        for found in (kafka.list_clusters(), kafka.list_clusters_v2()):
            assert ("listed", arn) in {(one["ClusterName"], one["ClusterArn"]) for one in found["ClusterInfoList"]}

    def test_http_apis_have_no_vpc_links(self, aws):
        assert client(aws, "apigatewayv2").get_vpc_links()["Items"] == []


ACCOUNT = "arn:aws:{}:us-east-1:000000000000"
CALLS = [
    (
        "s3",
        "put_object",
        {"Bucket": "asked", "Key": "a b/c+d:e", "Body": b"1"},
        "s3:PutObject",
        "arn:aws:s3:::asked/a b/c+d:e",
    ),
    ("s3", "head_object", {"Bucket": "asked", "Key": "a b/c+d:e"}, "s3:GetObject", "arn:aws:s3:::asked/a b/c+d:e"),
    ("s3", "list_objects_v2", {"Bucket": "asked", "Prefix": "a"}, "s3:ListBucket", "arn:aws:s3:::asked"),
    (
        "s3",
        "copy_object",
        {"Bucket": "asked", "Key": "copy", "CopySource": {"Bucket": "asked", "Key": "a b/c+d:e"}},
        "s3:GetObject",
        "arn:aws:s3:::asked/a b/c+d:e",
    ),
    (
        "ssm",
        "put_parameter",
        {"Name": "/asked", "Value": "1", "Type": "String", "Overwrite": True},
        "ssm:PutParameter",
        f"{ACCOUNT.format('ssm')}:parameter/asked",
    ),
    ("ec2", "describe_instances", {}, "ec2:DescribeInstances", "*"),
    (
        "ec2",
        "start_instances",
        {"InstanceIds": ["i-0123456789abcdef0"]},
        "ec2:StartInstances",
        f"{ACCOUNT.format('ec2')}:instance/any",
    ),
    (
        "ec2",
        "run_instances",
        {"ImageId": "ami-1", "MinCount": 1, "MaxCount": 1},
        "ec2:RunInstances",
        f"{ACCOUNT.format('ec2')}:subnet/any",
    ),
    ("kafka", "list_clusters", {}, "kafka:ListClusters", "*"),
    (
        "kafka",
        "describe_cluster_v2",
        {"ClusterArn": f"{ACCOUNT.format('kafka')}:cluster/asked/1"},
        "kafka:DescribeClusterV2",
        f"{ACCOUNT.format('kafka')}:cluster/asked/1",
    ),
    (
        "kafka",
        "create_cluster_v2",
        {"ClusterName": "asked-v2", "Serverless": {"VpcConfigs": [{"SubnetIds": ["subnet-1"]}]}},
        "kafka:CreateClusterV2",
        "*",
    ),
    (
        "kafka",
        "delete_cluster",
        {"ClusterArn": f"{ACCOUNT.format('kafka')}:cluster/asked/1"},
        "kafka:DeleteCluster",
        f"{ACCOUNT.format('kafka')}:cluster/asked/1",
    ),
    ("kafka", "list_clusters_v2", {}, "kafka:ListClustersV2", "*"),
    ("logs", "describe_log_groups", {"logGroupNamePrefix": "/asked"}, "logs:DescribeLogGroups", "*"),
    *(
        ("logs", operation, {"logGroupName": "/asked", **more}, action, f"{ACCOUNT.format('logs')}:log-group:/asked")
        for operation, more, action in (
            ("create_log_group", {}, "logs:CreateLogGroup"),
            ("put_retention_policy", {"retentionInDays": 14}, "logs:PutRetentionPolicy"),
            ("describe_log_streams", {}, "logs:DescribeLogStreams"),
            ("delete_log_group", {}, "logs:DeleteLogGroup"),
        )
    ),
    ("apigateway", "get_vpc_links", {}, "apigateway:GET", "arn:aws:apigateway:us-east-1::/vpclinks"),
    (
        "apigateway",
        "create_vpc_link",
        {"name": "asked", "targetArns": ["arn:nothing"]},
        "apigateway:POST",
        "arn:aws:apigateway:us-east-1::/vpclinks",
    ),
    (
        "apigateway",
        "delete_vpc_link",
        {"vpcLinkId": "abc123"},
        "apigateway:DELETE",
        "arn:aws:apigateway:us-east-1::/vpclinks/abc123",
    ),
    (
        "elbv2",
        "create_load_balancer",
        {"Name": "asked", "Type": "network"},
        "elasticloadbalancing:CreateLoadBalancer",
        f"{ACCOUNT.format('elasticloadbalancing')}:loadbalancer/net/asked/0123456789abcdef",
    ),
    ("elbv2", "describe_load_balancers", {}, "elasticloadbalancing:DescribeLoadBalancers", "*"),
    (
        "elbv2",
        "register_targets",
        {"TargetGroupArn": "arn:group", "Targets": [{"Id": "i-1"}]},
        "elasticloadbalancing:RegisterTargets",
        "arn:group",
    ),
    ("apigatewayv2", "get_vpc_links", {}, "apigateway:GET", "arn:aws:apigateway:us-east-1::/vpclinks"),
    (
        "kinesis",
        "list_tags_for_stream",
        {"StreamName": "asked"},
        "kinesis:ListTagsForStream",
        f"{ACCOUNT.format('kinesis')}:stream/asked",
    ),
    ("iam", "list_role_tags", {"RoleName": "nobody"}, "iam:ListRoleTags", "arn:aws:iam::000000000000:role/nobody"),
    ("s3", "get_bucket_tagging", {"Bucket": "asked"}, "s3:GetBucketTagging", "arn:aws:s3:::asked"),
    ("s3", "list_object_versions", {"Bucket": "asked"}, "s3:ListBucketVersions", "arn:aws:s3:::asked"),
    ("kinesis", "list_streams", {}, "kinesis:ListStreams", "*"),
    ("apigateway", "get_rest_apis", {}, "apigateway:GET", "arn:aws:apigateway:us-east-1::/restapis"),
    ("iam", "get_role", {"RoleName": "nobody"}, "iam:GetRole", "arn:aws:iam::000000000000:role/nobody"),
]


def asked_of_aws(state: State) -> set[tuple[str, str, str]]:
    return {tuple(call) for call in calls(state)}


@pytest.fixture(scope="module")
def bucket(aws):
    client(aws, "s3").create_bucket(Bucket="asked")
    client(aws, "s3").put_object(Bucket="asked", Key="a b/c+d:e", Body=b"1")


class TestCalls:
    @pytest.mark.parametrize(("service", "operation", "arguments", "action", "resource"), CALLS)
    def test_what_a_program_asks_for_is_kept_in_iams_words(
        self, aws, bucket, service, operation, arguments, action, resource
    ):
        airflow = client(aws, service, access_key(aws, "airflow"))
        with suppress(ClientError):
            getattr(airflow, operation)(**arguments)

        assert ("airflow", action, resource) in asked_of_aws(aws)

    def test_a_body_that_was_read_for_it_arrives(self, aws):
        ssm = client(aws, "ssm", access_key(aws, "airflow"))
        ssm.put_parameter(Name="/long", Value="x" * 4000, Type="String", Overwrite=True)

        assert ssm.get_parameter(Name="/long")["Parameter"]["Value"] == "x" * 4000

    def test_reading_by_an_iterator_is_on_its_stream(self, aws):
        kinesis = client(aws, "kinesis", access_key(aws, "databricks"))
        kinesis.create_stream(StreamName="read", ShardCount=1)
        shard = kinesis.list_shards(StreamName="read")["Shards"][0]["ShardId"]
        start = kinesis.get_shard_iterator(StreamName="read", ShardId=shard, ShardIteratorType="LATEST")
        kinesis.get_records(ShardIterator=start["ShardIterator"])

        assert ("databricks", "kinesis:GetRecords", f"{ACCOUNT.format('kinesis')}:stream/read") in asked_of_aws(aws)

    def test_brokers_are_asked_of_a_cluster(self, aws):
        kafka = client(aws, "kafka", access_key(aws, "airflow"))
        network = {"InstanceType": "kafka.t3.small", "ClientSubnets": ["subnet-1"]}
        cluster = kafka.create_cluster(
            ClusterName="asked", KafkaVersion="3.7.x", NumberOfBrokerNodes=1, BrokerNodeGroupInfo=network
        )["ClusterArn"]
        kafka.get_bootstrap_brokers(ClusterArn=cluster)

        assert ("airflow", "kafka:GetBootstrapBrokers", cluster) in asked_of_aws(aws)

    def test_a_presigned_address_counts_for_who_signed_it(self, aws, bucket):
        s3 = client(aws, "s3", access_key(aws, "airflow"))
        address = s3.generate_presigned_url("put_object", Params={"Bucket": "asked", "Key": "presigned"})
        requests.put(address, data=b"1").raise_for_status()

        assert ("airflow", "s3:PutObject", "arn:aws:s3:::asked/presigned") in asked_of_aws(aws)

    def test_calls_of_others_are_not_kept(self, aws):
        client(aws, "ssm").put_parameter(Name="/others", Value="1", Type="String", Overwrite=True)

        assert [call for call in asked_of_aws(aws) if call[2].endswith("/others")] == []

"""The MSK Connect stand-in, driven with boto3 and a waiter, in front of a real Connect worker."""

from __future__ import annotations

import base64
import io
import json
import uuid
import zipfile
from collections.abc import Iterator
from typing import Any
from unittest import mock

import boto3
import pytest
from botocore.exceptions import ClientError, WaiterError
from botocore.waiter import WaiterModel, create_waiter_with_client

from include.aws.msk_connect import log_delivery
from lab.airflow_environment import aws_connection
from lab.state import State
from lab.supervision import Supervisor
from pinterest.hooks.sink_logs import SinkLogsHook
from tests.lab.kafka_parts import SECONDS, Connect, new_bucket, new_topic, numbered, produce, s3, supervised
from tests.lab.lab_parts import Part, client, start_cloud, wait_until

CONNECTOR_CLASS = "pinterest.lab.S3SinkConnector"
WAITERS = {
    "version": 2,
    "waiters": {
        "connector_running": {
            "operation": "DescribeConnector",
            "delay": 1,
            "maxAttempts": SECONDS,
            "acceptors": [
                {"matcher": "path", "argument": "connectorState", "expected": "RUNNING", "state": "success"},
                {"matcher": "path", "argument": "connectorState", "expected": "FAILED", "state": "failure"},
            ],
        },
        "connector_deleted": {
            "operation": "DescribeConnector",
            "delay": 1,
            "maxAttempts": SECONDS,
            "acceptors": [{"matcher": "error", "expected": "NotFoundException", "state": "success"}],
        },
        "plugin_active": {
            "operation": "DescribeCustomPlugin",
            "delay": 1,
            "maxAttempts": SECONDS,
            "acceptors": [
                {"matcher": "path", "argument": "customPluginState", "expected": "ACTIVE", "state": "success"},
                {"matcher": "path", "argument": "customPluginState", "expected": "CREATE_FAILED", "state": "failure"},
            ],
        },
    },
}


@pytest.fixture(scope="module")
def state(tmp_path_factory) -> State:
    return State.open(root=tmp_path_factory.mktemp("state"))


@pytest.fixture(scope="module")
def supervisor(state) -> Iterator[Supervisor]:
    with supervised(state, "kafka", "aws", "connect") as supervisor:
        yield supervisor


class StandIn:
    """The stand-in's process, which a test may kill, and a boto3 client."""

    def __init__(self, state: State) -> None:
        self.state = state
        self.part = start_cloud(state, "msk_connect")
        self.client = boto3.client(
            "kafkaconnect",
            endpoint_url=f"http://127.0.0.1:{state.port('msk_connect')}",
            region_name="us-east-1",
            aws_access_key_id="anything",
            aws_secret_access_key="anything",
        )

    def kill_and_start(self) -> None:
        self.part.kill()
        self.part: Part = start_cloud(self.state, "msk_connect")

    def wait(self, waiter: str, **arguments: str) -> None:
        create_waiter_with_client(waiter, WaiterModel(WAITERS), self.client).wait(**arguments)

    def create_plugin(self, bucket: str, key: str) -> str:
        location = {"s3Location": {"bucketArn": f"arn:aws:s3:::{bucket}", "fileKey": key}}
        name = f"plugin-{uuid.uuid4().hex[:8]}"
        created = self.client.create_custom_plugin(name=name, contentType="ZIP", location=location)
        assert (created["name"], created["customPluginState"], created["revision"]) == (name, "CREATING", 1)
        return created["customPluginArn"]

    def create_configuration(self) -> str:
        content = base64.b64encode(b"key.converter=org.apache.kafka.connect.storage.StringConverter\n").decode()
        created = self.client.create_worker_configuration(
            name=f"worker-{uuid.uuid4().hex[:8]}", propertiesFileContent=content
        )
        return created["workerConfigurationArn"]

    def create_connector(self, plugin_arn: str, configuration: dict[str, str], **given: Any) -> str:
        request = {
            "connectorName": f"connector-{uuid.uuid4().hex[:8]}",
            "capacity": {"provisionedCapacity": {"mcuCount": 1, "workerCount": 1}},
            "connectorConfiguration": configuration,
            "kafkaCluster": {
                "apacheKafkaCluster": {
                    "bootstrapServers": "b-1.example:9098",
                    "vpc": {"subnets": ["subnet-1"], "securityGroups": ["sg-1"]},
                }
            },
            "kafkaClusterClientAuthentication": {"authenticationType": "IAM"},
            "kafkaClusterEncryptionInTransit": {"encryptionType": "TLS"},
            "kafkaConnectVersion": "3.7.x",
            "plugins": [{"customPlugin": {"customPluginArn": plugin_arn, "revision": 1}}],
            "serviceExecutionRoleArn": "arn:aws:iam::000000000000:role/role",
        }
        return self.client.create_connector(**request | given)["connectorArn"]

    def describe(self, arn: str) -> dict[str, Any]:
        return self.client.describe_connector(connectorArn=arn)

    def delete(self, arn: str) -> None:
        assert self.client.delete_connector(connectorArn=arn)["connectorState"] == "DELETING"
        self.wait("connector_deleted", connectorArn=arn)


@pytest.fixture(scope="module")
def msk(state, supervisor) -> Iterator[StandIn]:
    stand_in = StandIn(state)
    yield stand_in
    stand_in.part.stop()


@pytest.fixture(scope="module")
def bucket(state, supervisor) -> str:
    """Holds the sink's archive."""
    name = new_bucket(state)
    s3(state).upload_file(str(state.install / "mirror" / "pinterest-s3-sink-1.0.zip"), name, "plugins/sink.zip")
    return name


@pytest.fixture(scope="module")
def plugin(msk, bucket) -> str:
    arn = msk.create_plugin(bucket, "plugins/sink.zip")
    msk.wait("plugin_active", customPluginArn=arn)
    return arn


@pytest.fixture
def configuration(state, bucket):
    def make(topic: str, **given: str) -> dict[str, str]:
        return {
            "connector.class": CONNECTOR_CLASS,
            "tasks.max": "1",
            "topics": topic,
            "s3.bucket.name": bucket,
            "s3.region": "us-east-1",
            "store.url": f"http://127.0.0.1:{state.port('aws')}",
            "flush.size": "5",
            "consumer.override.auto.offset.reset": "earliest",
        } | {name.replace("__", "."): value for name, value in given.items()}

    return make


def code(error: pytest.ExceptionInfo[ClientError]) -> str:
    return error.value.response["Error"]["Code"]


def test_a_plugin_is_active_when_the_worker_lists_its_connector(msk, plugin, state, bucket):
    described = msk.client.describe_custom_plugin(customPluginArn=plugin)
    revision = described["latestRevision"]
    archive = state.install / "mirror" / "pinterest-s3-sink-1.0.zip"
    assert revision["fileDescription"]["fileSize"] == archive.stat().st_size
    assert revision["location"]["s3Location"] == {
        "bucketArn": f"arn:aws:s3:::{bucket}",
        "fileKey": "plugins/sink.zip",
    }
    assert CONNECTOR_CLASS in [entry["class"] for entry in Connect(state).plugins()]


def zip_of(files: dict[str, bytes]) -> bytes:
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w") as archive:
        for name, content in files.items():
            archive.writestr(name, content)
    return buffer.getvalue()


SERVICE = {"META-INF/services/org.apache.kafka.connect.sink.SinkConnector": b"some.Connector"}


@pytest.mark.parametrize(
    ("content", "expected"),
    [
        pytest.param(None, "NoSuchKey", id="no object"),
        pytest.param(b"not a zip", "not a ZIP archive", id="no zip"),
        pytest.param(zip_of({"readme.txt": b"hello"}), "names no connector", id="no connector"),
        pytest.param(zip_of({"lib/a.jar": b"not a jar"}), "lib/a.jar is not a jar", id="no jar"),
        pytest.param(zip_of({"../../a.jar": zip_of(SERVICE)}), "leads outside it", id="path that leads out"),
    ],
)
def test_an_archive_that_cannot_be_a_plugin_fails_and_says_why(
    msk, plugin, state, bucket, supervisor, content, expected
):
    worker = supervisor.process("connect").pid
    key = f"plugins/{uuid.uuid4().hex}.zip"
    if content is not None:
        s3(state).put_object(Bucket=bucket, Key=key, Body=content)
    arn = msk.create_plugin(bucket, key)
    with pytest.raises(WaiterError) as failed:
        msk.wait("plugin_active", customPluginArn=arn)
    assert failed.value.last_response["customPluginState"] == "CREATE_FAILED"
    assert expected in failed.value.last_response["stateDescription"]["message"]
    assert supervisor.process("connect").pid == worker
    msk.client.delete_custom_plugin(customPluginArn=arn)


def test_a_connector_runs_with_its_configuration_unchanged(msk, plugin, state, bucket, configuration):
    topic = new_topic(state)
    wanted = configuration(topic, topics__dir="unchanged")
    workers = msk.create_configuration()
    arn = msk.create_connector(plugin, wanted, workerConfiguration={"workerConfigurationArn": workers, "revision": 1})
    assert msk.describe(arn)["connectorState"] == "CREATING"
    msk.wait("connector_running", connectorArn=arn)
    described = msk.describe(arn)
    assert described["connectorConfiguration"] == wanted
    assert described["kafkaClusterClientAuthentication"] == {"authenticationType": "IAM"}
    name = described["connectorName"]
    assert Connect(state).states(name) == ["RUNNING", "RUNNING"]
    assert Connect(state).configuration(name) == wanted | {"name": name}
    produce(state, topic, numbered(0, 5))
    wait_until(lambda: any(key.startswith("unchanged/") for key in keys(state, bucket)), "an object", SECONDS)
    with pytest.raises(ClientError) as refused:
        msk.client.delete_custom_plugin(customPluginArn=plugin)
    assert code(refused) == "BadRequestException"
    with pytest.raises(ClientError) as refused:
        msk.client.delete_worker_configuration(workerConfigurationArn=workers)
    assert code(refused) == "BadRequestException"
    msk.delete(arn)
    assert Connect(state).states(name) == []
    assert msk.client.delete_worker_configuration(workerConfigurationArn=workers)


def keys(state: State, bucket: str) -> list[str]:
    return [entry["Key"] for entry in s3(state).list_objects_v2(Bucket=bucket).get("Contents", [])]


def test_a_configuration_that_the_worker_refuses_makes_a_failed_connector(msk, plugin, configuration):
    arn = msk.create_connector(plugin, configuration("any", flush__size="0"))
    with pytest.raises(WaiterError) as failed:
        msk.wait("connector_running", connectorArn=arn)
    description = failed.value.last_response["stateDescription"]
    assert description["code"] == "InvalidInput.InvalidConnectorConfiguration"
    assert "flush.size" in description["message"]
    msk.delete(arn)


def test_a_task_that_fails_makes_a_failed_connector_with_its_trace(msk, plugin, state, configuration):
    group = "/aws/vendedlogs/test"
    client(state, "logs").create_log_group(logGroupName=group)
    delivery = log_delivery("log_group", log_group=group, bucket="", prefix="")
    arn = msk.create_connector(
        plugin, configuration(new_topic(state), s3__bucket__name="no-such-bucket"), logDelivery=delivery
    )
    with pytest.raises(WaiterError) as failed:
        msk.wait("connector_running", connectorArn=arn)
    assert "no-such-bucket cannot be used" in failed.value.last_response["stateDescription"]["message"]
    assert "no-such-bucket cannot be used" in worker_log(state, msk.describe(arn))
    msk.delete(arn)


def test_the_reason_of_a_refusal_is_delivered_to_the_bucket(msk, plugin, state, bucket, configuration):
    delivery = log_delivery("bucket", log_group="", bucket=bucket, prefix="sink_logs/u")
    arn = msk.create_connector(plugin, configuration("any", flush__size="0"), logDelivery=delivery)
    with pytest.raises(WaiterError):
        msk.wait("connector_running", connectorArn=arn)
    assert "flush.size" in worker_log(state, msk.describe(arn))
    msk.delete(arn)


def worker_log(state: State, connector: dict[str, Any]) -> str:
    """Its end, as the pipeline reads it."""
    with mock.patch.dict("os.environ", AIRFLOW_CONN_AWS_DEFAULT=json.dumps(aws_connection(state))):
        return SinkLogsHook(region_name="us-east-1").end(connector)


def test_an_update_needs_the_current_version_and_is_rolled_back_if_refused(msk, plugin, state, configuration):
    topic = new_topic(state)
    arn = msk.create_connector(plugin, configuration(topic))
    msk.wait("connector_running", connectorArn=arn)
    before = msk.describe(arn)
    wanted = configuration(topic, flush__size="7", tasks__max="2")

    def update(version: str, new: dict[str, str]) -> str:
        answer = msk.client.update_connector(connectorArn=arn, currentVersion=version, connectorConfiguration=new)
        operations.append(answer["connectorOperationArn"])
        return answer["connectorState"]

    def operation() -> dict[str, Any]:
        return msk.client.describe_connector_operation(connectorOperationArn=operations[-1])

    operations: list[str] = []

    with pytest.raises(ClientError) as refused:
        update("K000", wanted)
    assert code(refused) == "BadRequestException"
    assert update(before["currentVersion"], wanted) == "UPDATING"
    msk.wait("connector_running", connectorArn=arn)
    after = msk.describe(arn)
    assert operation()["connectorOperationState"] == "UPDATE_COMPLETE"
    assert after["connectorConfiguration"] == wanted
    assert after["currentVersion"] != before["currentVersion"]
    assert Connect(state).configuration(after["connectorName"])["flush.size"] == "7"
    assert Connect(state).states(after["connectorName"]) == ["RUNNING"] * 3
    update(after["currentVersion"], configuration(topic, flush__size="none"))
    msk.wait("connector_running", connectorArn=arn)
    assert msk.describe(arn)["connectorConfiguration"] == wanted
    rolled_back = operation()
    assert rolled_back["connectorOperationState"] == "ROLLBACK_COMPLETE"
    assert "flush.size" in rolled_back["errorInfo"]["message"]
    listed = msk.client.list_connector_operations(connectorArn=arn)["connectorOperations"]
    assert [one["connectorOperationArn"] for one in listed] == operations[::-1]
    with pytest.raises(ClientError, match="Specify only one parameter"):
        msk.client.update_connector(
            connectorArn=arn, currentVersion=msk.describe(arn)["currentVersion"], connectorConfiguration=wanted,
            capacity={"provisionedCapacity": {"mcuCount": 1, "workerCount": 1}},
        )  # fmt: skip
    msk.delete(arn)


def test_names_are_unique_and_what_is_not_there_is_not_found(msk, plugin, configuration):
    first = msk.create_connector(plugin, configuration("any"), connectorName="unique")
    with pytest.raises(ClientError) as refused:
        msk.create_connector(plugin, configuration("any"), connectorName="unique")
    assert code(refused) == "ConflictException"
    assert isinstance(refused.value, msk.client.exceptions.ConflictException)
    msk.delete(first)
    with pytest.raises(msk.client.exceptions.NotFoundException):
        msk.describe(first)
    with pytest.raises(msk.client.exceptions.NotFoundException):
        msk.create_connector(plugin + "x", configuration("any"))
    with pytest.raises(msk.client.exceptions.NotFoundException):
        msk.client.describe_custom_plugin(customPluginArn=plugin + "x")


def test_lists_come_in_pages_and_by_prefix(msk):
    prefix = f"paged-{uuid.uuid4().hex[:8]}"
    content = base64.b64encode(b"a=b").decode()
    names = [f"{prefix}-{number}" for number in range(5)]
    arns = [
        msk.client.create_worker_configuration(name=name, propertiesFileContent=content)["workerConfigurationArn"]
        for name in names
    ]
    paginator = msk.client.get_paginator("list_worker_configurations")
    pages = list(paginator.paginate(namePrefix=prefix, PaginationConfig={"PageSize": 2}))
    found = [[entry["name"] for entry in page["workerConfigurations"]] for page in pages]
    assert found == [names[:2], names[2:4], names[4:]]
    described = msk.client.describe_worker_configuration(workerConfigurationArn=arns[0])
    assert described["latestRevision"]["propertiesFileContent"] == content
    assert "propertiesFileContent" not in pages[0]["workerConfigurations"][0]["latestRevision"]
    with pytest.raises(msk.client.exceptions.BadRequestException):
        msk.client.list_worker_configurations(nextToken="invented")
    for arn in arns:
        msk.client.delete_worker_configuration(workerConfigurationArn=arn)
    assert not msk.client.list_worker_configurations(namePrefix=prefix)["workerConfigurations"]


def test_tags_are_kept(msk):
    content = base64.b64encode(b"a=b").decode()
    arn = msk.client.create_worker_configuration(
        name=f"tagged-{uuid.uuid4().hex}", propertiesFileContent=content, tags={"project": "p", "run_id": "1"}
    )["workerConfigurationArn"]
    msk.client.tag_resource(resourceArn=arn, tags={"run_id": "2", "user_id": "u"})
    msk.client.untag_resource(resourceArn=arn, tagKeys=["project"])
    assert msk.client.list_tags_for_resource(resourceArn=arn)["tags"] == {"run_id": "2", "user_id": "u"}
    assert "tags" not in msk.client.describe_worker_configuration(workerConfigurationArn=arn)
    with pytest.raises(msk.client.exceptions.NotFoundException):
        msk.client.list_tags_for_resource(resourceArn=arn + "x")


def test_what_was_under_way_goes_on_after_a_kill_of_the_stand_in(msk, plugin, state, configuration):
    arn = msk.create_connector(plugin, configuration(new_topic(state)))
    msk.kill_and_start()
    msk.wait("connector_running", connectorArn=arn)
    msk.client.delete_connector(connectorArn=arn)
    msk.kill_and_start()
    msk.wait("connector_deleted", connectorArn=arn)


def test_a_connector_is_not_running_while_the_worker_is_away_and_is_again_afterwards(
    msk, plugin, state, bucket, configuration, supervisor
):
    topic = new_topic(state)
    arn = msk.create_connector(plugin, configuration(topic, topics__dir="again"))
    msk.wait("connector_running", connectorArn=arn)
    supervisor.stop("connect")
    described = msk.describe(arn)
    assert described["connectorState"] == "UPDATING"
    assert described["stateDescription"]["message"] == "the worker does not answer"
    supervisor.start("connect")
    msk.wait("connector_running", connectorArn=arn)
    produce(state, topic, numbered(0, 5))
    wait_until(lambda: any(key.startswith("again/") for key in keys(state, bucket)), "an object", SECONDS)
    msk.delete(arn)


def test_a_newer_plugin_with_the_same_connector_takes_its_place(msk, plugin, state, bucket, supervisor):
    worker = supervisor.process("connect").pid
    newer = msk.create_plugin(bucket, "plugins/sink.zip")
    msk.wait("plugin_active", customPluginArn=newer)
    assert supervisor.process("connect").pid != worker
    assert [entry["class"] for entry in Connect(state).plugins()].count(CONNECTOR_CLASS) == 1

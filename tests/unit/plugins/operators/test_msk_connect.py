"""MSK and MSK Connect against botocore's own models: what is sent, in which order, and what each state leads to."""

from __future__ import annotations

import asyncio
import base64
import copy
import hashlib
from types import SimpleNamespace
from unittest import mock

import boto3
import jinja2
import pytest
from airflow.providers.common.compat.sdk import AirflowException
from airflow.sdk.exceptions import TaskDeferred
from botocore.exceptions import WaiterError
from botocore.stub import Stubber

from include.aws.msk_connect import custom_plugin_request, sink_connector_request
from include.aws.properties import parse_properties
from include.settings import Settings
from pinterest.dag_defaults import TEMPLATES
from pinterest.hooks.msk import MskError, MskHook
from pinterest.hooks.msk_connect import MskConnectHook
from pinterest.operators.msk import MskGetBrokersOperator
from pinterest.operators.msk_connect import (
    MskConnectConnectorLink,
    MskConnectCreateConnectorOperator,
    MskConnectCreateCustomPluginOperator,
    MskConnectCreateWorkerConfigurationOperator,
)
from pinterest.triggers.msk_connect import MskConnectConnectorRunningTrigger
from pinterest_stages.s3_sink import AUTHENTICATION, ENCRYPTION
from pinterest_stages.tags import TAGS

USER_ID = "0e36c8cd403d"
ARN = f"arn:aws:kafkaconnect:us-east-1:000000000000:connector/{USER_ID}-connector/1-2"
PLUGIN_ARN = f"arn:aws:kafkaconnect:us-east-1:000000000000:custom-plugin/{USER_ID}-plugin/1-2"
WORKERS_ARN = f"arn:aws:kafkaconnect:us-east-1:000000000000:worker-configuration/{USER_ID}-worker/1-2"
ROLE_ARN = f"arn:aws:iam::000000000000:role/{USER_ID}-ec2-access-role"


def settings(**sections) -> Settings:
    download = {"url": "http://127.0.0.1/x", "sha256": "ab" * 32}
    return Settings.model_validate(
        {
            "user_id": USER_ID,
            "downloads": dict.fromkeys(("java", "kafka", "iam_auth", "s3_sink", "rest_proxy"), download),
            "kafka_client": {"host_key": "ssh-ed25519 AAAA"},
            **sections,
        }
    )


def rendered(value, **sections):
    """Templates rendered as Airflow renders them, files included."""
    environment = jinja2.Environment(loader=jinja2.FileSystemLoader(TEMPLATES), undefined=jinja2.StrictUndefined)
    context = {"settings": lambda: settings(**sections), "dag": SimpleNamespace(dag_id="d"), "run_id": "r"}
    if isinstance(value, dict):
        return {k: rendered(v, **sections) for k, v in value.items()}
    if isinstance(value, list):
        return [rendered(v, **sections) for v in value]
    if isinstance(value, str) and value.endswith(".properties"):
        return environment.get_template(value).render(context)
    return environment.from_string(value).render(context) if isinstance(value, str) else value


def stubbed(monkeypatch, hook_class, service):
    client = boto3.client(service, region_name="us-east-1", aws_access_key_id="test", aws_secret_access_key="test")
    monkeypatch.setattr(hook_class, "conn", client, raising=False)
    monkeypatch.setattr(hook_class, "_client", client, raising=False)
    monkeypatch.setattr(hook_class, "conn_region_name", "us-east-1", raising=False)
    monkeypatch.setattr(hook_class, "conn_partition", "aws", raising=False)
    stub = Stubber(client)
    stub.activate()
    return stub


@pytest.fixture
def connect(monkeypatch):
    monkeypatch.setattr(MskConnectHook, "expand_role", lambda _, role: f"arn:aws:iam::000000000000:role/{role}")
    monkeypatch.setattr(MskConnectConnectorLink, "persist", mock.Mock())
    stub = stubbed(monkeypatch, MskConnectHook, "kafkaconnect")
    yield stub
    stub.assert_no_pending_responses()


@pytest.fixture
def msk(monkeypatch):
    stub = stubbed(monkeypatch, MskHook, "kafka")
    yield stub
    stub.assert_no_pending_responses()


# --- brokers ---------------------------------------------------------------------------------------------------------


def cluster(name="pinterest-msk-cluster", **more):
    info = {"ClientSubnets": ["subnet-1"], "SecurityGroups": ["sg-1"], "InstanceType": "kafka.m5.large"}
    return {"ClusterName": name, "ClusterArn": f"arn:{name}", "State": "ACTIVE", "BrokerNodeGroupInfo": info, **more}


@pytest.mark.parametrize(
    ("authentication", "servers"), [("iam", "b1:9098,b2:9098"), ("none", "b1:9092,b2:9092")]
)  # fmt: skip
def test_brokers_of_the_authentication_mode(msk, authentication, servers):
    zookeeper = "z2:2181,z1:2181" if authentication == "iam" else ""
    found = [cluster("pinterest-msk-cluster-2"), cluster(ZookeeperConnectString=zookeeper)]
    msk.add_response("list_clusters", {"ClusterInfoList": found}, {"ClusterNameFilter": "pinterest-msk-cluster"})
    msk.add_response(
        "get_bootstrap_brokers",
        {"BootstrapBrokerString": "b2:9092,b1:9092", "BootstrapBrokerStringSaslIam": "b2:9098,b1:9098"},
        {"ClusterArn": "arn:pinterest-msk-cluster"},
    )
    operator = MskGetBrokersOperator(task_id="b", cluster_name="pinterest-msk-cluster", authentication=authentication)

    assert operator.execute({}) == {
        "cluster_arn": "arn:pinterest-msk-cluster",
        "bootstrap_servers": servers,
        "zookeeper": "z1:2181,z2:2181" if zookeeper else None,
        "subnets": ["subnet-1"],
        "security_groups": ["sg-1"],
    }


@pytest.mark.parametrize(
    ("clusters", "said"),
    [
        pytest.param([], "No MSK cluster 'c' in us-east-1: set kafka.cluster_name.*: none", id="none"),
        pytest.param([cluster("c2")], "No MSK cluster 'c'.*: c2", id="prefix only"),
        pytest.param([cluster("c", State="CREATING")], "MSK cluster 'c' is CREATING, not ACTIVE", id="not ready"),
    ],
)
def test_cluster_that_will_not_do(msk, clusters, said):
    msk.add_response("list_clusters", {"ClusterInfoList": clusters})

    with pytest.raises(MskError, match=said):
        MskHook().brokers("c", "iam")


def test_cluster_without_the_listener(msk):
    msk.add_response("list_clusters", {"ClusterInfoList": [cluster("c")]})
    msk.add_response("get_bootstrap_brokers", {"BootstrapBrokerStringTls": "b:9094"})

    with pytest.raises(MskError, match=r"has no BootstrapBrokerStringSaslIam .* it offers BootstrapBrokerStringTls"):
        MskHook().brokers("c", "iam")


# --- properties and requests -----------------------------------------------------------------------------------------


def test_properties_are_read_as_they_stand():
    text = "# a comment\n\na = 1\nb=x=y\ntopics.regex=u\\.(pin|geo)\na=2\n"

    assert parse_properties(text) == {"a": "2", "b": "x=y", "topics.regex": "u\\.(pin|geo)"}


def test_a_line_that_is_no_property():
    with pytest.raises(ValueError, match="line 2: expected key=value, got 'nonsense'"):
        parse_properties("a=1\nnonsense")


S3_SINK = {
    "connector.class": "io.confluent.connect.s3.S3SinkConnector",
    "tasks.max": "3",
    "topics.regex": r"0e36c8cd403d\.(pin|geo|user)",
    "s3.region": "us-east-1",
    "s3.bucket.name": "user-0e36c8cd403d-bucket",
    "topics.dir": "topics",
    "storage.class": "io.confluent.connect.s3.storage.S3Storage",
    "format.class": "io.confluent.connect.s3.format.json.JsonFormat",
    "partitioner.class": "io.confluent.connect.storage.partitioner.DefaultPartitioner",
    "schema.compatibility": "NONE",
    "flush.size": "1000",
    "rotate.schedule.interval.ms": "10000",
    "timezone": "UTC",
    "key.converter": "org.apache.kafka.connect.storage.StringConverter",
    "value.converter": "org.apache.kafka.connect.json.JsonConverter",
    "value.converter.schemas.enable": "false",
    "transforms": "refuse,position",
    "transforms.refuse.type": "org.apache.kafka.connect.transforms.ValueToKey",
    "transforms.refuse.fields": "ind",
    "transforms.refuse.predicate": "empty",
    "transforms.position.type": "org.apache.kafka.connect.transforms.InsertField$Value",
    "transforms.position.topic.field": "_topic",
    "transforms.position.partition.field": "_partition",
    "transforms.position.offset.field": "_offset",
    "transforms.position.timestamp.field": "_timestamp",
    "predicates": "empty",
    "predicates.empty.type": "org.apache.kafka.connect.transforms.predicates.RecordIsTombstone",
    "errors.tolerance": "all",
    "errors.log.enable": "true",
    "errors.deadletterqueue.topic.name": "0e36c8cd403d-dead-letters",
    "errors.deadletterqueue.topic.replication.factor": "2",
    "errors.deadletterqueue.context.headers.enable": "true",
    "producer.override.max.request.size": "10485760",
}


def test_connector_configuration_by_default():
    assert parse_properties(rendered("s3_sink/s3-sink.properties")) == S3_SINK


def test_connector_configuration_of_one_environment():
    sink = {
        "connector_class": "lab.Sink",
        "tasks": 1,
        "flush_size": 10,
        "rotate_ms": 500,
    }

    found = parse_properties(rendered("s3_sink/s3-sink.properties", s3_sink=sink, kafka={"replication_factor": 1}))

    assert found == S3_SINK | {
        "connector.class": "lab.Sink",
        "tasks.max": "1",
        "flush.size": "10",
        "rotate.schedule.interval.ms": "500",
        "errors.deadletterqueue.topic.replication.factor": "1",
    }


def test_worker_configuration_has_what_msk_connect_requires():
    assert {"key.converter", "value.converter"} <= set(parse_properties(rendered("s3_sink/connect-worker.properties")))


def connector_template() -> dict:
    return sink_connector_request(
        plugin_arn=PLUGIN_ARN,
        worker_configuration_arn=WORKERS_ARN,
        bootstrap_servers="b1:9098,b2:9098",
        subnets="{{ settings().s3_sink.subnets | tojson }}",
        security_groups="{{ settings().s3_sink.security_groups | tojson }}",
        authentication=AUTHENTICATION,
        encryption=ENCRYPTION,
        kafka_connect_version="{{ settings().s3_sink.kafka_connect_version }}",
        role="{{ settings().role }}",
        tags=TAGS,
    )


SINK = {"subnets": ["subnet-1", "subnet-2"], "security_groups": ["sg-1"]}


def request(configuration: dict[str, str]) -> dict:
    return {
        "connectorName": f"{USER_ID}-connector",
        "connectorDescription": "Kafka topics to S3, of the Pinterest pipeline",
        "connectorConfiguration": configuration,
        "capacity": {"provisionedCapacity": {"mcuCount": 1, "workerCount": 1}},
        "kafkaCluster": {
            "apacheKafkaCluster": {
                "bootstrapServers": "b1:9098,b2:9098",
                "vpc": {"subnets": ["subnet-1", "subnet-2"], "securityGroups": ["sg-1"]},
            }
        },
        "kafkaClusterClientAuthentication": {"authenticationType": "IAM"},
        "kafkaClusterEncryptionInTransit": {"encryptionType": "TLS"},
        "kafkaConnectVersion": "3.7.x",
        "plugins": [{"customPlugin": {"customPluginArn": PLUGIN_ARN, "revision": 1}}],
        "workerConfiguration": {"workerConfigurationArn": WORKERS_ARN, "revision": 1},
        "serviceExecutionRoleArn": ROLE_ARN,
        "tags": {"project": "pinterest-pipeline", "user_id": USER_ID, "dag_id": "d", "run_id": "r"},
    }


# --- connector -------------------------------------------------------------------------------------------------------

WANTED = {"connector.class": "S3Sink", "flush.size": "1000"}


def connector(**more) -> MskConnectCreateConnectorOperator:
    return MskConnectCreateConnectorOperator(
        task_id="connector",
        connector_name=f"{USER_ID}-connector",
        configuration="connector.class=S3Sink\nflush.size=1000\n",
        connector=rendered(connector_template(), s3_sink=SINK),
        waiter_delay=0,
        **more,
    )


def described(state="RUNNING", configuration=None, reason=None, **more) -> dict:
    fields = copy.deepcopy(request(WANTED))
    for name in ("tags", "connectorDescription"):
        fields.pop(name)
    fields |= {
        "connectorArn": ARN,
        "connectorState": state,
        "currentVersion": "K1",
        "connectorConfiguration": configuration or WANTED,
        **more,
    }
    return fields | ({"stateDescription": reason} if reason else {})


def add_listing(stub, *states):
    stub.add_response(
        "list_connectors",
        {
            "connectors": [
                {"connectorArn": "arn:other", "connectorName": f"{USER_ID}-connector-2", "connectorState": "RUNNING"},
                *({"connectorArn": ARN, "connectorName": f"{USER_ID}-connector", "connectorState": s} for s in states),
            ]
        },
        {"connectorNamePrefix": f"{USER_ID}-connector"},
    )


def add_description(stub, *args, **more):
    stub.add_response("describe_connector", described(*args, **more), {"connectorArn": ARN})


def add_creation(stub):
    stub.add_response("create_connector", {"connectorArn": ARN, "connectorState": "CREATING"}, request(WANTED))


def add_deletion(stub):
    stub.add_response("delete_connector", {"connectorArn": ARN, "connectorState": "DELETING"}, {"connectorArn": ARN})
    add_description(stub, "DELETING")
    stub.add_client_error("describe_connector", "NotFoundException")


def test_connector_is_created(connect):
    add_listing(connect)
    add_creation(connect)
    for state in ("CREATING", "RUNNING", "RUNNING"):
        add_description(connect, state)

    assert connector().execute({}) == ARN
    link = MskConnectConnectorLink.persist.call_args.kwargs
    assert (link["connector_arn"], link["region_name"]) == (ARN, "us-east-1")


def test_connector_that_is_there_is_left_alone(connect):
    add_listing(connect, "RUNNING")
    brokers_in_another_order = copy.deepcopy(request(WANTED)["kafkaCluster"])
    brokers_in_another_order["apacheKafkaCluster"]["bootstrapServers"] = "b3:9098,b2:9098"
    add_description(connect, kafkaCluster=brokers_in_another_order)
    add_description(connect)
    add_description(connect)

    assert connector().execute({}) == ARN


def test_connector_that_is_being_created_is_waited_for(connect):
    add_listing(connect, "CREATING")
    for state in ("CREATING", "CREATING", "RUNNING", "RUNNING"):
        add_description(connect, state)

    assert connector().execute({}) == ARN


def test_connector_with_another_configuration_is_updated(connect):
    add_listing(connect, "UPDATING")
    old = WANTED | {"flush.size": "1", "gone": "x"}
    for state in ("UPDATING", "UPDATING", "RUNNING"):
        add_description(connect, state, configuration=old)
    add_description(connect, "RUNNING", configuration=old, currentVersion="K2")
    connect.add_response(
        "update_connector",
        {"connectorArn": ARN, "connectorState": "UPDATING"},
        {"connectorArn": ARN, "currentVersion": "K2", "connectorConfiguration": WANTED},
    )
    for state in ("UPDATING", "RUNNING", "RUNNING"):
        add_description(connect, state)

    assert connector().execute({}) == ARN


def test_update_that_is_rolled_back(connect):
    old = WANTED | {"flush.size": "1"}
    add_listing(connect, "RUNNING")
    add_description(connect, configuration=old)
    connect.add_response(
        "update_connector", {}, {"connectorArn": ARN, "currentVersion": "K1", "connectorConfiguration": WANTED}
    )
    for state in ("UPDATING", "RUNNING", "RUNNING"):
        add_description(connect, state, configuration=old)

    with pytest.raises(AirflowException, match="runs, but not with its configuration: the update was rolled back"):
        connector().execute({})


OTHER_NETWORK = copy.deepcopy(request(WANTED)["kafkaCluster"])
OTHER_NETWORK["apacheKafkaCluster"]["vpc"]["subnets"] = ["subnet-9"]
OTHER_BROKERS = copy.deepcopy(request(WANTED)["kafkaCluster"])
OTHER_BROKERS["apacheKafkaCluster"]["bootstrapServers"] = "elsewhere:9098"


@pytest.mark.parametrize(
    "difference",
    [
        pytest.param({"plugins": [{"customPlugin": {"customPluginArn": "old", "revision": 1}}]}, id="plugin"),
        pytest.param({"workerConfiguration": {"workerConfigurationArn": "old", "revision": 1}}, id="workers"),
        pytest.param({"kafkaConnectVersion": "2.7.1"}, id="version"),
        pytest.param({"kafkaCluster": OTHER_NETWORK}, id="network"),
        pytest.param({"kafkaCluster": OTHER_BROKERS}, id="brokers"),
        pytest.param({"state": "FAILED", "reason": {"code": "X", "message": "no role"}}, id="failed"),
    ],
)
def test_connector_that_cannot_be_changed_is_replaced(connect, difference):
    add_listing(connect, difference.get("state", "RUNNING"))
    add_description(connect, **difference)
    add_deletion(connect)
    add_creation(connect)
    add_description(connect)
    add_description(connect)

    assert connector().execute({}) == ARN


def test_connector_that_is_going_away_is_waited_for(connect):
    add_listing(connect, "DELETING")
    add_description(connect, "DELETING")
    connect.add_client_error("describe_connector", "NotFoundException")
    add_creation(connect)
    add_description(connect)
    add_description(connect)

    assert connector().execute({}) == ARN


def test_properties_of_the_environment_are_added_and_not_shown(connect):
    add_listing(connect)
    wanted = {"connector.class": "S3Sink", "flush.size": "1", "aws.secret.access.key": "s3cret"}
    connect.add_response("create_connector", {"connectorArn": ARN}, request(wanted))
    add_description(connect, configuration=wanted)
    add_description(connect, configuration=wanted)
    operator = connector(more_configuration=lambda: {"flush.size": "1", "aws.secret.access.key": "s3cret"})

    operator.execute({})

    assert not [name for name in operator.template_fields if "s3cret" in str(getattr(operator, name))]


REASON = {"code": "UnknownError", "message": "the role cannot be assumed"}


def test_connector_that_fails_says_why(connect):
    add_listing(connect)
    add_creation(connect)
    add_description(connect, "FAILED", reason=REASON)
    add_description(connect, "FAILED", reason=REASON)

    with pytest.raises(AirflowException, match="FAILED UnknownError the role cannot be assumed"):
        connector().execute({})


def test_deferred_wait(connect):
    add_listing(connect)
    add_creation(connect)

    with pytest.raises(TaskDeferred) as deferred:
        connector(deferrable=True).execute({})

    path, kwargs = deferred.value.trigger.serialize()
    assert path == "pinterest.triggers.msk_connect.MskConnectConnectorRunningTrigger"
    again = MskConnectConnectorRunningTrigger(**kwargs)
    assert again.serialize() == (path, kwargs)
    assert again.waiter_args == {"connectorArn": ARN}


def test_deferred_wait_ends_well(connect):
    add_description(connect)

    assert connector().execute_complete({}, {"status": "success", "connector_arn": ARN}) == ARN


def test_deferred_wait_ends_badly(connect):
    add_description(connect, "FAILED", reason=REASON)

    with pytest.raises(AirflowException, match="cannot run: FAILED UnknownError the role cannot be assumed"):
        connector().execute_complete({}, {"status": "error", "message": "cannot run", "connector_arn": ARN})


def test_trigger_names_the_failure():
    trigger = MskConnectConnectorRunningTrigger(connector_arn=ARN, waiter_delay=0, waiter_max_attempts=1)
    failure = WaiterError("connector_running", "terminal failure state", described("FAILED", reason=REASON))
    waiter = SimpleNamespace(wait=mock.AsyncMock(side_effect=failure))
    hook = mock.MagicMock()
    hook.get_async_conn = mock.AsyncMock(return_value=mock.AsyncMock())
    hook.get_waiter.return_value = waiter

    async def first():
        with mock.patch.object(MskConnectConnectorRunningTrigger, "hook", return_value=hook):
            return await anext(trigger.run())

    event = asyncio.run(first()).payload
    assert (event["status"], event["connector_arn"]) == ("error", ARN)
    assert f"Connector {ARN} cannot run" in event["message"]


# --- waiters ---------------------------------------------------------------------------------------------------------

DESCRIBE = {
    "connector": ("describe_connector", "connectorArn", "connectorState"),
    "custom_plugin": ("describe_custom_plugin", "customPluginArn", "customPluginState"),
}


@pytest.mark.parametrize(
    ("waiter", "states", "outcome"),
    [
        ("connector_running", ["CREATING", "UPDATING", "RUNNING"], "success"),
        ("connector_running", ["CREATING", "FAILED"], "failure"),
        ("connector_running", ["DELETING"], "failure"),
        ("connector_running", [None], "failure"),
        ("connector_deleted", ["DELETING", None], "success"),
        ("custom_plugin_active", ["CREATING", "ACTIVE"], "success"),
        ("custom_plugin_active", ["CREATE_FAILED"], "failure"),
        ("custom_plugin_active", ["UPDATE_FAILED"], "failure"),
        ("custom_plugin_active", ["DELETING"], "failure"),
        ("custom_plugin_active", [None], "failure"),
        ("custom_plugin_deleted", ["DELETING", None], "success"),
    ],
)
def test_waiter(connect, waiter, states, outcome):
    operation, argument, field = DESCRIBE[waiter.rsplit("_", 1)[0]]
    for state in states:
        if state is None:
            connect.add_client_error(operation, "NotFoundException")
        else:
            connect.add_response(operation, {field: state})
    wait = MskConnectHook().get_waiter(waiter)

    if outcome == "success":
        wait.wait(**{argument: "a"}, WaiterConfig={"Delay": 0, "MaxAttempts": len(states)})
    else:
        with pytest.raises(WaiterError, match="terminal failure"):
            wait.wait(**{argument: "a"}, WaiterConfig={"Delay": 0, "MaxAttempts": len(states)})


# --- plugin and worker configuration ---------------------------------------------------------------------------------


def plugin() -> MskConnectCreateCustomPluginOperator:
    return MskConnectCreateCustomPluginOperator(
        task_id="plugin",
        plugin_name="p",
        plugin=rendered(custom_plugin_request("{{ settings().bucket }}", "k.zip")),
        waiter_delay=0,
    )


def add_plugins(stub, *states):
    plugins = [{"customPluginArn": PLUGIN_ARN, "name": "p", "customPluginState": state} for state in states]
    others = [{"customPluginArn": "other", "name": "p2", "customPluginState": "ACTIVE"}]
    stub.add_response("list_custom_plugins", {"customPlugins": others + plugins}, {"namePrefix": "p"})


def add_plugin_creation(stub):
    stub.add_response(
        "create_custom_plugin",
        {"customPluginArn": PLUGIN_ARN, "customPluginState": "CREATING"},
        {
            "name": "p",
            "contentType": "ZIP",
            "description": "S3 sink of the Pinterest pipeline",
            "location": {"s3Location": {"bucketArn": f"arn:aws:s3:::user-{USER_ID}-bucket", "fileKey": "k.zip"}},
        },
    )


def test_plugin_is_created(connect):
    add_plugins(connect)
    add_plugin_creation(connect)
    for state in ("CREATING", "ACTIVE"):
        connect.add_response("describe_custom_plugin", {"customPluginState": state}, {"customPluginArn": PLUGIN_ARN})

    assert plugin().execute({}) == PLUGIN_ARN


def test_plugin_that_is_there_is_adopted(connect):
    add_plugins(connect, "CREATING")
    connect.add_response("describe_custom_plugin", {"customPluginState": "ACTIVE"}, {"customPluginArn": PLUGIN_ARN})

    assert plugin().execute({}) == PLUGIN_ARN


def test_plugin_that_failed_before_is_made_again(connect):
    add_plugins(connect, "CREATE_FAILED")
    connect.add_response("delete_custom_plugin", {}, {"customPluginArn": PLUGIN_ARN})
    connect.add_client_error("describe_custom_plugin", "NotFoundException")
    add_plugin_creation(connect)
    connect.add_response("describe_custom_plugin", {"customPluginState": "ACTIVE"})

    assert plugin().execute({}) == PLUGIN_ARN


def test_plugin_that_fails_says_why(connect):
    failed = {"customPluginState": "CREATE_FAILED", "stateDescription": {"message": "not a zip"}}
    add_plugins(connect)
    add_plugin_creation(connect)
    connect.add_response("describe_custom_plugin", failed)
    connect.add_response("describe_custom_plugin", failed)

    with pytest.raises(AirflowException, match="CREATE_FAILED not a zip"):
        plugin().execute({})


def test_worker_configuration_is_named_by_its_content(connect):
    content = b"a=1\nb=2\n"
    name = f"w-{hashlib.sha256(content).hexdigest()[:12]}"
    connect.add_response("list_worker_configurations", {"workerConfigurations": []}, {"namePrefix": name})
    connect.add_response(
        "create_worker_configuration",
        {"workerConfigurationArn": WORKERS_ARN},
        {"name": name, "propertiesFileContent": base64.b64encode(content).decode()},
    )
    connect.add_response(
        "list_worker_configurations",
        {"workerConfigurations": [{"name": name, "workerConfigurationArn": WORKERS_ARN}]},
        {"namePrefix": name},
    )
    operator = MskConnectCreateWorkerConfigurationOperator(task_id="w", configuration_name="w", properties="a=1\nb=2")

    assert operator.execute({}) == WORKERS_ARN
    assert operator.execute({}) == WORKERS_ARN

"""MSK and MSK Connect against botocore's own models: what is sent, in which order, and what each state leads to."""

from __future__ import annotations

import base64
import copy
import hashlib

import pytest
from airflow.providers.common.compat.sdk import AirflowException, AirflowFailException
from airflow.sdk.exceptions import TaskDeferred

from include.aws.msk_connect import custom_plugin_request, sink_connector_request
from pinterest.hooks.sink_logs import SinkLogsHook
from pinterest.operators.msk_connect import (
    MskConnectConnectorLink,
    MskConnectCreateConnectorOperator,
    MskConnectCreateCustomPluginOperator,
    MskConnectCreateWorkerConfigurationOperator,
)
from pinterest.triggers.msk_connect import MskConnectConnectorRunningTrigger, MskConnectOperationTrigger
from pinterest_stages.s3_sink import AUTHENTICATION, ENCRYPTION
from pinterest_stages.tags import TAGS
from tests.unit.plugins.msk_connect_parts import (
    ARN,
    OPERATION_ARN,
    PLUGIN_ARN,
    REASON,
    USER_ID,
    WANTED,
    WORKERS_ARN,
    described,
    rendered,
    request,
)


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
        logs="{{ settings().sink_logs | tojson }}",
        workers="{{ settings().s3_sink.workers }}",
        mcus="{{ settings().s3_sink.mcus }}",
        tags=TAGS,
    )


@pytest.fixture(autouse=True)
def worker_log(monkeypatch):
    monkeypatch.setattr(SinkLogsHook, "end", lambda _, connector: f"log of {connector['connectorName']}")


SINK = {"subnets": ["subnet-1", "subnet-2"], "security_groups": ["sg-1"]}


def connector(**more) -> MskConnectCreateConnectorOperator:
    return MskConnectCreateConnectorOperator(
        task_id="connector",
        connector_name=f"{USER_ID}-connector",
        configuration="connector.class=S3Sink\nflush.size=1000\n",
        connector=rendered(connector_template(), s3_sink=SINK),
        waiter_delay=0,
        **more,
    )


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


OWNER_TAGS = {"project": "pinterest-pipeline", "user_id": USER_ID}


def add_tags(stub, **tags):
    stub.add_response("list_tags_for_resource", {"tags": tags}, {"resourceArn": ARN})


def test_connector_of_ours_is_known_by_its_tags(connect):
    add_listing(connect, "RUNNING")
    add_description(connect)
    add_tags(connect, **OWNER_TAGS, run_id="an earlier one")
    add_description(connect)
    add_description(connect)

    assert connector(owner_tags=OWNER_TAGS).execute({}) == ARN


def test_connector_of_others_that_writes_as_ours_does_is_adopted(connect):
    other = WANTED | {"flush.size": "1"}
    add_listing(connect, "RUNNING")
    add_description(connect, configuration=other)
    add_tags(connect, owner="somebody")
    connect.add_response("tag_resource", {}, {"resourceArn": ARN, "tags": request(WANTED)["tags"]})
    connect.add_response(
        "update_connector",
        {"connectorArn": ARN, "connectorState": "UPDATING"},
        {"connectorArn": ARN, "currentVersion": "K1", "connectorConfiguration": WANTED},
    )
    add_description(connect)
    add_description(connect)

    assert connector(owner_tags=OWNER_TAGS).execute({}) == ARN


@pytest.mark.parametrize(
    ("configuration", "more", "told"),
    [
        (WANTED | {"transforms": "mask", "transforms.mask.type": "M"}, {}, "transforms, transforms.mask.type"),
        (WANTED | {"topics.dir": "mine"}, {}, "topics.dir"),
        (WANTED, {"kafkaConnectVersion": "2.7.1"}, "kafkaConnectVersion"),
        (WANTED, {"state": "FAILED", "reason": REASON}, "FAILED UnknownError the role cannot be assumed"),
    ],
)
def test_connector_of_others_that_differs_is_named_and_left_alone(connect, configuration, more, told):
    add_listing(connect, "RUNNING")
    add_description(connect, configuration=configuration, **more)
    add_tags(connect)

    with pytest.raises(AirflowFailException, match=f"did not make it. It differs in {told}. .*replace_connector"):
        connector(owner_tags=OWNER_TAGS).execute({})


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


def add_operation(stub, *states, **more):
    for state in states:
        stub.add_response(
            "describe_connector_operation",
            {"connectorOperationState": state, "connectorOperationArn": OPERATION_ARN, **more},
            {"connectorOperationArn": OPERATION_ARN},
        )


def add_update(stub, version="K1", **changed):
    stub.add_response(
        "update_connector",
        {"connectorArn": ARN, "connectorState": "UPDATING", "connectorOperationArn": OPERATION_ARN},
        {"connectorArn": ARN, "currentVersion": version, **(changed or {"connectorConfiguration": WANTED})},
    )


ROLLED_BACK = {
    "errorInfo": {"code": "InvalidInput", "message": "tasks.max is no number"},
    "operationSteps": [
        {"stepType": "INITIALIZE_UPDATE", "stepState": "COMPLETED"},
        {"stepType": "UPDATE_CONNECTOR_CONFIGURATION", "stepState": "FAILED"},
    ],
}
OLD = WANTED | {"flush.size": "1"}


def test_an_update_is_followed_through_its_operation(connect):
    add_listing(connect, "RUNNING")
    add_description(connect, configuration=OLD)
    add_update(connect)
    add_operation(connect, "PENDING", "UPDATE_IN_PROGRESS", "UPDATE_COMPLETE")
    add_description(connect)
    add_description(connect)

    assert connector().execute({}) == ARN


@pytest.mark.parametrize("ended", ["ROLLBACK_COMPLETE", "ROLLBACK_FAILED", "UPDATE_FAILED"])
def test_an_update_that_fails_says_why_and_at_which_step(connect, ended):
    add_listing(connect, "RUNNING")
    add_description(connect, configuration=OLD)
    add_update(connect)
    add_operation(connect, "UPDATE_IN_PROGRESS", "ROLLBACK_IN_PROGRESS")
    add_operation(connect, ended, ended, **ROLLED_BACK)
    add_description(connect, configuration=OLD)

    said = (
        rf"{ended} InvalidInput tasks.max is no number \(UPDATE_CONNECTOR_CONFIGURATION FAILED\). The connector is RUNN"
    )
    with pytest.raises(AirflowException, match=said):
        connector().execute({})


def test_capacity_is_updated_after_the_configuration(connect):
    less = {"provisionedCapacity": {"mcuCount": 1, "workerCount": 2}}
    wanted = request(WANTED)["capacity"]
    add_listing(connect, "RUNNING")
    add_description(connect, configuration=OLD, capacity=less)
    add_update(connect)
    add_operation(connect, "UPDATE_COMPLETE")
    add_description(connect, capacity=less)
    add_description(connect, capacity=less, currentVersion="K2")
    add_update(connect, "K2", capacity=wanted)
    add_operation(connect, "UPDATE_COMPLETE")
    add_description(connect)
    add_description(connect)

    assert connector().execute({}) == ARN


def test_capacity_that_scales_by_itself_stays(connect):
    add_listing(connect, "RUNNING")
    scaling = {"autoScaling": {"maxWorkerCount": 2, "mcuCount": 1, "minWorkerCount": 1}}
    for _ in range(3):
        add_description(connect, capacity=scaling)

    assert connector().execute({}) == ARN


def test_a_deferred_update_is_followed_and_then_the_connector_awaited(connect):
    add_listing(connect, "RUNNING")
    add_description(connect, configuration=OLD)
    add_update(connect)
    with pytest.raises(TaskDeferred) as deferred:
        connector(deferrable=True).execute({})
    trigger = deferred.value.trigger
    path, arguments = trigger.serialize()
    assert MskConnectOperationTrigger(**arguments).serialize() == (path, arguments)
    assert (trigger.waiter_args, deferred.value.method_name) == (
        {"connectorOperationArn": OPERATION_ARN}, "execute_updated",
    )  # fmt: skip
    event = {"status": "success", "update": trigger.return_value}

    with pytest.raises(TaskDeferred) as deferred:
        connector(deferrable=True).execute_updated({}, event)
    assert isinstance(deferred.value.trigger, MskConnectConnectorRunningTrigger)


def test_a_deferred_update_that_is_rolled_back_says_why(connect):
    event = {"status": "error", "message": "failed", "update": {"connector_arn": ARN, "operation_arn": OPERATION_ARN}}
    add_operation(connect, "ROLLBACK_COMPLETE", **ROLLED_BACK)
    add_description(connect, configuration=OLD)

    with pytest.raises(AirflowException, match=r"failed: ROLLBACK_COMPLETE InvalidInput .*\. The connector is RUNNING"):
        connector().execute_updated({}, event)


def test_a_connector_of_others_may_log_elsewhere(connect):
    add_listing(connect, "RUNNING")
    add_description(connect, logDelivery={"workerLogDelivery": {"cloudWatchLogs": {"enabled": False}}})
    add_tags(connect)
    connect.add_response("tag_resource", {}, {"resourceArn": ARN, "tags": request(WANTED)["tags"]})
    add_description(connect)
    add_description(connect)

    assert connector(owner_tags=OWNER_TAGS).execute({}) == ARN


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
        pytest.param({"logDelivery": {"workerLogDelivery": {"s3": {"enabled": True, "bucket": "b"}}}}, id="logs"),
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


def test_connector_that_fails_says_why(connect):
    add_listing(connect)
    add_creation(connect)
    add_description(connect, "FAILED", reason=REASON)
    add_description(connect, "FAILED", reason=REASON)

    add_description(connect, "FAILED", reason=REASON)

    with pytest.raises(
        AirflowException, match=rf"FAILED UnknownError the role cannot be assumed\nlog of {USER_ID}-conn"
    ):
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

    with pytest.raises(AirflowException, match=r"cannot run: FAILED UnknownError the role cannot be assumed\nlog of"):
        connector().execute_complete({}, {"status": "error", "message": "cannot run", "connector_arn": ARN})


OWNER = {"project": "pinterest-pipeline", "user_id": USER_ID}


def plugin() -> MskConnectCreateCustomPluginOperator:
    return MskConnectCreateCustomPluginOperator(
        task_id="plugin",
        plugin_name="p",
        plugin=rendered(custom_plugin_request("{{ settings().bucket }}", "k.zip", OWNER)),
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
            "tags": OWNER,
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
        {"name": name, "propertiesFileContent": base64.b64encode(content).decode(), "tags": OWNER},
    )
    connect.add_response(
        "list_worker_configurations",
        {"workerConfigurations": [{"name": name, "workerConfigurationArn": WORKERS_ARN}]},
        {"namePrefix": name},
    )
    operator = MskConnectCreateWorkerConfigurationOperator(
        task_id="w", configuration_name="w", properties="a=1\nb=2", tags=OWNER
    )

    assert operator.execute({}) == WORKERS_ARN
    assert operator.execute({}) == WORKERS_ARN

"""The stage ``data_streams``: what is sent to Kinesis, in which order, and what each state of a stream leads to."""

from __future__ import annotations

import asyncio
from datetime import UTC, datetime
from unittest import mock

import boto3
import jinja2
import pytest
from airflow.providers.common.compat.sdk import AirflowException
from airflow.sdk.exceptions import TaskDeferred
from botocore.exceptions import WaiterError
from botocore.stub import Stubber

from include.aws.kinesis import next_change
from include.settings import Settings
from pinterest.hooks.kinesis import KinesisStreamHook
from pinterest.operators.kinesis import KinesisCreateStreamOperator, KinesisStreamLink
from pinterest.triggers.kinesis import KinesisStreamActiveTrigger
from pinterest_stages.data_streams import DATA_STREAM

USER_ID = "0e36c8cd403d"
NAME = f"streaming-{USER_ID}-pin"
ARN = f"arn:aws:kinesis:us-east-1:000000000000:stream/{NAME}"
OF_NAME = {"StreamName": NAME}
KMS = {"EncryptionType": "KMS", "KeyId": "alias/aws/kinesis"}
TAGS = {"project": "pinterest-pipeline", "run_id": "{{ run_id }}"}


def wanted(**kinesis) -> dict:
    """The stage's request as Airflow renders it: every value is text."""
    download = {"url": "http://127.0.0.1/x", "sha256": "ab" * 32}
    settings = Settings.model_validate(
        {
            "user_id": USER_ID,
            "downloads": dict.fromkeys(("java", "kafka", "iam_auth", "s3_sink", "rest_proxy"), download),
            "kafka_client": {"host_key": "ssh-ed25519 AAAA"},
            "kinesis": kinesis,
        }
    )

    def render(value):
        if isinstance(value, dict):
            return {name: render(one) for name, one in value.items()}
        return jinja2.Template(value).render(settings=lambda: settings, run_id="r")

    return render({**DATA_STREAM, "tags": TAGS})


def summary(status="ACTIVE", mode="ON_DEMAND", shards=4, retention=24, **more) -> dict:
    return {
        "StreamName": NAME,
        "StreamARN": ARN,
        "StreamStatus": status,
        "StreamModeDetails": {"StreamMode": mode},
        "RetentionPeriodHours": retention,
        "StreamCreationTimestamp": datetime(2026, 1, 1, tzinfo=UTC),
        "EnhancedMonitoring": [],
        "OpenShardCount": shards,
        **(more or KMS),
    }


@pytest.fixture
def kinesis(monkeypatch):
    client = boto3.client("kinesis", region_name="us-east-1")
    monkeypatch.setattr(KinesisStreamLink, "persist", mock.Mock())
    with Stubber(client) as stub:
        monkeypatch.setattr(KinesisStreamHook, "conn", client)
        monkeypatch.setattr(KinesisStreamHook, "_client", client, raising=False)
        monkeypatch.setattr(KinesisStreamHook, "conn_region_name", "us-east-1")
        monkeypatch.setattr(KinesisStreamHook, "conn_partition", "aws")
        yield stub
        stub.assert_no_pending_responses()


def described(stub, *found):
    for one in found:
        if one is None:
            stub.add_client_error("describe_stream_summary", "ResourceNotFoundException", expected_params=OF_NAME)
        else:
            stub.add_response("describe_stream_summary", {"StreamDescriptionSummary": one}, OF_NAME)


def created(stub, **more):
    request = {**OF_NAME, "StreamModeDetails": {"StreamMode": "ON_DEMAND"}, **more}
    stub.add_response("create_stream", {}, {**request, "Tags": {"project": "pinterest-pipeline", "run_id": "r"}})


def encrypted(stub):
    stub.add_response("start_stream_encryption", {}, {**OF_NAME, **KMS})


def operator(deferrable=False, **settings) -> KinesisCreateStreamOperator:
    return KinesisCreateStreamOperator(
        task_id="pin", stream_name=NAME, stream=wanted(**settings), deferrable=deferrable, waiter_delay=0
    )


# --- the operator ----------------------------------------------------------------------------------------------------


def test_a_stream_is_made_awaited_and_encrypted(kinesis):
    described(kinesis, None)
    created(kinesis)
    described(kinesis, summary("CREATING"), summary("CREATING"), summary("ACTIVE", EncryptionType="NONE"))
    described(kinesis, summary("ACTIVE", EncryptionType="NONE"))
    encrypted(kinesis)
    described(kinesis, summary("UPDATING"), summary("ACTIVE"), summary("ACTIVE"))

    assert operator().execute({}) == ARN


def test_a_provisioned_stream_is_made_with_its_shards(kinesis):
    described(kinesis, None)
    created(kinesis, StreamModeDetails={"StreamMode": "PROVISIONED"}, ShardCount=3)
    described(kinesis, summary(mode="PROVISIONED", shards=3, EncryptionType="NONE"))

    assert operator(mode="provisioned", shards=3, encryption="none").execute({}) == ARN


def test_a_stream_that_is_as_wanted_is_left_alone(kinesis):
    described(kinesis, summary(), summary())

    assert operator().execute({}) == ARN


def test_a_stream_that_is_being_deleted_is_awaited_and_made_anew(kinesis):
    described(kinesis, summary("DELETING"), summary("DELETING"), None)
    created(kinesis)
    described(kinesis, summary())

    assert operator().execute({}) == ARN


def test_a_stream_that_is_deleted_while_it_is_awaited_fails_the_task(kinesis):
    described(kinesis, summary("UPDATING"), summary("UPDATING"), summary("DELETING"))

    with pytest.raises(AirflowException, match=f"Stream {NAME}: stream_active will not happen"):
        operator().execute({})


def test_a_stream_that_somebody_else_made_meanwhile_is_adopted(kinesis):
    described(kinesis, None)
    kinesis.add_client_error("create_stream", "ResourceInUseException")
    described(kinesis, summary())

    assert operator().execute({}) == ARN


def test_everything_that_differs_is_changed_one_after_the_other(kinesis):
    found = {"mode": "PROVISIONED", "shards": 1, "EncryptionType": "NONE"}
    described(kinesis, summary(**found), summary(**found))
    for shards in (2, 4, 5):
        request = {**OF_NAME, "TargetShardCount": shards, "ScalingType": "UNIFORM_SCALING"}
        kinesis.add_response("update_shard_count", {}, request)
        found["shards"] = shards
        described(kinesis, summary("UPDATING", **found), summary(**found), summary(**found))
    kinesis.add_response("increase_stream_retention_period", {}, {**OF_NAME, "RetentionPeriodHours": 72})
    described(kinesis, summary(**found, retention=72))
    encrypted(kinesis)
    described(kinesis, summary(mode="PROVISIONED", shards=5, retention=72))

    assert operator(mode="provisioned", shards=5, retention_hours=72).execute({}) == ARN


def test_a_change_that_kinesis_does_not_make_fails_the_task(kinesis):
    described(kinesis, summary(), summary())
    kinesis.add_response("increase_stream_retention_period", {}, {**OF_NAME, "RetentionPeriodHours": 48})
    described(kinesis, summary())

    with pytest.raises(AirflowException, match="retention 24 → 48 hours was asked for, but"):
        operator(retention_hours=48).execute({})


def test_deferred_waits_take_up_where_they_were(kinesis):
    described(kinesis, None)
    created(kinesis)
    described(kinesis, summary("CREATING", EncryptionType="NONE"))
    task = operator(deferrable=True)
    with pytest.raises(TaskDeferred) as first:
        task.execute({})
    described(kinesis, summary(EncryptionType="NONE"))
    encrypted(kinesis)
    described(kinesis, summary("UPDATING"))
    with pytest.raises(TaskDeferred) as second:
        task.execute_complete({}, event={"status": "success"}, **first.value.kwargs)
    described(kinesis, summary())

    assert second.value.kwargs == {"changes": ["encryption none → alias/aws/kinesis"]}
    assert task.execute_complete({}, event={"status": "success"}, **second.value.kwargs) == ARN


@pytest.mark.parametrize("event", [None, {"status": "error", "message": "the trigger ended: no"}])
def test_a_deferred_wait_that_fails_fails_the_task(kinesis, event):
    with pytest.raises(AirflowException, match="the trigger ended"):
        operator(deferrable=True).execute_complete({}, changes=[], event=event)


def test_the_trigger_survives_the_database():
    aws = {"aws_conn_id": "aws_default", "region_name": "us-east-1", "verify": None, "botocore_config": None}
    trigger = KinesisStreamActiveTrigger(stream_name=NAME, waiter_delay=1, waiter_max_attempts=2, **aws)
    path, arguments = trigger.serialize()
    again = KinesisStreamActiveTrigger(**arguments)

    assert path == "pinterest.triggers.kinesis.KinesisStreamActiveTrigger"
    assert again.serialize() == (path, arguments)
    assert again.waiter_args == OF_NAME
    assert isinstance(again.hook(), KinesisStreamHook)


def test_the_trigger_names_the_stream_that_is_active(monkeypatch):
    trigger = KinesisStreamActiveTrigger(stream_name=NAME, waiter_delay=0, waiter_max_attempts=1)
    monkeypatch.setattr("airflow.providers.amazon.aws.triggers.base.async_wait", mock.AsyncMock())
    hook = mock.MagicMock(get_async_conn=mock.AsyncMock())
    monkeypatch.setattr(trigger, "hook", lambda: hook)

    async def first_event():
        return await anext(trigger.run())

    event = asyncio.run(first_event())
    assert event.payload == {"status": "success", "stream_name": NAME}
    assert hook.get_waiter.call_args.args == ("stream_active",)


# --- waiters ---------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("waiter", "states", "outcome"),
    [
        ("stream_active", ["CREATING", "UPDATING", "ACTIVE"], "success"),
        ("stream_active", ["CREATING", "DELETING"], "failure"),
        ("stream_active", [None], "failure"),
        ("stream_deleted", ["DELETING", None], "success"),
    ],
)
def test_waiter(kinesis, waiter, states, outcome):
    described(kinesis, *(state and summary(state) for state in states))
    wait = KinesisStreamHook().get_waiter(waiter)

    if outcome == "success":
        wait.wait(**OF_NAME, WaiterConfig={"Delay": 0, "MaxAttempts": len(states)})
    else:
        with pytest.raises(WaiterError, match="terminal failure"):
            wait.wait(**OF_NAME, WaiterConfig={"Delay": 0, "MaxAttempts": len(states)})


# --- what changes ----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("found", "settings", "what"),
    [
        ({}, {}, None),
        ({"KeyId": "arn:aws:kms:us-east-1:1:alias/aws/kinesis", "EncryptionType": "KMS"}, {}, None),
        ({"EncryptionType": "NONE"}, {"encryption": "none"}, None),
        ({"shards": 7}, {"shards": 2}, None),
        ({"mode": "PROVISIONED"}, {}, "mode PROVISIONED → ON_DEMAND"),
        ({}, {"mode": "provisioned", "shards": 4}, "mode ON_DEMAND → PROVISIONED"),
        ({"mode": "PROVISIONED", "shards": 7}, {"mode": "provisioned", "shards": 2}, "shards 7 → 4"),
        ({"mode": "PROVISIONED", "shards": 7}, {"mode": "provisioned", "shards": 100}, "shards 7 → 14"),
        ({"retention": 48}, {}, "retention 48 → 24 hours"),
        ({}, {"kms_key": "alias/mine"}, "encryption alias/aws/kinesis → alias/mine"),
        ({}, {"encryption": "none"}, "encryption alias/aws/kinesis → none"),
    ],
)
def test_what_is_changed_next(found, settings, what):
    change = next_change(summary(**found), wanted(**settings))

    assert (change and change.what) == what
    if change:
        client = boto3.client("kinesis", region_name="us-east-1")
        with Stubber(client) as stub:
            stub.add_response(change.operation, {}, change.arguments)
            getattr(client, change.operation)(**change.arguments)

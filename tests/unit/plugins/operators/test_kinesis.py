"""The stage ``data_streams``: what is sent to Kinesis, in which order, and what each state of a stream leads to."""

from __future__ import annotations

import pytest
from airflow.providers.common.compat.sdk import AirflowException
from airflow.sdk.exceptions import TaskDeferred
from botocore.exceptions import ClientError

from pinterest.operators.kinesis import KinesisCreateStreamOperator
from pinterest.retry_policy import lasts
from tests.unit.kinesis_parts import ARN, KMS, NAME, OF_NAME, described, summary, wanted


def created(stub, **more):
    request = {**OF_NAME, "StreamModeDetails": {"StreamMode": "PROVISIONED"}, "ShardCount": 1, **more}
    stub.add_response("create_stream", {}, {**request, "Tags": {"project": "pinterest-pipeline", "run_id": "r"}})


def encrypted(stub):
    stub.add_response("start_stream_encryption", {}, {**OF_NAME, **KMS})


def operator(deferrable=False, waiter_max_attempts=9, **settings) -> KinesisCreateStreamOperator:
    return KinesisCreateStreamOperator(
        task_id="pin",
        stream_name=NAME,
        stream=wanted(**settings),
        deferrable=deferrable,
        waiter_delay=0,
        waiter_max_attempts=waiter_max_attempts,
    )


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
    created(kinesis, ShardCount=3)
    described(kinesis, summary(mode="PROVISIONED", shards=3, EncryptionType="NONE"))

    assert operator(mode="provisioned", shards=3, encryption="none").execute({}) == ARN


def test_a_stream_on_demand_is_made_without_shards(kinesis):
    described(kinesis, None)
    request = {**OF_NAME, "StreamModeDetails": {"StreamMode": "ON_DEMAND"}}
    kinesis.add_response("create_stream", {}, {**request, "Tags": {"project": "pinterest-pipeline", "run_id": "r"}})
    described(kinesis, summary())

    assert operator(mode="on_demand").execute({}) == ARN


@pytest.mark.parametrize(
    ("found", "settings"),
    [({}, {}), ({}, {"shards": 2}), ({"mode": "PROVISIONED", "shards": 9}, {}), ({}, {"mode": "on_demand"})],
)
def test_a_stream_that_is_as_wanted_is_left_alone(kinesis, found, settings):
    described(kinesis, summary(**found), summary(**found))

    assert operator(**settings).execute({}) == ARN


def test_a_stream_that_is_never_active_fails_the_task_and_a_retry_adopts_it(kinesis):
    described(kinesis, None)
    created(kinesis)
    described(kinesis, *[summary("CREATING", EncryptionType="NONE")] * 3)
    with pytest.raises(AirflowException, match="max attempts reached"):
        operator(waiter_max_attempts=2).execute({})

    described(kinesis, summary("CREATING"), summary("CREATING"), summary(), summary())
    assert operator().execute({}) == ARN


@pytest.mark.parametrize(
    ("code", "lasting"),
    [("AccessDeniedException", True), ("LimitExceededException", False), ("ThrottlingException", False)],
)
def test_a_refusal_is_told_as_it_is(kinesis, code, lasting):
    """A limit is that of shards, or that of five new data streams at a time, which passes."""
    described(kinesis, None)
    kinesis.add_client_error("create_stream", code, "no")

    with pytest.raises(ClientError, match=f"{code}.*CreateStream.*: no") as refused:
        operator().execute({})

    assert lasts(refused.value) is lasting


def test_a_stream_that_is_being_deleted_is_awaited_and_made_anew(kinesis):
    described(kinesis, summary("DELETING"), summary("DELETING"), None)
    created(kinesis)
    described(kinesis, summary())

    assert operator().execute({}) == ARN


def test_a_stream_that_is_deleted_while_it_is_awaited_fails_the_task(kinesis):
    described(kinesis, summary("UPDATING"), summary("UPDATING"), summary("DELETING"))

    with pytest.raises(AirflowException, match=f"Data stream {NAME}: stream_active will not happen"):
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

    with pytest.raises(AirflowException, match="retention 24 → 48 hours was requested, but"):
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

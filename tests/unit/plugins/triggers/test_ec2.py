"""The triggers that wait for an instance, and for its console."""

from __future__ import annotations

import asyncio
from unittest import mock

import pytest

from pinterest.hooks.ec2 import Ec2AccountHook
from pinterest.triggers.ec2 import HostKeysPrintedTrigger, InstanceOkTrigger

AWS = {"aws_conn_id": "aws_default", "region_name": "us-east-1", "verify": None, "botocore_config": None}
WAIT = {"instance_id": "i-1", "waiter_delay": 0, "waiter_max_attempts": 2}
LAUNCHED = {"instance": {"instance_id": "i-1", "launched": True}}


@pytest.mark.parametrize(
    ("kind", "arguments", "asked"),
    [
        (InstanceOkTrigger, {"launched": True}, {"InstanceIds": ["i-1"], "IncludeAllInstances": True}),
        (HostKeysPrintedTrigger, {"latest": True}, {"InstanceId": "i-1", "Latest": True}),
        (HostKeysPrintedTrigger, {"latest": False}, {"InstanceId": "i-1"}),
    ],
)
def test_a_trigger_survives_the_database(kind, arguments, asked):
    trigger = kind(**arguments, **WAIT, **AWS)
    path, kept = trigger.serialize()
    again = kind(**kept)

    assert path == f"pinterest.triggers.ec2.{kind.__name__}"
    assert again.serialize() == (path, kept)
    assert again.waiter_args == asked
    assert isinstance(again.hook(), Ec2AccountHook)


@pytest.mark.parametrize(
    ("trigger", "waiter", "told"),
    [
        (InstanceOkTrigger(launched=True, **WAIT), "instance_ok", LAUNCHED),
        (HostKeysPrintedTrigger(latest=True, **WAIT), "host_keys_printed", {"instance_id": "i-1"}),
    ],
)
def test_a_trigger_tells_of_which_instance_it_is(monkeypatch, trigger, waiter, told):
    monkeypatch.setattr("airflow.providers.amazon.aws.triggers.base.async_wait", mock.AsyncMock())
    hook = mock.MagicMock(get_async_conn=mock.AsyncMock())
    monkeypatch.setattr(trigger, "hook", lambda: hook)

    async def first_event():
        return await anext(trigger.run())

    assert asyncio.run(first_event()).payload == {"status": "success", **told}
    assert hook.get_waiter.call_args.args == (waiter,)

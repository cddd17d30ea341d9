"""The trigger that waits until a data stream is active."""

from __future__ import annotations

import asyncio
from unittest import mock

from pinterest.hooks.kinesis import KinesisStreamHook
from pinterest.triggers.kinesis import KinesisStreamActiveTrigger
from tests.unit.kinesis_parts import NAME, OF_NAME


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

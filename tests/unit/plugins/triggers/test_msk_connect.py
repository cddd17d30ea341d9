"""The trigger that waits until a connector runs."""

from __future__ import annotations

import asyncio
from types import SimpleNamespace
from unittest import mock

from botocore.exceptions import WaiterError

from pinterest.triggers.msk_connect import MskConnectConnectorRunningTrigger
from tests.unit.plugins.msk_connect_parts import ARN, REASON, described


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

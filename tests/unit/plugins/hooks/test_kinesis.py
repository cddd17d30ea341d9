"""The waiters on a data stream's state."""

from __future__ import annotations

import pytest
from botocore.exceptions import WaiterError

from pinterest.hooks.kinesis import KinesisStreamHook
from tests.unit.kinesis_parts import OF_NAME, described, summary


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

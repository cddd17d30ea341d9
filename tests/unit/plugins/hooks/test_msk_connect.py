"""The waiters on the states of connectors and plugins."""

from __future__ import annotations

import pytest
from botocore.exceptions import WaiterError

from pinterest.hooks.msk_connect import MskConnectHook

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

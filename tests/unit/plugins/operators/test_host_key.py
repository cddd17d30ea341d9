"""The host key, learned from the console alone, and kept."""

from __future__ import annotations

import base64

import pytest
from airflow.providers.common.compat.sdk import AirflowException
from airflow.sdk.exceptions import TaskDeferred
from botocore.exceptions import ClientError

from pinterest.operators.host_key import HostKeyOperator
from tests.builders import USER_ID
from tests.unit.client_machine_parts import PAIRS, TAGS

KEY = "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIG4"
CONSOLE = f"-----BEGIN SSH HOST KEY KEYS-----\n{KEY} root@ip\n-----END SSH HOST KEY KEYS-----\n"
PARAMETER = f"/pinterest/{USER_ID}/host-key/i-1"


def operator(**more) -> HostKeyOperator:
    return HostKeyOperator(
        task_id="host_key",
        provision="False",
        tags=TAGS,
        instance_id="i-1",
        parameter=PARAMETER,
        **{"known": "", "waiter_delay": 0, "waiter_max_attempts": 2, **more},
    )


def not_kept(parameters):
    parameters.add_client_error("get_parameter", "ParameterNotFound")


def kept(parameters):
    request = {
        "Name": PARAMETER,
        "Value": KEY,
        "Type": "String",
        "Tags": [*PAIRS, {"Key": "instance_id", "Value": "i-1"}],
    }
    parameters.add_response("put_parameter", {"Version": 1}, request)


def console_is(ec2, *outputs, latest=True):
    """Stubs are decoded as EC2's answers are, from base64."""
    for output in outputs:
        encoded = {} if output is None else {"Output": base64.b64encode(output.encode()).decode()}
        ec2.add_response("get_console_output", encoded, {"InstanceId": "i-1", **({"Latest": True} if latest else {})})


def test_the_key_is_learned_and_kept(ec2, parameters):
    not_kept(parameters)
    console_is(ec2, CONSOLE)
    kept(parameters)

    assert operator().execute({}) == PARAMETER


def test_a_console_that_says_nothing_yet_is_awaited(ec2, parameters):
    not_kept(parameters)
    console_is(ec2, None, None, "booting", CONSOLE)
    console_is(ec2, CONSOLE)
    kept(parameters)

    assert operator(waiter_max_attempts=3).execute({}) == PARAMETER


def test_an_instance_without_the_latest_output_is_read_some_minutes_later(ec2, parameters):
    not_kept(parameters)
    ec2.add_client_error("get_console_output", "UnsupportedOperation")
    console_is(ec2, "", CONSOLE, CONSOLE, latest=False)
    kept(parameters)

    assert operator().execute({}) == PARAMETER


def test_a_key_that_is_kept_is_not_looked_for(ec2, parameters):
    parameters.add_response(
        "get_parameter", {"Parameter": {"Value": KEY, "Type": "String"}}, {"Name": PARAMETER, "WithDecryption": True}
    )

    assert operator().execute({}) == PARAMETER


def test_the_settings_key_wins(ec2, parameters):
    assert operator(known=KEY).execute({}) == "settings"


def test_a_console_that_has_forgotten_is_told_with_what_to_do(ec2, parameters):
    not_kept(parameters)
    console_is(ec2, *["login: "] * 3)

    with pytest.raises(AirflowException, match=r"i-1 shows no SSH host key on its console.*set kafka_client\.host_key"):
        operator().execute({})


def test_a_console_that_may_not_be_read_is_told_as_it_is(ec2, parameters):
    not_kept(parameters)
    ec2.add_client_error("get_console_output", "UnauthorizedOperation", "ec2:GetConsoleOutput")

    with pytest.raises(ClientError, match=r"UnauthorizedOperation.*GetConsoleOutput"):
        operator().execute({})


def test_a_wait_takes_no_worker(ec2, parameters):
    not_kept(parameters)
    console_is(ec2, "booting")
    task = operator(deferrable=True)
    with pytest.raises(TaskDeferred) as deferred:
        task.execute({})
    console_is(ec2, CONSOLE)
    kept(parameters)

    assert deferred.value.trigger.waiter_args == {"InstanceId": "i-1", "Latest": True}
    assert task.execute_complete({}, {"status": "success", "instance_id": "i-1"}) == PARAMETER


@pytest.mark.parametrize("event", [None, {"status": "error", "message": "max attempts reached"}])
def test_a_deferred_wait_that_fails_fails_the_task(event):
    with pytest.raises(AirflowException, match="shows no SSH host key"):
        operator().execute_complete({}, event)

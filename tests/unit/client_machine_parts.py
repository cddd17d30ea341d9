"""The client machine as EC2 describes it, for the tests of the operators that find and launch it."""

from __future__ import annotations

from typing import Any

from include.aws.instance import ALIVE
from tests.builders import USER_ID

TAGS = {"project": "pinterest-pipeline", "user_id": USER_ID, "run_id": "r", "expires_at": ""}
PAIRS = [
    {"Key": "project", "Value": "pinterest-pipeline"},
    {"Key": "user_id", "Value": USER_ID},
    {"Key": "run_id", "Value": "r"},
]
OURS = PAIRS[:2]
BY_NAME = {
    "Filters": [
        {"Name": "tag:Name", "Values": [USER_ID]},
        {"Name": "instance-state-name", "Values": list(ALIVE)},
    ]
}


def machine(state: str = "running", **more: Any) -> dict[str, Any]:
    return {"InstanceId": "i-1", "State": {"Name": state}, "Tags": OURS, **more}


def machine_is(ec2: Any, *found: dict[str, Any] | None) -> None:
    instances = [one for one in found if one is not None]
    ec2.add_response("describe_instances", {"Reservations": [{"Instances": instances}]}, BY_NAME)

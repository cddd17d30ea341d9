from __future__ import annotations

from types import SimpleNamespace
from typing import Any

import pytest
from botocore.exceptions import WaiterError

from mwaa.faults import DeployError
from mwaa.stack import Stack
from tests.unit.mwaa.mwaa_parts import error

OUTPUTS = {
    "BucketName": "airflow-bucket",
    "EnvironmentName": "pinterest-pipeline",
    "VpcId": "vpc-1",
    "AirflowSecurityGroup": "sg-airflow",
}
OWN = [
    {"NetworkInterfaceId": "eni-1", "Groups": [{"GroupId": "sg-airflow"}], "InterfaceType": "interface"},
    {"NetworkInterfaceId": "eni-2", "Groups": [], "InterfaceType": "nat_gateway"},
]


class Account:
    """Each service's client is the account itself."""

    meta = SimpleNamespace(region_name="eu-west-1")

    def __init__(self, *, there: bool = True) -> None:
        self.there = there
        self.parameters = [{"ParameterKey": "UserId", "ParameterValue": "0e36c8cd403d"}]
        self.fails = False
        self.unchanged = False
        self.called: list[str] = []
        self.requests: list[dict[str, Any]] = []
        self.listed: dict[str, list[dict[str, Any]]] = {
            "describe_network_interfaces": list(OWN),
            "describe_security_groups": [
                {"GroupId": "sg-airflow", "GroupName": "airflow"},
                {"GroupId": "sg-0", "GroupName": "default"},
            ],
            "describe_log_groups": [{"logGroupName": "airflow-pinterest-pipeline-Task"}],
            "list_secrets": [{"Name": "pinterest/connections/pinterest_source"}],
        }
        self.versions = [{"Key": "plugins.zip", "VersionId": str(number)} for number in range(3)]
        self.markers = [{"Key": "dags/old.py", "VersionId": "m"}]

    def __call__(self, service: str) -> Account:
        return self

    def describe_stacks(self, *, StackName: str) -> dict[str, Any]:
        if not self.there:
            raise error("ValidationError", "DescribeStacks", f"Stack with id {StackName} does not exist")
        outputs = [{"OutputKey": key, "OutputValue": value} for key, value in OUTPUTS.items()]
        return {"Stacks": [{"Outputs": outputs, "Parameters": self.parameters}]}

    def describe_stack_events(self, *, StackName: str) -> dict[str, Any]:
        events = [
            {
                "LogicalResourceId": "Environment",
                "ResourceStatus": "CREATE_FAILED",
                "ResourceStatusReason": "cancelled",
            },
            {"LogicalResourceId": "Vpc", "ResourceStatus": "CREATE_COMPLETE"},
            {
                "LogicalResourceId": "Nat",
                "ResourceStatus": "CREATE_FAILED",
                "ResourceStatusReason": "quota of addresses",
            },
        ]
        return {"StackEvents": events}

    def create_stack(self, **request: Any) -> None:
        self.there = True
        self._call("create_stack", request)

    def update_stack(self, **request: Any) -> None:
        if self.unchanged:
            raise error("ValidationError", "UpdateStack", "No updates are to be performed.")
        self._call("update_stack", request)

    def delete_stack(self, **request: Any) -> None:
        self._call("delete_stack", request)

    def delete_objects(self, **request: Any) -> dict[str, Any]:
        self._call("delete_objects", request)
        return {}

    def delete_bucket(self, **request: Any) -> None:
        self._call("delete_bucket", request)

    def get_bucket_tagging(self, *, Bucket: str) -> dict[str, Any]:
        return {"TagSet": [{"Key": "aws:cloudformation:stack-name", "Value": "pinterest-pipeline"}]}

    def get_waiter(self, name: str) -> SimpleNamespace:
        def wait(**_: Any) -> None:
            if self.fails:
                raise WaiterError(name, "terminal failure", {})

        return SimpleNamespace(wait=wait)

    def get_paginator(self, operation: str) -> SimpleNamespace:
        keys = {
            "describe_network_interfaces": "NetworkInterfaces",
            "describe_security_groups": "SecurityGroups",
            "describe_log_groups": "logGroups",
            "list_secrets": "SecretList",
        }
        if operation == "list_object_versions":
            page = {"Versions": self.versions, "DeleteMarkers": self.markers}
        else:
            page = {keys[operation]: self.listed[operation]}
        return SimpleNamespace(paginate=lambda **_: [page])

    def _call(self, name: str, request: dict[str, Any]) -> None:
        self.called.append(name)
        self.requests.append(request)


def stack(account: Account) -> Stack:
    return Stack(account, "pinterest-pipeline")


def test_a_stack_is_made_with_what_is_given_and_its_outputs_are_shown(capsys):
    account = Account(there=False)

    stack(account).make({"UserId": "0e36c8cd403d"})

    assert account.called == ["create_stack"]
    assert account.requests[0]["Parameters"] == [{"ParameterKey": "UserId", "ParameterValue": "0e36c8cd403d"}]
    assert account.requests[0]["Capabilities"] == ["CAPABILITY_IAM"]
    assert "  BucketName: airflow-bucket" in capsys.readouterr().out


def test_a_stack_that_is_there_keeps_the_parameters_that_are_not_given():
    account = Account()

    stack(account).make({"MaxWorkers": "2"})

    assert account.called == ["update_stack"]
    assert account.requests[0]["Parameters"] == [
        {"ParameterKey": "MaxWorkers", "ParameterValue": "2"},
        {"ParameterKey": "UserId", "UsePreviousValue": True},
    ]


def test_a_second_call_changes_nothing(capsys):
    account = Account()
    account.unchanged = True

    stack(account).make({})

    assert account.called == []
    assert "the stack pinterest-pipeline is as it should be" in capsys.readouterr().out


def test_a_failure_has_cloudformations_reasons_the_first_one_first():
    account = Account(there=False)
    account.fails = True

    with pytest.raises(DeployError) as failed:
        stack(account).make({})

    assert str(failed.value).splitlines() == [
        "the stack pinterest-pipeline failed:",
        "  Nat: quota of addresses",
        "  Environment: cancelled",
    ]


def test_what_is_left_is_listed(capsys):
    account = Account()

    stack(account).destroy()

    assert account.called == ["delete_stack"]
    assert capsys.readouterr().out.splitlines()[1:] == [
        "left: the bucket airflow-bucket, with 4 versions of objects",
        "      to delete it, with all of them: make destroy DELETE_BUCKET=airflow-bucket",
        "left: the log group airflow-pinterest-pipeline-Task (aws logs delete-log-group --log-group-name …)",
        "left: the secret pinterest/connections/pinterest_source (aws secretsmanager delete-secret --secret-id …)",
    ]


def test_the_bucket_goes_with_every_version_if_its_name_is_repeated(capsys):
    account = Account()

    stack(account).destroy("airflow-bucket")

    assert account.called == ["delete_stack", "delete_objects", "delete_bucket"]
    assert account.requests[1]["Delete"]["Objects"] == [*account.versions, *account.markers]
    assert "left: the bucket" not in capsys.readouterr().out


def test_nothing_goes_if_the_bucket_has_another_name():
    account = Account()

    with pytest.raises(DeployError, match="the stack's bucket is airflow-bucket, not other"):
        stack(account).destroy("other")

    assert account.called == []


@pytest.mark.parametrize(
    ("operation", "other", "named"),
    [
        (
            "describe_network_interfaces",
            {"NetworkInterfaceId": "eni-3", "Groups": [], "Attachment": {"InstanceId": "i-1"}},
            r"network interface eni-3 \(i-1\)",
        ),
        (
            "describe_security_groups",
            {"GroupId": "sg-2", "GroupName": "x-kafka-client"},
            "security group x-kafka-client",
        ),
    ],
)
def test_nothing_goes_while_others_use_the_network(operation, other, named):
    account = Account()
    account.listed[operation].append(other)

    with pytest.raises(DeployError, match=rf"used by others: {named}.*pinterest_teardown"):
        stack(account).destroy()

    assert account.called == []


def test_a_bucket_that_was_left_goes_later_and_no_other():
    account = Account(there=False)

    stack(account).delete_bucket_that_is_left("airflow-bucket")
    assert account.called == ["delete_objects", "delete_bucket"]

    with pytest.raises(DeployError, match="was not made by the stack another"):
        Stack(account, "another").delete_bucket_that_is_left("airflow-bucket")


def test_a_stack_that_is_not_there_is_named():
    with pytest.raises(DeployError, match="there is no stack pinterest-pipeline in eu-west-1"):
        stack(Account(there=False)).destroy()

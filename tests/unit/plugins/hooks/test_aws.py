"""What AWS says no to: it throttles for a minute, and nothing fails; it denies, and the error says what is lacking."""

from __future__ import annotations

import ast
import json
import random
from pathlib import Path
from typing import Any

import pytest
from airflow.providers.amazon.aws.utils.waiter_with_logging import wait
from botocore.awsrequest import AWSResponse
from botocore.config import Config
from botocore.exceptions import ClientError
from botocore.model import OperationModel

from include.aws.retries import RETRIES
from pinterest.hooks.api_gateway import ApiGatewayHook
from pinterest.hooks.aws import AwsBaseHook, S3Hook
from pinterest.hooks.msk import MskHook
from pinterest.retry_policy import lasts
from pinterest.triggers.ec2 import HostKeysPrintedTrigger, InstanceOkTrigger
from pinterest.triggers.kinesis import KinesisStreamActiveTrigger
from pinterest.triggers.msk import MskClusterTrigger
from pinterest.triggers.msk_connect import MskConnectConnectorRunningTrigger, MskConnectOperationTrigger
from pinterest.triggers.vpc_link import LoadBalancerActiveTrigger, VpcLinkAvailableTrigger
from tests.throttling import MINUTE, answered, refusal, response, throttled

PLUGINS = Path(__file__).parents[4] / "plugins" / "pinterest"
WAITS = {"waiter_delay": 1, "waiter_max_attempts": 1, "aws_conn_id": "aws_default", "region_name": "us-east-1"}
CALLS: list[tuple[str, str, dict[str, Any]]] = [
    ("apigateway", "create_rest_api", {"name": "x"}),
    ("apigateway", "get_rest_apis", {}),
    ("apigateway", "delete_rest_api", {"restApiId": "x"}),
    ("ec2", "create_tags", {"Resources": ["x"], "Tags": []}),
    ("ec2", "describe_vpcs", {}),
    ("elbv2", "describe_load_balancers", {}),
    ("iam", "create_role", {"RoleName": "x", "AssumeRolePolicyDocument": "{}"}),
    ("kafka", "list_clusters_v2", {}),
    ("kafkaconnect", "tag_resource", {"resourceArn": "x", "tags": {}}),
    ("kinesis", "create_stream", {"StreamName": "x"}),
    ("kinesis", "get_records", {"ShardIterator": "x"}),
    ("logs", "create_log_group", {"logGroupName": "x"}),
    ("s3", "head_bucket", {"Bucket": "bucket"}),
    ("s3", "put_object", {"Bucket": "bucket", "Key": "x", "Body": b"x"}),
    ("service-quotas", "list_services", {}),
    ("sns", "publish", {"Message": "x"}),
    ("ssm", "put_parameter", {"Name": "x", "Value": "x"}),
    ("sts", "get_caller_identity", {}),
]


@pytest.fixture(autouse=True)
def connection(monkeypatch) -> None:
    """Nobody waits longer or shorter by chance."""
    keys = {"conn_type": "aws", "login": "x", "password": "x"}
    monkeypatch.setenv("AIRFLOW_CONN_AWS_DEFAULT", json.dumps(keys))
    monkeypatch.setenv("AIRFLOW_CONN_AWS_HASTY", json.dumps(keys | {"extra": {"config_kwargs": {"retries": HASTY}}}))
    random.seed(1)


HASTY = {"total_max_attempts": 1}


def done(model: OperationModel) -> AWSResponse:
    """An empty answer in the service's protocol."""
    return response(200, f"<A><{model.name}Result/></A>" if "json" not in model.service_model.protocol else "{}")


@pytest.mark.slow
@pytest.mark.parametrize(("service", "operation", "arguments"), CALLS)
def test_a_call_is_made_after_a_minute_of_throttling(service, operation, arguments):
    client = AwsBaseHook(client_type=service, region_name="us-east-1").conn

    with throttled(done) as throttling:
        getattr(client, operation)(**arguments)

    [times] = throttling.asked.values()
    assert times[-1] >= MINUTE


@pytest.mark.slow
def test_one_client_is_throttled_at_one_call_after_the_other():
    client = AwsBaseHook(client_type="apigateway", region_name="us-east-1").conn

    with throttled(done) as throttling:
        for name in ("get_rest_apis", "get_usage_plans", "get_api_keys", "get_vpc_links", "get_domain_names"):
            getattr(client, name)()

    assert throttling.now >= 5 * MINUTE


@pytest.mark.slow
def test_throttling_that_lasts_ends_in_its_error():
    client = AwsBaseHook(client_type="iam", region_name="us-east-1").conn

    with throttled(lasting=True) as throttling, pytest.raises(ClientError, match="Rate exceeded"):
        client.list_roles()

    assert MINUTE < throttling.now < 5 * MINUTE


@pytest.mark.slow
@pytest.mark.parametrize(
    ("service", "operation", "arguments", "code", "told"),
    [
        ("apigateway", "create_rest_api", {"name": "x"}, "AccessDeniedException", "apigateway:POST, see bin/policies"),
        ("ec2", "describe_vpcs", {}, "UnauthorizedOperation", "ec2:DescribeVpcs, see bin/policies"),
        ("elbv2", "create_load_balancer", {"Name": "x"}, "AccessDenied",
         "elasticloadbalancing:CreateLoadBalancer, see bin/policies vpc_link"),
        ("kafkaconnect", "delete_connector", {"connectorArn": "x"}, "ForbiddenException",
         "kafkaconnect:DeleteConnector, see bin/policies airflow"),
        ("kinesis", "create_stream", {"StreamName": "x"}, "AccessDeniedException",
         "kinesis:CreateStream, see bin/policies airflow"),
        ("s3", "list_objects_v2", {"Bucket": "bucket"}, "AccessDenied", "s3:ListBucket, see bin/policies airflow"),
        ("iam", "list_users", {}, "AccessDenied", "iam:ListUsers"),
    ],
)  # fmt: skip
def test_who_lacks_which_permission_is_told(service, operation, arguments, code, told):
    def denied(model: OperationModel) -> AWSResponse:
        if model.name == "GetCallerIdentity":
            name, arn = f"{model.name}Result", "arn:aws:sts::123456789012:assumed-role/airflow/worker"
            return response(200, f"<A><{name}><Arn>{arn}</Arn></{name}></A>")
        return refusal(model, code, "no", 403)

    client = AwsBaseHook(client_type=service, region_name="us-east-1").conn
    lacking = f"{code}.*: no. arn:aws:sts::123456789012:assumed-role/airflow/worker lacks the permission {told}"

    with answered(denied), pytest.raises(ClientError, match=lacking) as error:
        getattr(client, operation)(**arguments)

    assert lasts(error.value)


def test_a_caller_whom_sts_does_not_name_is_the_connections():
    client = AwsBaseHook(client_type="iam", region_name="us-east-1").conn

    denied = answered(lambda model: refusal(model, "AccessDenied", "", 403))
    with (
        denied,
        pytest.raises(ClientError, match=r"no reason. The caller of the connection aws_default lacks the"),
    ):
        client.create_role(RoleName="x", AssumeRolePolicyDocument="{}")


@pytest.mark.slow
def test_a_waiter_waits_it_out():
    def active(_model: OperationModel) -> AWSResponse:
        return response(200, json.dumps({"clusterInfo": {"state": "ACTIVE"}}))

    with throttled(active) as throttling:
        wait(
            waiter=MskHook(region_name="us-east-1").get_waiter("cluster_active"),
            waiter_delay=1,
            waiter_max_attempts=1,
            args={"ClusterArn": "x"},
            failure_message="",
            status_message="",
            status_args=[],
        )

    assert throttling.now >= MINUTE


@pytest.mark.parametrize(
    "trigger",
    [
        InstanceOkTrigger(instance_id="i", launched=True, **WAITS),
        HostKeysPrintedTrigger(instance_id="i", latest=True, **WAITS),
        KinesisStreamActiveTrigger(stream_name="x", **WAITS),
        MskClusterTrigger(cluster_arn="x", waiter="cluster_active", created=True, **WAITS),
        MskConnectConnectorRunningTrigger(connector_arn="x", **WAITS),
        MskConnectOperationTrigger(connector_arn="x", operation_arn="y", **WAITS),
        LoadBalancerActiveTrigger(arn="x", made=True, **WAITS),
        VpcLinkAvailableTrigger(link_id="x", made=True, **WAITS),
    ],
    ids=lambda trigger: type(trigger).__name__,
)
def test_a_trigger_is_as_patient(trigger):
    assert trigger.hook().config.retries == RETRIES


def test_what_the_connection_or_the_hook_says_counts():
    assert AwsBaseHook(aws_conn_id="aws_hasty", client_type="s3").config.retries == HASTY
    assert ApiGatewayHook(config=Config(retries=HASTY)).config.retries == HASTY
    assert ApiGatewayHook(config={"read_timeout": 5}).config.retries == RETRIES
    assert S3Hook(config=Config(signature_version="s3v4")).config.retries == RETRIES


def test_nothing_makes_a_hook_that_gives_up_early():
    own = PLUGINS / "hooks" / "aws.py"
    found = {
        path.relative_to(PLUGINS).as_posix()
        for path in PLUGINS.rglob("*.py")
        for node in ast.walk(ast.parse(path.read_text()))
        if isinstance(node, ast.ImportFrom) and (node.module or "").startswith("airflow.providers.amazon.aws.hooks")
    }

    assert found == {own.relative_to(PLUGINS).as_posix()}

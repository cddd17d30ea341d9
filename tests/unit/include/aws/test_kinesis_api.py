"""The REST API's resources in front of Kinesis, and what the role that acts for them may do."""

from __future__ import annotations

import re

import boto3
import pytest
from botocore.stub import Stubber

from include.aws.api_gateway import is_in_place
from include.aws.kinesis_api import REQUEST_MODELS, RESPONSES
from include.aws.policies import policy
from tests.builders import USER_ID, settings
from tests.unit.kinesis_resources import METHODS, ROLE_ARN


class TestResources:
    def test_there_is_one_method_for_each_action(self):
        served = {(verb, path): method["integration"]["uri"].rpartition("/")[2] for path, verb, method in METHODS}

        assert served == {
            ("GET", "/streams"): "ListStreams",
            ("GET", "/streams/{stream-name}"): "DescribeStream",
            ("POST", "/streams/{stream-name}"): "CreateStream",
            ("DELETE", "/streams/{stream-name}"): "DeleteStream",
            ("PUT", "/streams/{stream-name}/record"): "PutRecord",
            ("PUT", "/streams/{stream-name}/records"): "PutRecords",
        }

    @pytest.mark.parametrize(("path", "verb", "method"), METHODS)
    def test_a_method_acts_in_the_roles_name_for_callers_with_a_key(self, path, verb, method):
        integration = method["integration"]

        assert method["method"]["apiKeyRequired"] is True
        assert integration["type"] == "AWS"
        assert integration["integrationHttpMethod"] == "POST"
        assert integration["uri"].startswith("arn:aws:apigateway:eu-west-1:kinesis:action/")
        assert integration["credentials"] == ROLE_ARN
        assert integration["passthroughBehavior"] == "NEVER"

    def test_a_key_is_not_enough_to_create_or_delete_a_data_stream(self):
        signed = {(verb, path) for path, verb, method in METHODS if method["method"]["authorizationType"] == "AWS_IAM"}

        assert signed == {("POST", "/streams/{stream-name}"), ("DELETE", "/streams/{stream-name}")}

    @pytest.mark.parametrize(("path", "verb", "method"), METHODS)
    def test_api_gateway_knows_every_argument(self, path, verb, method):
        client = boto3.client("apigateway", region_name="us-east-1")
        where = {"restApiId": "a", "resourceId": "r", "httpMethod": verb}
        with Stubber(client) as stub:
            for operation in ("put_method", "put_integration"):
                stub.add_response(operation, {}, None)
            client.put_method(**where, **method["method"])
            client.put_integration(**where, **method["integration"])
            for status, response in method["responses"].items():
                for operation in ("put_method_response", "put_integration_response"):
                    stub.add_response(operation, {}, None)
                client.put_method_response(**where, statusCode=status, **response["method"])
                client.put_integration_response(**where, statusCode=status, **response["integration"])

    def test_a_method_of_another_role_is_not_in_place(self):
        [(_, _, method)] = [one for one in METHODS if one[0].endswith("/record")]
        integration = {**method["integration"], "httpMethod": "POST"}
        described = {
            **method["method"],
            "methodResponses": {status: response["method"] for status, response in method["responses"].items()},
            "methodIntegration": {
                **integration,
                "integrationResponses": {s: response["integration"] for s, response in method["responses"].items()},
            },
        }

        assert is_in_place(method, described)
        integration["credentials"] = "arn:aws:iam::000000000000:role/another"
        assert not is_in_place(method, {**described, "methodIntegration": integration})

    @pytest.mark.parametrize(
        ("status", "answer"),
        [(200, "200"), (400, "400"), (413, "400"), (429, "400"), (500, "500"), (502, "500"), (503, "503")],
    )
    def test_an_error_of_kinesis_is_an_error_to_the_caller(self, status, answer):
        matching = [code for code, pattern in RESPONSES.items() if pattern and re.fullmatch(pattern, str(status))]

        assert (matching or ["200"]) == [answer]

    def test_bodies_are_checked_where_there_are_any(self):
        checked = {(verb, path) for path, verb, method in METHODS if "requestValidatorId" in method["method"]}

        assert checked == {
            ("POST", "/streams/{stream-name}"),
            ("PUT", "/streams/{stream-name}/record"),
            ("PUT", "/streams/{stream-name}/records"),
        }
        for _, _, method in METHODS:
            assert set(method["method"].get("requestModels", {}).values()) <= set(REQUEST_MODELS)


def test_the_role_may_do_the_six_actions_and_only_on_the_users_streams():
    on_streams, on_all = policy("kinesis_api", settings(region="eu-west-1"), "123456789012")["Statement"]

    assert on_streams["Resource"] == f"arn:aws:kinesis:eu-west-1:123456789012:stream/streaming-{USER_ID}-*"
    assert {*on_streams["Action"], on_all["Action"]} == {
        method["integration"]["uri"].replace("arn:aws:apigateway:eu-west-1:kinesis:action/", "kinesis:")
        for _, _, method in METHODS
    }

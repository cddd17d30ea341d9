"""The REST API's resources in front of Kinesis, their templates, and the role that acts for them."""

from __future__ import annotations

import json
import re
from datetime import datetime

import boto3
import pytest
from airflow.sdk import DAG
from botocore.stub import Stubber

from include.aws.api_gateway import is_in_place
from include.aws.kinesis_api import (
    REQUEST_MODELS,
    RESPONSES,
    STREAM_ACTIONS,
    kinesis_resources,
    role_policy,
    role_trust,
)
from pinterest.dag_defaults import TEMPLATES
from pinterest.hooks.iam import IamHook
from pinterest.operators.iam import IamCreateRoleOperator
from pinterest_stages.data_streams import data_streams
from pinterest_stages.rest_api import rest_api

USER = "0e36c8cd403d"
ROLE = f"{USER}-kinesis-access-role"
ARN = f"arn:aws:iam::000000000000:role/{ROLE}"
TAGS = {"project": "pinterest-pipeline", "user_id": USER}
POLICY_OF_ROLE = {"RoleName": ROLE, "PolicyName": "kinesis-streams"}

PATHS = kinesis_resources(region="eu-west-1", role_arn=ARN, validator_id="v1")
METHODS = [
    (path, verb, method) for path, methods in PATHS.items() for verb, method in methods.items() if verb != "OPTIONS"
]


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
        assert integration["credentials"] == ARN
        assert integration["passthroughBehavior"] == "NEVER"

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


class TestStages:
    with DAG("stages", schedule=None, start_date=datetime(2026, 1, 1), template_searchpath=str(TEMPLATES)) as dag:
        rest_api()
        data_streams()

    def test_resources_wait_for_what_they_name(self):
        upstream = self.dag.get_task("rest_api.resources").upstream_task_ids

        assert upstream == {f"rest_api.{name}" for name in ("backend", "api", "kinesis_role", "validation")}

    @pytest.mark.parametrize("task_id", ["rest_api.resources", "rest_api.deployment"])
    def test_templates_are_files_that_airflow_finds(self, task_id):
        task = self.dag.get_task(task_id)
        named = re.findall(
            r"rest_api/\w+\.vtl",
            repr([getattr(task, name) for name in ("paths", "content") if name in task.template_fields]),
        )

        assert len(named) == len(METHODS)
        assert all(name.endswith(tuple(task.template_ext)) and (TEMPLATES / name).exists() for name in named)

    def test_each_stream_has_its_task(self):
        assert sorted(t for t in self.dag.task_ids if "data_streams." in t) == [
            "data_streams.geo",
            "data_streams.pin",
            "data_streams.user",
        ]


class TestTemplates:
    NAMES = sorted(path.name for path in (TEMPLATES / "rest_api").glob("*.vtl"))

    def test_each_action_has_its_file(self):
        assert {f"{action}.vtl" for action in (*STREAM_ACTIONS, "ListStreams")} == set(self.NAMES)

    @pytest.mark.parametrize("name", NAMES)
    def test_airflow_passes_a_template_on_as_it_is(self, name):
        text = (TEMPLATES / "rest_api" / name).read_text()

        assert not re.search(r"\{\{|\{%|\{#", text), f"{name} holds what Airflow would render"

    @pytest.mark.parametrize("name", ["PutRecord.vtl", "PutRecords.vtl"])
    def test_data_is_taken_as_json_and_never_as_java_prints_it(self, name):
        [encoded] = re.findall(r"base64Encode\((.*)\)\"", (TEMPLATES / "rest_api" / name).read_text())

        assert encoded.startswith("$input.json(")


class TestRole:
    @pytest.fixture
    def iam(self, monkeypatch):
        client = boto3.client("iam", region_name="us-east-1")
        with Stubber(client) as stub:
            monkeypatch.setattr(IamHook, "conn", client)
            yield stub
            stub.assert_no_pending_responses()

    def create(self):
        operator = IamCreateRoleOperator(
            task_id="role",
            role_name=ROLE,
            trust=role_trust(),
            policy_name="kinesis-streams",
            policy=role_policy(USER),
            tags=TAGS,
        )
        return operator.execute({})

    def found(self, iam, tags):
        iam.add_response("get_role", {"Role": self.role(Tags=as_list(tags))}, {"RoleName": ROLE})

    def role(self, **more):
        created = {"Path": "/", "RoleName": ROLE, "RoleId": "A" * 16, "Arn": ARN, "CreateDate": "2026-01-01"}
        return {**created, **more}

    def policy_is(self, iam, document):
        answer = {**POLICY_OF_ROLE, "PolicyDocument": json.dumps(document)}
        iam.add_response("get_role_policy", answer, POLICY_OF_ROLE)

    def policy_is_put(self, iam):
        iam.add_response("put_role_policy", {}, {**POLICY_OF_ROLE, "PolicyDocument": json.dumps(role_policy(USER))})

    def test_is_made_with_its_policy(self, iam):
        iam.add_client_error("get_role", "NoSuchEntity", http_status_code=404)
        iam.add_response(
            "create_role",
            {"Role": self.role()},
            {"RoleName": ROLE, "AssumeRolePolicyDocument": json.dumps(role_trust()), "Tags": as_list(TAGS)},
        )
        iam.add_client_error("get_role_policy", "NoSuchEntity", http_status_code=404)
        self.policy_is_put(iam)

        assert self.create() == ARN

    def test_a_role_of_somebody_else_is_adopted_as_it_is(self, iam):
        self.found(iam, {"made": "by hand"})

        assert self.create() == ARN

    def test_a_role_whose_policy_was_never_put_gets_it(self, iam):
        self.found(iam, TAGS)
        iam.add_client_error("get_role_policy", "NoSuchEntity", http_status_code=404)
        self.policy_is_put(iam)

        assert self.create() == ARN

    def test_an_older_policy_is_replaced(self, iam):
        self.found(iam, {**TAGS, "more": "tags"})
        self.policy_is(iam, {"Version": "2012-10-17", "Statement": []})
        self.policy_is_put(iam)

        assert self.create() == ARN

    def test_a_rerun_changes_nothing(self, iam):
        self.found(iam, TAGS)
        self.policy_is(iam, role_policy(USER))

        assert self.create() == ARN

    def test_may_do_the_six_actions_and_only_on_the_users_streams(self):
        on_streams, on_all = role_policy(USER)["Statement"]

        assert on_streams["Resource"] == f"arn:aws:kinesis:*:*:stream/streaming-{USER}-*"
        assert {*on_streams["Action"], on_all["Action"]} == {
            method["integration"]["uri"].replace("arn:aws:apigateway:eu-west-1:kinesis:action/", "kinesis:")
            for _, _, method in METHODS
        }
        assert role_trust()["Statement"][0]["Principal"] == {"Service": "apigateway.amazonaws.com"}


def as_list(tags):
    return [{"Key": key, "Value": value} for key, value in tags.items()]

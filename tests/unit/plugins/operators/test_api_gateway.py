"""The REST API stage's operators. botocore checks every request and answer here against API Gateway's own model."""

from __future__ import annotations

import json
import logging
from types import SimpleNamespace

import boto3
import pytest
import requests
from botocore.stub import ANY, Stubber

from include.aws.api_gateway import (
    PROXY_PATH,
    body_refusal_request,
    fingerprint,
    is_in_place,
    proxy_methods,
    rest_api_request,
    usage_plan_request,
)
from pinterest.hooks.api_gateway import ApiGatewayHook, RestApiError
from pinterest.hooks.kafka_client import KafkaClientError, KafkaClientHook
from pinterest.operators import api_gateway as module
from pinterest.operators.api_gateway import (
    RestApiCreateOperator,
    RestApiDeployOperator,
    RestApiInvokeUrlOperator,
    RestApiPutResourcesOperator,
    RestApiUsagePlanOperator,
)
from pinterest.operators.api_gateway_validation import RestApiPutValidationOperator
from pinterest.sensors import rest_api as sensor_module
from pinterest.sensors.rest_api import RestApiStreamsSensor, RestApiTopicsSensor

USER = "0e36c8cd403d"
API = {"id": "a1b2c3", "name": USER}
KEY = "the-key-nobody-may-see-0123456789"
PARAMETER = f"/pinterest/{USER}/api-key"
TAGS = {"project": "pinterest-pipeline", "user_id": USER}
BACKEND = "http://ec2-1-2-3-4.compute-1.amazonaws.com:8082"


@pytest.fixture
def gateway(monkeypatch):
    client = boto3.client("apigateway", region_name="us-east-1")
    with Stubber(client) as stub:
        monkeypatch.setattr(ApiGatewayHook, "conn", client)
        monkeypatch.setattr(ApiGatewayHook, "conn_region_name", "us-east-1")
        monkeypatch.setattr(ApiGatewayHook, "conn_partition", "aws")
        yield stub
        stub.assert_no_pending_responses()


@pytest.fixture
def parameters(monkeypatch):
    client = boto3.client("ssm", region_name="us-east-1")
    with Stubber(client) as stub:
        from airflow.providers.amazon.aws.hooks.ssm import SsmHook

        monkeypatch.setattr(SsmHook, "conn", client)
        yield stub
        stub.assert_no_pending_responses()


@pytest.fixture(autouse=True)
def link(monkeypatch):
    monkeypatch.setattr(module.RestApiLink, "persist", lambda **_: None)


def described(methods) -> dict:
    """The methods as AWS describes them, written out from its documentation of GetResources."""
    return {
        "ANY": {
            "httpMethod": "ANY",
            "authorizationType": "NONE",
            "apiKeyRequired": True,
            "requestParameters": {"method.request.path.proxy": True},
            "methodIntegration": {
                "type": "HTTP_PROXY",
                "httpMethod": "ANY",
                "uri": methods["ANY"]["integration"]["uri"],
                "requestParameters": {"integration.request.path.proxy": "method.request.path.proxy"},
                "passthroughBehavior": "WHEN_NO_MATCH",
                "timeoutInMillis": 29000,
                "cacheNamespace": "r1",
                "cacheKeyParameters": [],
            },
        },
        "OPTIONS": {
            "httpMethod": "OPTIONS",
            "authorizationType": "NONE",
            "apiKeyRequired": False,
            "methodResponses": {
                "200": {
                    "statusCode": "200",
                    "responseParameters": {
                        f"method.response.header.Access-Control-Allow-{name}": False
                        for name in ("Headers", "Methods", "Origin")
                    },
                    "responseModels": {"application/json": "Empty"},
                }
            },
            "methodIntegration": {
                "type": "MOCK",
                "requestTemplates": {"application/json": '{"statusCode": 200}'},
                "passthroughBehavior": "WHEN_NO_MATCH",
                "integrationResponses": {
                    "200": {
                        "statusCode": "200",
                        "responseParameters": dict(
                            methods["OPTIONS"]["responses"]["200"]["integration"]["responseParameters"]
                        ),
                    }
                },
            },
        },
    }


def resources(*with_methods) -> dict:
    root = {"id": "root", "path": "/"}
    return {"items": [root, *({"id": "r1", "path": "/{proxy+}", "parentId": "root", **one} for one in with_methods)]}


class TestRequests:
    def test_everything_goes_to_the_same_path_of_the_backend_for_callers_with_a_key(self):
        proxy = proxy_methods(BACKEND)["ANY"]

        assert proxy["integration"]["type"] == "HTTP_PROXY"
        assert proxy["integration"]["uri"] == f"{BACKEND}/{{proxy}}"
        assert proxy["method"]["apiKeyRequired"] is True

    def test_browsers_may_ask_first_without_a_key(self):
        preflight = proxy_methods(BACKEND)["OPTIONS"]

        assert preflight["method"]["apiKeyRequired"] is False
        allowed = preflight["responses"]["200"]["integration"]["responseParameters"]
        assert allowed["method.response.header.Access-Control-Allow-Origin"] == "'*'"
        assert "X-Api-Key" in allowed["method.response.header.Access-Control-Allow-Headers"]

    def test_a_fingerprint_changes_with_the_backend_only(self):
        assert fingerprint(proxy_methods(BACKEND)) == fingerprint(proxy_methods(BACKEND))
        assert fingerprint(proxy_methods(BACKEND)) != fingerprint(proxy_methods("http://elsewhere:8082"))

    @pytest.mark.parametrize("verb", ["ANY", "OPTIONS"])
    def test_a_method_that_aws_describes_in_full_is_in_place(self, verb):
        methods = proxy_methods(BACKEND)

        assert is_in_place(methods[verb], described(methods)[verb])

    @pytest.mark.parametrize(
        ("verb", "spoil"),
        [
            ("ANY", lambda found: found.update(apiKeyRequired=False)),
            ("ANY", lambda found: found.pop("apiKeyRequired")),
            ("ANY", lambda found: found.pop("methodIntegration")),
            ("ANY", lambda found: found["methodIntegration"].update(uri="http://old:8082/{proxy}")),
            ("ANY", lambda found: found["methodIntegration"].update(httpMethod="POST")),
            ("ANY", lambda found: found["methodIntegration"].update(requestParameters={})),
            ("OPTIONS", lambda found: found.pop("methodResponses")),
            ("OPTIONS", lambda found: found["methodIntegration"].pop("integrationResponses")),
            ("OPTIONS", lambda found: found.update(apiKeyRequired=True)),
        ],
    )
    def test_a_method_that_lacks_or_changes_anything_is_not(self, verb, spoil):
        methods = proxy_methods(BACKEND)
        found = described(methods)[verb]
        spoil(found)

        assert not is_in_place(methods[verb], found)
        assert not is_in_place(methods[verb], None)


class TestApi:
    def create(self):
        operator = RestApiCreateOperator(
            task_id="api", api_name=USER, api=rest_api_request(USER, TAGS), adopt_tags=TAGS
        )
        return operator.execute({})

    def test_is_created_where_there_is_none(self, gateway):
        gateway.add_response("get_rest_apis", {"items": [{"id": "zzz", "name": f"{USER}-old"}]}, {})
        gateway.add_response("create_rest_api", API, {"name": USER, **rest_api_request(USER, TAGS)})

        assert self.create() == "a1b2c3"

    def test_is_adopted_by_name_from_any_page(self, gateway):
        gateway.add_response("get_rest_apis", {"items": [{"id": "x", "name": "other"}], "position": "p2"}, {})
        gateway.add_response("get_rest_apis", {"items": [API]}, {"position": "p2"})

        assert self.create() == "a1b2c3"

    def test_is_adopted_by_tags_where_several_have_the_name(self, gateway):
        twins = [{"id": "x", "name": USER}, {**API, "tags": {**TAGS, "run_id": "r"}}, {"id": "y", "name": USER}]
        gateway.add_response("get_rest_apis", {"items": twins}, {})

        assert self.create() == "a1b2c3"

    def test_is_not_guessed_where_several_could_be_meant(self, gateway):
        gateway.add_response("get_rest_apis", {"items": [{"id": "x", "name": USER}, {"id": "y", "name": USER}]}, {})

        with pytest.raises(RestApiError, match=r"2 REST APIs are named '0e36c8cd403d' \(x, y\)"):
            self.create()


class TestResources:
    WHERE = {"restApiId": "a1b2c3", "resourceId": "r1"}  # noqa: RUF012

    def put(self, methods):
        return self.put_all({PROXY_PATH: methods})

    def put_all(self, paths):
        return RestApiPutResourcesOperator(task_id="resources", api_id="a1b2c3", paths=paths).execute({})

    def looked_up(self, gateway, answer):
        gateway.add_response("get_resources", answer, {"restApiId": "a1b2c3", "embed": ["methods"]})

    def test_is_made_with_both_methods(self, gateway):
        methods = proxy_methods(BACKEND)
        self.looked_up(gateway, resources())
        gateway.add_response(
            "create_resource",
            {"id": "r1", "path": "/{proxy+}"},
            {"restApiId": "a1b2c3", "parentId": "root", "pathPart": "{proxy+}"},
        )
        gateway.add_response("put_method", {}, {**self.WHERE, "httpMethod": "ANY", **methods["ANY"]["method"]})
        gateway.add_response(
            "put_integration", {}, {**self.WHERE, "httpMethod": "ANY", **methods["ANY"]["integration"]}
        )
        gateway.add_response("put_method", {}, {**self.WHERE, "httpMethod": "OPTIONS", **methods["OPTIONS"]["method"]})
        for operation in ("put_integration", "put_method_response", "put_integration_response"):
            gateway.add_response(operation, {}, None)

        assert self.put(methods) == ["ANY /{proxy+}", "OPTIONS /{proxy+}"]

    def test_a_rerun_changes_nothing(self, gateway):
        methods = proxy_methods(BACKEND)
        self.looked_up(gateway, resources({"resourceMethods": described(methods)}))

        assert self.put(methods) == []

    def test_a_method_with_another_backend_is_made_anew_and_the_other_left_alone(self, gateway):
        self.looked_up(gateway, resources({"resourceMethods": described(proxy_methods("http://old:8082"))}))
        gateway.add_response("delete_method", {}, {**self.WHERE, "httpMethod": "ANY"})
        gateway.add_response(
            "put_method", {}, {**self.WHERE, "httpMethod": "ANY", **proxy_methods(BACKEND)["ANY"]["method"]}
        )
        gateway.add_response("put_integration", {}, None)

        assert self.put(proxy_methods(BACKEND)) == ["ANY /{proxy+}"]

    def test_a_method_that_was_lost_half_way_is_made(self, gateway):
        methods = proxy_methods(BACKEND)
        half = {"OPTIONS": described(methods)["OPTIONS"]}
        self.looked_up(gateway, resources({"resourceMethods": half}))
        gateway.add_response("put_method", {}, {**self.WHERE, "httpMethod": "ANY", **methods["ANY"]["method"]})
        gateway.add_response("put_integration", {}, None)

        assert self.put(methods) == ["ANY /{proxy+}"]

    def test_parents_are_made_first_and_made_once(self, gateway):
        self.looked_up(gateway, {"items": [{"id": "root", "path": "/"}, {"id": "r1", "path": "/a"}]})
        for number, (parent, part) in enumerate([("r1", "{b}"), ("n0", "c"), ("n0", "d")]):
            gateway.add_response(
                "create_resource",
                {"id": f"n{number}", "path": "any"},
                {"restApiId": "a1b2c3", "parentId": parent, "pathPart": part},
            )

        assert self.put_all({"/a/{b}/c": {}, "/a/{b}/d": {}, "/a/{b}": {}}) == []


class TestValidation:
    SCHEMA = {"type": "object"}  # noqa: RUF012
    WHICH = {"restApiId": "a1b2c3", "responseType": "BAD_REQUEST_BODY"}  # noqa: RUF012
    OF_API = {"restApiId": "a1b2c3"}  # noqa: RUF012

    def put(self):
        operator = RestApiPutValidationOperator(
            task_id="validation",
            api_id="a1b2c3",
            validator_name="body",
            models={"Post": self.SCHEMA},
            body_refusal=body_refusal_request(),
        )
        return operator.execute({})

    def test_everything_is_made_where_there_is_nothing(self, gateway):
        gateway.add_response("get_models", {"items": [{"name": "Empty", "schema": "{}"}]}, self.OF_API)
        new = {"name": "Post", "contentType": "application/json", "schema": '{"type": "object"}'}
        gateway.add_response("create_model", {}, {**self.OF_API, **new})
        gateway.add_response("get_gateway_response", {"statusCode": "400", "defaultResponse": True}, self.WHICH)
        gateway.add_response("put_gateway_response", {}, {**self.WHICH, **body_refusal_request()})
        gateway.add_response("get_request_validators", {"items": [{"id": "v0", "name": "other"}]}, self.OF_API)
        made = {**self.OF_API, "name": "body", "validateRequestBody": True}
        gateway.add_response("create_request_validator", {"id": "v1"}, made)

        assert self.put() == "v1"

    def test_a_rerun_changes_nothing(self, gateway):
        gateway.add_response("get_models", {"items": [{"name": "Post", "schema": '{"type": "object"}'}]}, self.OF_API)
        described = {**body_refusal_request(), "responseType": "BAD_REQUEST_BODY", "defaultResponse": False}
        gateway.add_response("get_gateway_response", described, self.WHICH)
        gateway.add_response("get_request_validators", {"items": [{"id": "v1", "name": "body"}]}, self.OF_API)

        assert self.put() == "v1"

    def test_a_model_that_differs_is_changed(self, gateway):
        gateway.add_response("get_models", {"items": [{"name": "Post", "schema": "{}"}]}, self.OF_API)
        patch = {"op": "replace", "path": "/schema", "value": '{"type": "object"}'}
        gateway.add_response("update_model", {}, {**self.OF_API, "modelName": "Post", "patchOperations": [patch]})
        gateway.add_response("get_gateway_response", body_refusal_request(), self.WHICH)
        gateway.add_response("get_request_validators", {"items": [{"id": "v1", "name": "body"}]}, self.OF_API)

        assert self.put() == "v1"


class TestDeployment:
    STAGE = {"restApiId": "a1b2c3", "stageName": "prod"}  # noqa: RUF012
    DEPLOYMENT = {"restApiId": "a1b2c3", "deploymentId": "d1"}  # noqa: RUF012

    def deploy(self, content):
        return RestApiDeployOperator(task_id="deployment", api_id="a1b2c3", stage_name="prod", content=content).execute(
            {}
        )

    def is_created(self, gateway, methods):
        description = f"pinterest-pipeline, content {fingerprint(methods)}"
        gateway.add_response("create_deployment", {"id": "d2"}, {**self.STAGE, "description": description})

    def test_a_stage_that_is_not_there_is_made(self, gateway):
        gateway.add_client_error("get_stage", "NotFoundException", "Invalid stage", 404, expected_params=self.STAGE)
        self.is_created(gateway, proxy_methods(BACKEND))

        assert self.deploy(proxy_methods(BACKEND)) == "d2"

    def test_a_stage_that_serves_these_methods_is_left_alone(self, gateway):
        methods = proxy_methods(BACKEND)
        gateway.add_response("get_stage", {"deploymentId": "d1"}, self.STAGE)
        gateway.add_response(
            "get_deployment",
            {"id": "d1", "description": f"pinterest-pipeline, content {fingerprint(methods)}"},
            self.DEPLOYMENT,
        )

        assert self.deploy(methods) == "d1"

    @pytest.mark.parametrize(
        "description", [f"pinterest-pipeline, content {fingerprint(proxy_methods('http://old:8082'))}", "by hand", ""]
    )
    def test_a_stage_that_serves_anything_else_is_deployed_to(self, gateway, description):
        gateway.add_response("get_stage", {"deploymentId": "d1"}, self.STAGE)
        gateway.add_response("get_deployment", {"id": "d1", "description": description}, self.DEPLOYMENT)
        self.is_created(gateway, proxy_methods(BACKEND))

        assert self.deploy(proxy_methods(BACKEND)) == "d2"


class TestUsagePlan:
    PLAN = {  # noqa: RUF012
        "id": "p1",
        "name": f"{USER}-usage-plan",
        "throttle": {"rateLimit": 500.0, "burstLimit": 1000},
        "apiStages": [{"apiId": "a1b2c3", "stage": "prod"}],
    }
    FOUND_KEY = {"id": "k1", "name": f"{USER}-api-key", "enabled": True}  # noqa: RUF012

    def plan(self, rate="500.0", burst="1000"):
        operator = RestApiUsagePlanOperator(
            task_id="usage_plan",
            api_id="a1b2c3",
            stage_name="prod",
            plan_name=f"{USER}-usage-plan",
            key_name=f"{USER}-api-key",
            key_parameter=PARAMETER,
            throttle=usage_plan_request(rate, burst),
            tags=TAGS,
        )
        return operator.execute({})

    def key_is_read(self, gateway):
        gateway.add_response("get_api_key", {"id": "k1", "value": KEY}, {"apiKey": "k1", "includeValue": True})

    def is_kept(self, parameters, value):
        parameters.add_response(
            "get_parameter",
            {"Parameter": {"Name": PARAMETER, "Value": value, "Type": "SecureString"}},
            {"Name": PARAMETER, "WithDecryption": True},
        )

    def is_put(self, parameters):
        parameters.add_response(
            "put_parameter", {}, {"Name": PARAMETER, "Value": KEY, "Type": "SecureString", "Overwrite": True}
        )

    def unchanged_plan_and_key(self, gateway, plan=None):
        gateway.add_response("get_usage_plans", {"items": [plan or self.PLAN]}, {})
        gateway.add_response("get_api_keys", {"items": [self.FOUND_KEY]}, {"nameQuery": f"{USER}-api-key"})
        gateway.add_response("get_usage_plan_keys", {"items": [{"id": "k1"}]}, {"usagePlanId": "p1"})
        self.key_is_read(gateway)

    def test_is_made_with_a_key_that_goes_to_parameter_store_and_nowhere_else(self, gateway, parameters, caplog):
        caplog.set_level(logging.INFO)
        gateway.add_response("get_usage_plans", {"items": []}, {})
        gateway.add_response(
            "create_usage_plan",
            {"id": "p1"},
            {
                "name": f"{USER}-usage-plan",
                "throttle": {"rateLimit": 500.0, "burstLimit": 1000},
                "apiStages": [{"apiId": "a1b2c3", "stage": "prod"}],
                "tags": TAGS,
            },
        )
        gateway.add_response("get_api_keys", {"items": [{"id": "k0", "name": f"{USER}-api-key-old"}]}, ANY_QUERY)
        gateway.add_response(
            "create_api_key",
            {"id": "k1", "value": KEY},
            {"name": f"{USER}-api-key", "enabled": True, "tags": TAGS},
        )
        gateway.add_response("get_usage_plan_keys", {"items": []}, {"usagePlanId": "p1"})
        gateway.add_response(
            "create_usage_plan_key",
            {"id": "k1", "value": KEY},
            {"usagePlanId": "p1", "keyId": "k1", "keyType": "API_KEY"},
        )
        self.key_is_read(gateway)
        parameters.add_client_error("get_parameter", "ParameterNotFound", http_status_code=400)
        self.is_put(parameters)

        assert self.plan() == "p1"
        assert KEY not in caplog.text

    def test_a_rerun_changes_nothing(self, gateway, parameters):
        self.unchanged_plan_and_key(gateway)
        self.is_kept(parameters, KEY)

        assert self.plan() == "p1"

    def test_a_parameter_with_another_key_is_put_right(self, gateway, parameters):
        self.unchanged_plan_and_key(gateway)
        self.is_kept(parameters, "an older key")
        self.is_put(parameters)

        self.plan()

    @pytest.mark.parametrize(
        ("plan", "patches"),
        [
            pytest.param(
                {**PLAN, "throttle": {"rateLimit": 5.0, "burstLimit": 1000}},
                [{"op": "replace", "path": "/throttle/rateLimit", "value": "500.0"}],
                id="another rate",
            ),
            pytest.param(
                {**PLAN, "throttle": {}},
                [
                    {"op": "replace", "path": "/throttle/rateLimit", "value": "500.0"},
                    {"op": "replace", "path": "/throttle/burstLimit", "value": "1000"},
                ],
                id="no throttle",
            ),
            pytest.param(
                {**PLAN, "apiStages": [{"apiId": "gone", "stage": "prod"}]},
                [{"op": "add", "path": "/apiStages", "value": "a1b2c3:prod"}],
                id="another API",
            ),
        ],
    )
    def test_a_plan_that_differs_is_updated(self, gateway, parameters, plan, patches):
        gateway.add_response("get_usage_plans", {"items": [plan]}, {})
        gateway.add_response("update_usage_plan", {}, {"usagePlanId": "p1", "patchOperations": patches})
        gateway.add_response("get_api_keys", {"items": [self.FOUND_KEY]}, ANY_QUERY)
        gateway.add_response("get_usage_plan_keys", {"items": [{"id": "k1"}]}, {"usagePlanId": "p1"})
        self.key_is_read(gateway)
        self.is_kept(parameters, KEY)

        assert self.plan() == "p1"

    def test_a_key_that_was_switched_off_is_switched_on(self, gateway, parameters):
        gateway.add_response("get_usage_plans", {"items": [self.PLAN]}, {})
        gateway.add_response("get_api_keys", {"items": [{**self.FOUND_KEY, "enabled": False}]}, ANY_QUERY)
        gateway.add_response(
            "update_api_key",
            {},
            {"apiKey": "k1", "patchOperations": [{"op": "replace", "path": "/enabled", "value": "true"}]},
        )
        gateway.add_response("get_usage_plan_keys", {"items": [{"id": "k1"}]}, {"usagePlanId": "p1"})
        self.key_is_read(gateway)
        self.is_kept(parameters, KEY)

        self.plan()


ANY_QUERY = {"nameQuery": ANY}


class TestInvokeUrl:
    FORMAT = "https://{api_id}.execute-api.{region}.amazonaws.com/{stage}"

    def look_up(self):
        return RestApiInvokeUrlOperator(
            task_id="invoke_url", api_name=USER, stage_name="prod", url_format=self.FORMAT
        ).execute({})

    def test_is_that_of_the_deployed_stage(self, gateway):
        gateway.add_response("get_rest_apis", {"items": [API]}, {})
        gateway.add_response("get_stage", {"deploymentId": "d1"}, {"restApiId": "a1b2c3", "stageName": "prod"})

        assert self.look_up() == "https://a1b2c3.execute-api.us-east-1.amazonaws.com/prod"

    def test_an_api_that_is_not_there_is_named(self, gateway):
        gateway.add_response("get_rest_apis", {"items": []}, {})

        with pytest.raises(RestApiError, match="No REST API '0e36c8cd403d' in us-east-1: run the DAG"):
            self.look_up()

    def test_a_stage_that_is_not_there_is_named(self, gateway):
        gateway.add_response("get_rest_apis", {"items": [API]}, {})
        gateway.add_client_error("get_stage", "NotFoundException", http_status_code=404)

        with pytest.raises(RestApiError, match="not deployed to the stage 'prod'"):
            self.look_up()


class TestKeptKey:
    def test_comes_out_of_parameter_store(self, parameters):
        TestUsagePlan().is_kept(parameters, KEY)

        assert ApiGatewayHook().kept_api_key(PARAMETER) == KEY

    def test_that_is_not_there_is_named(self, parameters):
        parameters.add_client_error("get_parameter", "ParameterNotFound", http_status_code=400)

        with pytest.raises(RestApiError, match=f"Parameter Store has no {PARAMETER}"):
            ApiGatewayHook().kept_api_key(PARAMETER)


class TestAnswers:
    TOPICS = (f"{USER}.pin", f"{USER}.geo", f"{USER}.user")

    @pytest.fixture
    def ask(self, monkeypatch):
        def ask(path, sensor_class, answer, **more):
            def get(url, *, headers, timeout):
                assert url == f"http://127.0.0.1:1/prod{path}"
                assert headers["x-api-key"] == KEY
                if isinstance(answer, Exception):
                    raise answer
                status, body = answer
                response = requests.Response()
                response.status_code = status
                response._content = body.encode()
                return response

            monkeypatch.setattr(sensor_module.requests, "get", get)
            monkeypatch.setattr(ApiGatewayHook, "kept_api_key", lambda *_: KEY)
            sensor = sensor_class(
                task_id="answers", invoke_url="http://127.0.0.1:1/prod", api_key_parameter=PARAMETER, **more
            )
            return sensor.poke({})

        return ask

    @pytest.fixture
    def poke(self, ask):
        return lambda answer: ask("/topics", RestApiTopicsSensor, answer, topics=self.TOPICS)

    @pytest.mark.parametrize(
        ("answer", "done"),
        [
            pytest.param((200, '{"StreamNames": [], "HasMoreStreams": false}'), True, id="no stream yet"),
            pytest.param((500, '{"message":"Internal server error"}'), False, id="role not known yet"),
            pytest.param((403, '{"message":"Missing Authentication Token"}'), False, id="not deployed yet"),
            pytest.param((200, "{}"), False, id="not Kinesis"),
            pytest.param(requests.ConnectionError("refused"), False, id="nobody there"),
        ],
    )
    def test_streams_listed_is_the_answer_of_kinesis(self, ask, answer, done):
        assert ask("/streams", RestApiStreamsSensor, answer) is done

    def test_all_topics_listed_is_the_answer(self, poke):
        assert poke((200, json.dumps(["other", *self.TOPICS]))) is True

    @pytest.mark.parametrize(
        "answer",
        [
            pytest.param((200, json.dumps(TOPICS[:2])), id="a topic is missing"),
            pytest.param((200, "<html>"), id="not the proxy"),
            pytest.param((200, "3"), id="not a list"),
            pytest.param((403, '{"message":"Forbidden"}'), id="key not known yet"),
            pytest.param((504, "{}"), id="proxy not up"),
            pytest.param(requests.ConnectionError("refused"), id="nobody there"),
            pytest.param(requests.ReadTimeout("slow"), id="slow"),
        ],
    )
    def test_everything_else_is_waited_out(self, poke, answer):
        assert poke(answer) is False


def test_the_backend_is_the_setting_or_the_instances_public_name(monkeypatch):
    instance = {"InstanceId": "i-1", "PublicDnsName": "ec2-1-2-3-4.compute-1.amazonaws.com"}
    monkeypatch.setattr(KafkaClientHook, "find_instance", lambda _: instance)

    def settings(url):
        return SimpleNamespace(rest_proxy=SimpleNamespace(url=url, port=8082))

    assert KafkaClientHook(settings("http://127.0.0.1:4711/")).rest_proxy_url == "http://127.0.0.1:4711"
    assert KafkaClientHook(settings(None)).rest_proxy_url == BACKEND
    instance["PublicDnsName"] = ""
    with pytest.raises(KafkaClientError, match=r"set rest_proxy\.url"):
        _ = KafkaClientHook(settings(None)).rest_proxy_url

"""The REST API stage's operators. botocore checks every request and answer here against API Gateway's own model."""

from __future__ import annotations

import logging

import pytest
from botocore.stub import ANY

from include.aws.api_gateway import PROXY_PATH, fingerprint, proxy_methods, rest_api_request, usage_plan_request
from include.aws.ownership import as_pairs
from pinterest.hooks.api_gateway import RestApiError
from pinterest.operators import api_gateway as module
from pinterest.operators.api_gateway import (
    RestApiCreateOperator,
    RestApiDeployOperator,
    RestApiInvokeUrlOperator,
    RestApiPutResourcesOperator,
    RestApiUsagePlanOperator,
)
from tests.unit.rest_api_parts import (
    API,
    BACKEND,
    KEY,
    PARAMETER,
    TAGS,
    USER,
    VARIABLES,
    described,
    key_is_kept,
    resources,
)


def of_path(methods):
    """As AWS describes the methods of a path without parameters."""
    found = described(methods)
    found["ANY"] |= {"requestParameters": {}}
    found["ANY"]["methodIntegration"] |= {"requestParameters": methods["ANY"]["integration"]["requestParameters"]}
    return found


@pytest.fixture(autouse=True)
def link(monkeypatch):
    monkeypatch.setattr(module.RestApiLink, "persist", lambda **_: None)


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

    def put_all(self, paths, proxy_paths=None):
        operator = RestApiPutResourcesOperator(
            task_id="resources", api_id="a1b2c3", paths=paths, proxy_paths=proxy_paths
        )
        return operator.execute({})

    def looked_up(self, gateway, answer):
        gateway.add_response("get_resources", answer, {"restApiId": "a1b2c3", "embed": ["methods"]})

    def test_is_made_with_both_methods(self, gateway):
        methods = proxy_methods("http")
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
        methods = proxy_methods("http")
        self.looked_up(gateway, resources({"resourceMethods": described(methods)}))

        assert self.put(methods) == []

    def test_a_method_with_another_backend_is_made_anew_and_the_other_left_alone(self, gateway):
        self.looked_up(gateway, resources({"resourceMethods": described(proxy_methods("https"))}))
        gateway.add_response("delete_method", {}, {**self.WHERE, "httpMethod": "ANY"})
        gateway.add_response(
            "put_method", {}, {**self.WHERE, "httpMethod": "ANY", **proxy_methods("http")["ANY"]["method"]}
        )
        gateway.add_response("put_integration", {}, None)

        assert self.put(proxy_methods("http")) == ["ANY /{proxy+}"]

    def test_a_method_that_was_lost_half_way_is_made(self, gateway):
        methods = proxy_methods("http")
        half = {"OPTIONS": described(methods)["OPTIONS"]}
        self.looked_up(gateway, resources({"resourceMethods": half}))
        gateway.add_response("put_method", {}, {**self.WHERE, "httpMethod": "ANY", **methods["ANY"]["method"]})
        gateway.add_response("put_integration", {}, None)

        assert self.put(methods) == ["ANY /{proxy+}"]

    def test_a_way_to_the_proxy_that_is_not_wanted_any_more_is_deleted(self, gateway):
        """By ``ANY`` it is known, so that goes last: a run that was killed between the two ends like any other."""
        wanted = proxy_methods("http", "/topics")
        there = {"id": "t1", "path": "/topics", "resourceMethods": of_path(wanted)}
        self.looked_up(gateway, resources({"resourceMethods": described(proxy_methods("http"))}, there))
        for verb in ("OPTIONS", "ANY"):
            gateway.add_response("delete_method", {}, {**self.WHERE, "httpMethod": verb})

        assert self.put_all({}, {"/topics": wanted}) == []

    def test_what_others_lead_somewhere_is_left_and_named(self, gateway, capsys):
        theirs = described(proxy_methods("http"))
        theirs["ANY"]["methodIntegration"]["uri"] = "http://ec2-1-2-3-4.amazonaws.com:8082/{proxy}"
        wanted = proxy_methods("http", "/topics")
        there = {"id": "t1", "path": "/topics", "resourceMethods": of_path(wanted)}
        self.looked_up(gateway, resources({"resourceMethods": theirs}, there))

        assert self.put_all({}, {"/topics": wanted}) == []
        said = capsys.readouterr().out
        assert "ANY /{proxy+} was made by others, leads to http://ec2-1-2-3-4.amazonaws.com:8082/{proxy}" in said

    def test_parents_are_made_first_and_made_once(self, gateway):
        self.looked_up(gateway, {"items": [{"id": "root", "path": "/"}, {"id": "r1", "path": "/a"}]})
        for number, (parent, part) in enumerate([("r1", "{b}"), ("n0", "c"), ("n0", "d")]):
            gateway.add_response(
                "create_resource",
                {"id": f"n{number}", "path": "any"},
                {"restApiId": "a1b2c3", "parentId": parent, "pathPart": part},
            )

        assert self.put_all({"/a/{b}/c": {}, "/a/{b}/d": {}, "/a/{b}": {}}) == []


class TestDeployment:
    STAGE = {"restApiId": "a1b2c3", "stageName": "prod"}  # noqa: RUF012
    DEPLOYMENT = {"restApiId": "a1b2c3", "deploymentId": "d1"}  # noqa: RUF012

    FOUND = {"stageName": "prod", "deploymentId": "d1", "variables": VARIABLES}  # noqa: RUF012

    def deploy(self, content):
        operator = RestApiDeployOperator(
            task_id="deployment", api_id="a1b2c3", stage_name="prod", content=content, backend_url=BACKEND
        )
        return operator.execute({})

    def is_created(self, gateway, methods):
        description = f"pinterest-pipeline, content {fingerprint(methods)}"
        gateway.add_response(
            "create_deployment", {"id": "d2"}, {**self.STAGE, "description": description, "variables": VARIABLES}
        )

    def test_a_stage_that_is_not_there_is_made(self, gateway):
        gateway.add_client_error("get_stage", "NotFoundException", "Invalid stage", 404, expected_params=self.STAGE)
        self.is_created(gateway, proxy_methods("http"))

        assert self.deploy(proxy_methods("http")) == "d2"

    def test_a_stage_that_serves_these_methods_is_left_alone(self, gateway):
        methods = proxy_methods("http")
        gateway.add_response("get_stage", self.FOUND, self.STAGE)
        gateway.add_response(
            "get_deployment",
            {"id": "d1", "description": f"pinterest-pipeline, content {fingerprint(methods)}"},
            self.DEPLOYMENT,
        )

        assert self.deploy(methods) == "d1"

    @pytest.mark.parametrize(
        "description", [f"pinterest-pipeline, content {fingerprint(proxy_methods('https'))}", "by hand", ""]
    )
    def test_a_stage_that_serves_anything_else_is_deployed_to(self, gateway, description):
        gateway.add_response("get_stage", self.FOUND, self.STAGE)
        gateway.add_response("get_deployment", {"id": "d1", "description": description}, self.DEPLOYMENT)
        self.is_created(gateway, proxy_methods("http"))

        assert self.deploy(proxy_methods("http")) == "d2"

    @pytest.mark.parametrize("variables", [{}, {"backend": "old:8082", "theirs": "x"}])
    def test_an_address_that_changed_needs_no_deployment(self, gateway, variables):
        gateway.add_response("get_stage", {**self.FOUND, "variables": variables}, self.STAGE)
        patch = {"op": "replace", "path": "/variables/backend", "value": VARIABLES["backend"]}
        gateway.add_response("update_stage", {}, {**self.STAGE, "patchOperations": [patch]})
        description = f"pinterest-pipeline, content {fingerprint(proxy_methods('http'))}"
        gateway.add_response("get_deployment", {"id": "d1", "description": description}, self.DEPLOYMENT)

        assert self.deploy(proxy_methods("http")) == "d1"


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

    def is_put(self, parameters, **more):
        value = {"Name": PARAMETER, "Value": KEY, "Type": "SecureString"}
        parameters.add_response("put_parameter", {}, {**value, **more})

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
        self.is_put(parameters, Tags=as_pairs(TAGS))

        assert self.plan() == "p1"
        assert KEY not in caplog.text

    def test_a_rerun_changes_nothing(self, gateway, parameters):
        self.unchanged_plan_and_key(gateway)
        key_is_kept(parameters, KEY)

        assert self.plan() == "p1"

    def test_a_parameter_with_another_key_is_put_right(self, gateway, parameters):
        self.unchanged_plan_and_key(gateway)
        key_is_kept(parameters, "an older key")
        tagged = {"ResourceType": "Parameter", "ResourceId": PARAMETER, "Tags": as_pairs(TAGS)}
        parameters.add_response("add_tags_to_resource", {}, tagged)
        self.is_put(parameters, Overwrite=True)

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
        key_is_kept(parameters, KEY)

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
        key_is_kept(parameters, KEY)

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

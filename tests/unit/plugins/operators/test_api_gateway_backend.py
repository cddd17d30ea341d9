"""A REST API whose backend has moved. botocore checks each request against API Gateway's own model."""

from __future__ import annotations

import pytest

from include.aws.api_gateway import PROXY_PATH, proxy_methods, proxy_resources
from pinterest.hooks.api_gateway import RestApiError
from pinterest.operators.api_gateway_backend import RestApiBackendOperator
from tests.builders import settings
from tests.unit.rest_api_parts import API, BACKEND, BALANCER, PRIVATE, USER, VARIABLES, described, resources

STAGE = {"restApiId": "a1b2c3", "stageName": "prod"}
URI = "http://${stageVariables.backend}/{proxy}"
OURS = "pinterest-pipeline, content 0123456789abcdef"
OLD = "ec2-9-9-9-9.compute-1.amazonaws.com:8082"


@pytest.fixture
def found(gateway):
    """An API as it is found."""

    def found(*, uri: str = URI, description: str = OURS, variables: dict[str, str] = VARIABLES) -> None:
        methods = described(proxy_methods("http"))
        methods["ANY"]["methodIntegration"]["uri"] = uri
        gateway.add_response("get_rest_apis", {"items": [API]}, {})
        gateway.add_response(
            "get_stage", {"stageName": "prod", "deploymentId": "d1", **({"variables": variables} if variables else {})}
        )
        gateway.add_response("get_resources", resources({"resourceMethods": methods}))
        gateway.add_response("get_deployment", {"id": "d1", "description": description})

    return found


def run(url: str = BACKEND, paths=(PROXY_PATH,), exposure: str = "internet", vpc_link: str = "") -> str:
    operator = RestApiBackendOperator(
        task_id="api",
        api_name=USER,
        stage_name="prod",
        backend_url=url,
        vpc_link=vpc_link,
        proxy_paths=proxy_resources(paths, "http", exposure),
    )
    return operator.execute({})


def run_privately(**more) -> str:
    return run(BALANCER, exposure="vpc_link", vpc_link="l1", **more)


def variable_is_set(gateway) -> None:
    patch = {"op": "replace", "path": "/variables/backend", "value": VARIABLES["backend"]}
    gateway.add_response("update_stage", {}, {**STAGE, "patchOperations": [patch]})


def integration_is_put(gateway) -> None:
    where = {"restApiId": "a1b2c3", "resourceId": "r1", "httpMethod": "ANY"}
    gateway.add_response("put_integration", {}, {**where, **proxy_methods("http")["ANY"]["integration"]})


def is_deployed(gateway) -> None:
    description = f"pinterest-pipeline, backend {BACKEND}"
    gateway.add_response(
        "create_deployment", {"id": "d2"}, {**STAGE, "description": description, "variables": VARIABLES}
    )


def test_an_api_that_points_to_its_backend_is_left_alone(found):
    found()

    assert run() == "unchanged"


def test_a_backend_that_has_moved_needs_one_call(gateway, found):
    found(variables={"backend": OLD})
    variable_is_set(gateway)

    assert run() == f"changed: backend: {OLD} → {VARIABLES['backend']}"


def test_an_address_that_somebody_put_into_the_method_is_put_right_and_deployed(gateway, found):
    found(uri="http://192.0.2.1:8082/{proxy}")
    integration_is_put(gateway)
    is_deployed(gateway)

    assert run() == "changed: ANY /{proxy+}: http://192.0.2.1:8082/{proxy} → " + URI + ", deployed"


def test_a_deployment_by_hand_is_replaced(gateway, found):
    found(description="")
    is_deployed(gateway)

    assert run().startswith("changed: ANY /{proxy+}: ")


def test_the_right_address_of_an_earlier_version_is_left_alone(found):
    found(uri=f"{BACKEND}/{{proxy}}", variables={})

    assert run() == "unchanged"


def test_an_outdated_address_of_an_earlier_version_is_put_right(gateway, found):
    found(uri=f"http://{OLD}/{{proxy}}", variables={})
    integration_is_put(gateway)
    is_deployed(gateway)
    variable_is_set(gateway)

    result = run()

    assert f"http://{OLD}/" in result
    assert f"none → {VARIABLES['backend']}" in result


def test_a_deployment_that_a_lost_task_did_not_make_is_made(gateway, found):
    found(variables={})
    is_deployed(gateway)
    variable_is_set(gateway)

    assert run().startswith("changed: ")


def test_an_api_without_the_method_is_named_and_not_tried_again(gateway):
    gateway.add_response("get_rest_apis", {"items": [API]}, {})
    gateway.add_response("get_stage", {"stageName": "prod", "deploymentId": "d1"})
    gateway.add_response("get_resources", resources({}))

    with pytest.raises(RestApiError, match=r"has no method ANY /\{proxy\+\} .*: run the DAG"):
        run()


def test_an_api_that_does_not_exist_is_named_and_not_tried_again(gateway):
    gateway.add_response("get_rest_apis", {"items": []}, {})

    with pytest.raises(RestApiError, match="No REST API '0e36c8cd403d' in us-east-1: run the DAG"):
        run()


class TestVpcLink:
    def found(self, gateway, exposure="vpc_link", variables=PRIVATE, paths=(PROXY_PATH,)):
        items = []
        for number, path in enumerate(paths):
            methods = described(proxy_methods("http", path, exposure))
            items.append({"id": f"r{number}", "path": path, "resourceMethods": methods})
        gateway.add_response("get_rest_apis", {"items": [API]}, {})
        gateway.add_response("get_stage", {"stageName": "prod", "deploymentId": "d1", "variables": variables})
        gateway.add_response("get_resources", {"items": items})
        gateway.add_response("get_deployment", {"id": "d1", "description": OURS})

    def put(self, gateway, number, path, exposure="vpc_link"):
        where = {"restApiId": "a1b2c3", "resourceId": f"r{number}", "httpMethod": "ANY"}
        gateway.add_response(
            "put_integration", {}, {**where, **proxy_methods("http", path, exposure)["ANY"]["integration"]}
        )

    def deployed(self, gateway, url=BALANCER, variables=PRIVATE):
        description = f"pinterest-pipeline, backend {url}"
        gateway.add_response(
            "create_deployment", {"id": "d2"}, {**STAGE, "description": description, "variables": variables}
        )

    def changed(self, gateway, **variables):
        patches = [{"op": "replace", "path": f"/variables/{name}", "value": value} for name, value in variables.items()]
        gateway.add_response("update_stage", {}, {**STAGE, "patchOperations": patches})

    def test_an_api_that_takes_the_link_is_left_alone(self, gateway):
        paths = settings().rest_api.proxy_paths
        self.found(gateway, paths=paths)

        assert run_privately(paths=paths) == "unchanged"

    def test_a_link_that_was_made_anew_needs_one_call(self, gateway):
        self.found(gateway, variables={**PRIVATE, "vpc_link": "l0"})
        self.changed(gateway, vpc_link="l1")

        assert run_privately() == "changed: vpc_link: l0 → l1"

    def test_an_api_that_still_takes_the_internet_is_put_right_and_deployed(self, gateway):
        self.found(gateway, exposure="internet", variables=VARIABLES)
        self.put(gateway, 0, PROXY_PATH)
        self.deployed(gateway)
        self.changed(gateway, **PRIVATE)

        result = run_privately()

        assert f"{URI} → {URI} by ${{stageVariables.vpc_link}}, deployed" in result
        assert "vpc_link: none → l1" in result

    def test_an_api_that_still_takes_the_link_is_put_right_and_deployed(self, gateway):
        self.found(gateway, variables=PRIVATE)
        self.put(gateway, 0, PROXY_PATH, "internet")
        self.deployed(gateway, BACKEND, VARIABLES)
        self.changed(gateway, **VARIABLES)

        assert "deployed" in run()

    def test_of_an_earlier_version_that_leads_everywhere_the_one_method_is_put_right(self, gateway, capsys):
        self.found(gateway, exposure="internet", variables=VARIABLES)
        self.put(gateway, 0, PROXY_PATH)
        self.deployed(gateway)
        self.changed(gateway, **PRIVATE)

        assert "deployed" in run_privately(paths=settings().rest_api.proxy_paths)
        assert "leads everywhere in the REST proxy: run the DAG pinterest_pipeline" in capsys.readouterr().out

    def test_a_path_that_is_missing_is_named(self, gateway):
        methods = described(proxy_methods("http", "/topics/{proxy+}"))
        gateway.add_response("get_rest_apis", {"items": [API]}, {})
        gateway.add_response("get_stage", {"stageName": "prod", "deploymentId": "d1"})
        gateway.add_response(
            "get_resources", {"items": [{"id": "r1", "path": "/topics/{proxy+}", "resourceMethods": methods}]}
        )

        with pytest.raises(RestApiError, match=r"has no method ANY /topics that calls the REST proxy: run the DAG"):
            run(paths=settings().rest_api.proxy_paths)

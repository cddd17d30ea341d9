"""A REST API whose backend has moved. botocore checks each request against API Gateway's own model."""

from __future__ import annotations

import pytest

from include.aws.api_gateway import proxy_methods
from pinterest.hooks.api_gateway import RestApiError
from pinterest.operators.api_gateway_backend import RestApiBackendOperator
from tests.unit.rest_api_parts import API, BACKEND, USER, VARIABLES, described, resources

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


def run(url: str = BACKEND) -> str:
    operator = RestApiBackendOperator(task_id="api", api_name=USER, stage_name="prod", backend_url=url)
    return operator.execute({})


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

"""Models, validator and the answer to a refused body. botocore checks all against API Gateway's own model."""

from __future__ import annotations

from include.aws.api_gateway import gateway_responses
from pinterest.operators.api_gateway_validation import RestApiPutValidationOperator

RESPONSES = gateway_responses()
DEFAULT_TEMPLATES = {"responseTemplates": {"application/json": '{"message":$context.error.messageString}'}}


class TestValidation:
    SCHEMA = {"type": "object"}  # noqa: RUF012
    OF_API = {"restApiId": "a1b2c3"}  # noqa: RUF012

    def put(self):
        operator = RestApiPutValidationOperator(
            task_id="validation",
            api_id="a1b2c3",
            validator_name="body",
            models={"Post": self.SCHEMA},
            responses=RESPONSES,
        )
        return operator.execute({})

    def responses_are_there(self, gateway):
        for name, response in RESPONSES.items():
            described = {**DEFAULT_TEMPLATES, **response, "responseType": name, "defaultResponse": False}
            gateway.add_response("get_gateway_response", described, {**self.OF_API, "responseType": name})

    def test_everything_is_made_where_there_is_nothing(self, gateway):
        gateway.add_response("get_models", {"items": [{"name": "Empty", "schema": "{}"}]}, self.OF_API)
        new = {"name": "Post", "contentType": "application/json", "schema": '{"type": "object"}'}
        gateway.add_response("create_model", {}, {**self.OF_API, **new})
        for name, response in RESPONSES.items():
            which = {**self.OF_API, "responseType": name}
            gateway.add_response("get_gateway_response", {"statusCode": "400", "defaultResponse": True}, which)
            gateway.add_response("put_gateway_response", {}, {**which, **response})
        gateway.add_response("get_request_validators", {"items": [{"id": "v0", "name": "other"}]}, self.OF_API)
        made = {**self.OF_API, "name": "body", "validateRequestBody": True}
        gateway.add_response("create_request_validator", {"id": "v1"}, made)

        assert self.put() == "v1"

    def test_a_rerun_changes_nothing(self, gateway):
        gateway.add_response("get_models", {"items": [{"name": "Post", "schema": '{"type": "object"}'}]}, self.OF_API)
        self.responses_are_there(gateway)
        gateway.add_response("get_request_validators", {"items": [{"id": "v1", "name": "body"}]}, self.OF_API)

        assert self.put() == "v1"

    def test_a_model_that_differs_is_changed(self, gateway):
        gateway.add_response("get_models", {"items": [{"name": "Post", "schema": "{}"}]}, self.OF_API)
        patch = {"op": "replace", "path": "/schema", "value": '{"type": "object"}'}
        gateway.add_response("update_model", {}, {**self.OF_API, "modelName": "Post", "patchOperations": [patch]})
        self.responses_are_there(gateway)
        gateway.add_response("get_request_validators", {"items": [{"id": "v1", "name": "body"}]}, self.OF_API)

        assert self.put() == "v1"

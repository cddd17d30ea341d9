"""Models, validator and the answer to a refused body. botocore checks all against API Gateway's own model."""

from __future__ import annotations

from include.aws.api_gateway import body_refusal_request
from pinterest.operators.api_gateway_validation import RestApiPutValidationOperator


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

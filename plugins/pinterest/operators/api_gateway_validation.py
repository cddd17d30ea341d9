"""What a REST API checks before it passes a call on."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from typing import Any

from airflow.providers.amazon.aws.operators.base_aws import AwsBaseOperator
from airflow.providers.amazon.aws.utils.mixins import aws_template_fields
from airflow.providers.common.compat.sdk import Context

from include.aws.api_gateway import holds
from pinterest.hooks.api_gateway import ApiGatewayHook


class RestApiPutValidationOperator(AwsBaseOperator[ApiGatewayHook]):
    """Make the API validate bodies against models before it passes them on. Returns the request validator's id.

    Models, validator and the API's own answers are created, or updated if they differ. Callers see no change before
    the next deployment.

    :param api_id: the API (templated)
    :param validator_name: name of the request validator
    :param models: JSON schemas by name
    :param responses: the API's own answers by type, as :func:`~include.aws.api_gateway.gateway_responses` gives them
    """

    aws_hook_class = ApiGatewayHook
    template_fields: Sequence[str] = aws_template_fields("api_id")

    def __init__(
        self,
        *,
        api_id: str,
        validator_name: str,
        models: Mapping[str, Mapping[str, Any]],
        responses: Mapping[str, Mapping[str, Any]],
        **kwargs: Any,
    ) -> None:
        super().__init__(**kwargs)
        self.api_id = api_id
        self.validator_name = validator_name
        self.models = models
        self.responses = responses

    def execute(self, context: Context) -> str:
        changed = [*self._put_models(), *self._put_responses()]
        self.log.info("Request validation: %s", f"{', '.join(changed)} put" if changed else "unchanged")
        found = self.hook.find_request_validator(self.api_id, self.validator_name)
        if found is None:
            found = self.hook.conn.create_request_validator(
                restApiId=self.api_id, name=self.validator_name, validateRequestBody=True
            )
        return str(found["id"])

    def _put_models(self) -> list[str]:
        found = self.hook.models(self.api_id)
        schemas = {name: json.dumps(schema, sort_keys=True) for name, schema in self.models.items()}
        changed = [name for name, schema in schemas.items() if found.get(name, {}).get("schema") != schema]
        for name in changed:
            if name in found:
                patch = {"op": "replace", "path": "/schema", "value": schemas[name]}
                self.hook.conn.update_model(restApiId=self.api_id, modelName=name, patchOperations=[patch])
            else:
                self.hook.conn.create_model(
                    restApiId=self.api_id, name=name, contentType="application/json", schema=schemas[name]
                )
        return changed

    def _put_responses(self) -> list[str]:
        changed = []
        for response_type, response in self.responses.items():
            which = {"restApiId": self.api_id, "responseType": response_type}
            if not holds(self.hook.conn.get_gateway_response(**which), response):
                self.hook.conn.put_gateway_response(**which, **response)
                changed.append(response_type)
        return changed

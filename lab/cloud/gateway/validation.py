"""Request validators: what a method demands of a call before its integration runs."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any, Self

import fastjsonschema

from lab.cloud.gateway.integrations import Call, GatewayError

BODY_REFUSAL = '{"message":$context.error.messageString}'

type Check = Callable[[Any], Any]


@dataclass(frozen=True)
class Validation:
    """``parameters``: names of the required ones, as in ``querystring.name``. ``models``: checks by content type.

    ``refusal`` is the template of the answer to a rejected body.
    """

    parameters: tuple[str, ...] = ()
    models: Mapping[str, Check] = field(default_factory=dict)
    refusal: str = BODY_REFUSAL

    @classmethod
    def of(
        cls, method: Mapping[str, Any], validator: Mapping[str, Any], models: Mapping[str, Check], refusal: str
    ) -> Self:
        """Build from a method, its validator and the API's models, as the control plane describes them."""
        required = [name for name, demanded in (method.get("requestParameters") or {}).items() if demanded]
        return cls(
            tuple(n.removeprefix("method.request.") for n in required if validator["validateRequestParameters"]),
            {content_type: models[name] for content_type, name in (method.get("requestModels") or {}).items()}
            if validator["validateRequestBody"]
            else {},
            refusal,
        )

    def admit(self, call: Call) -> None:
        """Raise GatewayError with status 400 unless the call meets every demand."""
        missing = [name for name in self.parameters if not call.parameter(name)]
        if missing:
            names = ", ".join(name.partition(".")[2] for name in missing)
            raise GatewayError(400, f"Missing required request parameters: [{names}]", "BadRequestException")
        check = self.models.get(call.content_type)
        if check is None:
            return
        try:
            check(call.document)
        except (fastjsonschema.JsonSchemaValueException, ValueError) as error:
            raise self.refused(str(error)) from None

    def refused(self, problem: str) -> GatewayError:
        message = "Invalid request body"
        body = self.refusal
        for name, text in {
            "$context.error.validationErrorString": json.dumps(problem)[1:-1],
            "$context.error.messageString": json.dumps(message),
            "$context.error.message": message,
        }.items():
            body = body.replace(name, text)
        return GatewayError(400, message, "BadRequestException", body)


def compiled(schema: str) -> Check:
    check: Check = fastjsonschema.compile(json.loads(schema))
    return check

"""Request validators: what a method demands of a call before its integration runs."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any, Self

import fastjsonschema

from lab.cloud.gateway.integrations import Call, GatewayError

type Check = Callable[[Any], Any]


@dataclass(frozen=True)
class Validation:
    """``parameters``: names of the required ones, as in ``querystring.name``. ``models``: checks by content type."""

    parameters: tuple[str, ...] = ()
    models: Mapping[str, Check] = field(default_factory=dict)

    @classmethod
    def of(cls, method: Mapping[str, Any], validator: Mapping[str, Any], models: Mapping[str, Check]) -> Self:
        """Build from a method, its validator and the API's models, as the control plane describes them."""
        required = [name for name, demanded in (method.get("requestParameters") or {}).items() if demanded]
        return cls(
            tuple(n.removeprefix("method.request.") for n in required if validator["validateRequestParameters"]),
            {content_type: models[name] for content_type, name in (method.get("requestModels") or {}).items()}
            if validator["validateRequestBody"]
            else {},
        )

    def admit(self, call: Call) -> None:
        """Raise GatewayError with status 400 unless the call meets every demand."""
        missing = [name for name in self.parameters if not call.parameter(name)]
        if missing:
            names = ", ".join(name.partition(".")[2] for name in missing)
            message = f"Missing required request parameters: [{names}]"
            raise GatewayError(400, message, "BadRequestException", "BAD_REQUEST_PARAMETERS")
        check = self.models.get(call.content_type)
        if check is None:
            return
        try:
            check(call.document)
        except (fastjsonschema.JsonSchemaValueException, ValueError) as error:
            refusal = ("Invalid request body", "BadRequestException", "BAD_REQUEST_BODY")
            raise GatewayError(400, *refusal, problem=str(error)) from None


def compiled(schema: str) -> Check:
    check: Check = fastjsonschema.compile(json.loads(schema))
    return check

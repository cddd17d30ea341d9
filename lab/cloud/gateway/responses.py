"""Gateway responses: how the API words what it answers by itself, without a backend."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any, Self

from aiohttp import web

from lab.cloud.gateway.integrations import GatewayError

HEADER = "gatewayresponse.header."


@dataclass(frozen=True)
class GatewayResponses:
    """The responses of a deployment, by type. A type without one answers as API Gateway does by default."""

    by_type: Mapping[str, Mapping[str, Any]] = field(default_factory=dict)

    @classmethod
    def of(cls, described: Iterable[Mapping[str, Any]]) -> Self:
        """Build from what the control plane describes: for each type, what it takes from the defaults included."""
        return cls({one["responseType"]: one for one in described})

    def answer(self, error: GatewayError) -> web.Response:
        chosen = self.by_type.get(error.response_type, {})
        changed_status = None if chosen.get("defaultResponse", True) else chosen.get("statusCode")
        template = (chosen.get("responseTemplates") or {}).get("application/json")
        headers = {
            name.removeprefix(HEADER): value.strip("'")
            for name, value in (chosen.get("responseParameters") or {}).items()
            if name.startswith(HEADER) and value.startswith("'")
        }
        return web.Response(
            status=int(changed_status or error.status),
            text=rendered(template, error) if template else json.dumps({"message": error.message}),
            content_type="application/json",
            headers={**headers, "x-amzn-ErrorType": error.error_type},
        )


def rendered(template: str, error: GatewayError) -> str:
    """The template with ``$context.error``; longer names first, since one begins like another."""
    for name, text in {
        "$context.error.validationErrorString": json.dumps(error.problem)[1:-1],
        "$context.error.messageString": json.dumps(error.message),
        "$context.error.message": error.message,
    }.items():
        template = template.replace(name, text)
    return template

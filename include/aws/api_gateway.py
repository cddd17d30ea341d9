"""The REST API in front of the Kafka REST proxy and Kinesis, as requests to API Gateway."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from typing import Any

type Methods = dict[str, dict[str, Any]]
type Resources = dict[str, Methods]

PROXY_PATH = "/{proxy+}"
VALIDATOR = "body"

ALLOW = "method.response.header.Access-Control-Allow-"
CORS_HEADERS = {
    f"{ALLOW}Headers": "'Content-Type,Accept,X-Amz-Date,Authorization,X-Api-Key,X-Amz-Security-Token'",
    f"{ALLOW}Methods": "'DELETE,GET,HEAD,OPTIONS,PATCH,POST,PUT'",
    f"{ALLOW}Origin": "'*'",
}


def rest_api_request(user_id: str, tags: Mapping[str, str]) -> dict[str, Any]:
    """The arguments of ``CreateRestApi`` except the name."""
    return {
        "description": f"Posts of {user_id} to Kafka and Kinesis",
        "endpointConfiguration": {"types": ["REGIONAL"]},
        "apiKeySource": "HEADER",
        "tags": dict(tags),
    }


def proxy_methods(backend_url: str) -> Methods:
    """Methods of ``/{proxy+}``, for callers with a key: every request goes to the same path of the backend.

    A method holds the arguments of ``PutMethod`` and ``PutIntegration`` and, for each status code, those of
    ``PutMethodResponse`` and ``PutIntegrationResponse``.
    """
    return {
        "ANY": {
            "method": {
                "authorizationType": "NONE",
                "apiKeyRequired": True,
                "requestParameters": {"method.request.path.proxy": True},
            },
            "integration": {
                "type": "HTTP_PROXY",
                "integrationHttpMethod": "ANY",
                "uri": f"{backend_url}/{{proxy}}",
                "requestParameters": {"integration.request.path.proxy": "method.request.path.proxy"},
            },
            "responses": {},
        },
        "OPTIONS": preflight(),
    }


def preflight() -> dict[str, Any]:
    """The method that tells a browser, without a key, that it may call the resource."""
    return {
        "method": {"authorizationType": "NONE", "apiKeyRequired": False},
        "integration": {"type": "MOCK", "requestTemplates": {"application/json": json.dumps({"statusCode": 200})}},
        "responses": {
            "200": {
                "method": {
                    "responseParameters": dict.fromkeys(CORS_HEADERS, False),
                    "responseModels": {"application/json": "Empty"},
                },
                "integration": {"responseParameters": CORS_HEADERS},
            }
        },
    }


def body_refusal_request() -> dict[str, Any]:
    """The response to a body that fails validation. It says what is wrong; API Gateway's default does not."""
    message = "$context.error.message: $context.error.validationErrorString"
    return {"statusCode": "400", "responseTemplates": {"application/json": json.dumps({"message": message})}}


def usage_plan_request(requests_per_second: object, burst: object) -> dict[str, Any]:
    """The request limits of one key; beyond them, the API answers 429. Numbers may be given as text."""
    return {"rateLimit": requests_per_second, "burstLimit": burst}


def is_in_place(method: Mapping[str, Any], found: Mapping[str, Any] | None) -> bool:
    """Whether a method, as API Gateway describes it, has everything that is required. It may have more."""
    return found is not None and _holds(found, _as_described(method))


def fingerprint(content: Mapping[str, Any]) -> str:
    """A hash that changes with any part of the API. A deployment carries it, so it is clear what was deployed."""
    return hashlib.sha256(json.dumps(content, sort_keys=True).encode()).hexdigest()[:16]


def _as_described(method: Mapping[str, Any]) -> dict[str, Any]:
    integration = {
        {"integrationHttpMethod": "httpMethod"}.get(name, name): value for name, value in method["integration"].items()
    }
    return {
        **method["method"],
        "methodResponses": {status: response["method"] for status, response in method["responses"].items()},
        "methodIntegration": {
            **integration,
            "integrationResponses": {
                status: response["integration"] for status, response in method["responses"].items()
            },
        },
    }


def _holds(found: object, asked: object) -> bool:
    if isinstance(asked, Mapping):
        there = found if isinstance(found, Mapping) else {}
        return all(_holds(there.get(name), value) for name, value in asked.items())
    return found == asked or (not found and not asked)

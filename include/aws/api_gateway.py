"""The REST API in front of the Kafka REST proxy and Kinesis, as requests to API Gateway."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterable, Mapping
from typing import Any

type Methods = dict[str, dict[str, Any]]
type Resources = dict[str, Methods]

PROXY_PATH = "/{proxy+}"
VALIDATOR = "body"
BACKEND_VARIABLE = "backend"
LINK_VARIABLE = "vpc_link"
INTERNET = "INTERNET"
OUR_BACKEND = f"${{stageVariables.{BACKEND_VARIABLE}}}"
"""By this in its URI, a method is known to have been made here."""
KEY_WITHHELD = "'withheld'"
MADE_BY = "pinterest-pipeline, "
"""How the description of each deployment begins."""

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


def proxy_resources(paths: Iterable[str], scheme: str, exposure: str) -> Resources:
    """The resources that lead to the REST proxy, see :func:`proxy_methods`."""
    return {path: proxy_methods(scheme, path, exposure) for path in paths}


def proxy_methods(scheme: str, path: str = PROXY_PATH, exposure: str = "internet") -> Methods:
    """Methods of a path, for callers with a key: every request goes to the same path of the backend.

    The backend's scheme is part of them; where it is, and by which VPC link it is reached, variables of the stage say.
    API Gateway passes the backend's answer on as it is, so the backend itself has to allow other origins to read it.
    The caller's key is for the API alone: the backend is reached without encryption, and gets a constant in the key's
    place.

    A method holds the arguments of ``PutMethod`` and ``PutIntegration`` and, for each status code, those of
    ``PutMethodResponse`` and ``PutIntegrationResponse``.
    """
    is_greedy = path.endswith(PROXY_PATH)
    return {
        "ANY": {
            "method": {
                "authorizationType": "NONE",
                "apiKeyRequired": True,
                "requestParameters": {"method.request.path.proxy": True} if is_greedy else {},
            },
            "integration": {
                "type": "HTTP_PROXY",
                "integrationHttpMethod": "ANY",
                "uri": f"{scheme}://{OUR_BACKEND}{path.replace('{proxy+}', '{proxy}')}",
                **connection(exposure),
                "requestParameters": {
                    **({"integration.request.path.proxy": "method.request.path.proxy"} if is_greedy else {}),
                    "integration.request.header.x-api-key": KEY_WITHHELD,
                },
            },
            "responses": {},
        },
        "OPTIONS": preflight(),
    }


def connection(exposure: str) -> dict[str, str]:
    """The part of an integration that says by which way it leads to the backend."""
    if exposure == "vpc_link":
        return {"connectionType": "VPC_LINK", "connectionId": f"${{stageVariables.{LINK_VARIABLE}}}"}
    return {"connectionType": INTERNET}


def stage_variables(backend_url: str, vpc_link: str = "") -> dict[str, str]:
    """The variables that the API's stage needs. A change of them takes effect without a deployment.

    Raises ValueError if the URL names no address.
    """
    scheme, _, address = backend_url.partition("://")
    if scheme not in ("http", "https") or not address:
        raise ValueError(f"backend URL {backend_url!r}: expected http:// or https:// and the REST proxy's address")
    return {BACKEND_VARIABLE: address.rstrip("/"), **({LINK_VARIABLE: vpc_link} if vpc_link else {})}


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


def gateway_responses() -> dict[str, dict[str, Any]]:
    """API Gateway's own answers, by type: the arguments of ``PutGatewayResponse`` except API and type.

    All of them allow other origins to read them, as the preflight promises. A type that has an answer of its own takes
    nothing from the default. A refused body is told what is wrong with it, which API Gateway does not do by itself.
    """
    message = "$context.error.message: $context.error.validationErrorString"
    anyone = {"responseParameters": {"gatewayresponse.header.Access-Control-Allow-Origin": "'*'"}}
    return {
        "DEFAULT_4XX": anyone,
        "DEFAULT_5XX": anyone,
        "BAD_REQUEST_BODY": {
            **anyone,
            "statusCode": "400",
            "responseTemplates": {"application/json": json.dumps({"message": message})},
        },
    }


def usage_plan_request(requests_per_second: object, burst: object) -> dict[str, Any]:
    """The request limits of one key; beyond them, the API answers 429. Numbers may be given as text."""
    return {"rateLimit": requests_per_second, "burstLimit": burst}


def is_in_place(method: Mapping[str, Any], found: Mapping[str, Any] | None) -> bool:
    """Whether a method, as API Gateway describes it, has everything that is required. It may have more."""
    if found is None:
        return False
    integration = {"connectionType": INTERNET, **found.get("methodIntegration", {})}  # it is, if nothing is said
    return holds({**found, "methodIntegration": integration}, _as_described(method))


def leads_to_proxy(method: Mapping[str, Any] | None) -> bool:
    """Whether a method, as API Gateway describes it, was made by :func:`proxy_methods`."""
    return OUR_BACKEND in ((method or {}).get("methodIntegration") or {}).get("uri", "")


def holds(found: object, asked: object) -> bool:
    """Whether what AWS describes has everything that was asked for. It may have more."""
    if isinstance(asked, Mapping):
        there = found if isinstance(found, Mapping) else {}
        return all(holds(there.get(name), value) for name, value in asked.items())
    return found == asked or (not found and not asked)


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

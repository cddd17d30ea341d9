"""The integrations of REST API methods: one function per type."""

from __future__ import annotations

import json
import logging
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any
from urllib.parse import unquote

from aiohttp import ClientError, ClientSession, ClientTimeout, web
from multidict import CIMultiDict
from yarl import URL

HOST = "127.0.0.1"
LONGEST_CALL = 29_000  # milliseconds
ADDED_BY_CLIENT = ("Accept", "Accept-Encoding", "Content-Type", "User-Agent")
HOP_BY_HOP = frozenset(
    name.lower()
    for name in (
        "Connection",
        "Content-Length",
        "Expect",
        "Host",
        "Keep-Alive",
        "Proxy-Connection",
        "TE",
        "Trailer",
        "Transfer-Encoding",
        "Upgrade",
    )
)

log = logging.getLogger("lab.gateway")


class GatewayError(Exception):
    """An answer from the gateway itself, in API Gateway's format.

    ``response_type`` names the gateway response that words it; empty where no stage is known, so that there is none.
    ``problem``: what is wrong with a body that was refused.
    """

    def __init__(self, status: int, message: str, error_type: str, response_type: str = "", problem: str = "") -> None:
        super().__init__(message)
        self.status = status
        self.message = message
        self.error_type = error_type
        self.response_type = response_type
        self.problem = problem


def misconfigured(reason: str) -> GatewayError:
    """What a caller sees of an API that is misconfigured; the reason goes to the log."""
    log.warning("answered 500: %s", reason)
    return GatewayError(500, "Internal server error", "InternalServerErrorException", "API_CONFIGURATION_ERROR")


def timed_out() -> GatewayError:
    return GatewayError(504, "Endpoint request timed out", "InternalServerErrorException", "INTEGRATION_TIMEOUT")


def unreachable(call: Call, uri: str, why: object) -> GatewayError:
    log.warning("%s %s: %s", call.request.method, uri.partition("?")[0], why)
    message = "Network error communicating with endpoint"
    return GatewayError(504, message, "IntegrationFailure", "INTEGRATION_FAILURE")


@dataclass(frozen=True)
class Call:
    """``links`` says where VPC links lead: the target's port by the load balancer's, by the id of the link."""

    request: web.Request
    body: bytes
    query: str
    path_parameters: dict[str, str]
    variables: dict[str, str]
    integration: dict[str, Any]
    backends: ClientSession
    links: Mapping[str, Mapping[int, int]] = field(default_factory=dict)

    @cached_property
    def document(self) -> Any:
        """The body's JSON. Raises ValueError if it is not JSON."""
        return json.loads(self.body, parse_constant=refuse_constant)

    @property
    def content_type(self) -> str:
        return self.request.headers.get("Content-Type", "application/json").partition(";")[0].strip().lower()

    @cached_property
    def parameters(self) -> dict[str, Mapping[str, str]]:
        """The decoded parameters, by where they came from."""
        return {
            "path": {name: unquote(value) for name, value in self.path_parameters.items()},
            "querystring": self.request.query,
            "header": self.request.headers,
        }

    def parameter(self, name: str) -> str:
        """One parameter, by a name such as ``querystring.limit``."""
        place, _, name = name.partition(".")
        return self.parameters[place].get(name, "")


def refuse_constant(name: str) -> None:
    raise ValueError(f"{name} is not JSON")


type Integration = Callable[[Call], Awaitable[web.Response]]


def with_variables(text: str, variables: Mapping[str, str]) -> str:
    """A text with the stage's variables in their places."""
    for name, value in variables.items():
        text = text.replace(f"${{stageVariables.{name}}}", value)
    return text


def destination(call: Call, url: URL) -> URL:
    """Where a call goes: to the URL itself, or through a VPC link to a target. Raises GatewayError if none leads there.

    A target is an instance, and every instance is this machine.
    """
    if call.integration.get("connectionType") != "VPC_LINK":
        return url
    link_id = with_variables(call.integration.get("connectionId") or "", call.variables)
    ports = call.links.get(link_id)
    if ports is None:
        raise misconfigured(f"there is no VPC link {link_id!r} that is AVAILABLE")
    port = ports.get(url.port or 0)
    if port is None:
        raise unreachable(call, str(url), "no listener of the load balancer leads to a target")
    return url.with_host(HOST).with_port(port)


async def http_proxy(call: Call) -> web.Response:
    """Pass the call on unchanged (raw path and query, headers, body), and its answer back."""
    uri = with_variables(call.integration["uri"], call.variables)
    headers = CIMultiDict((k, v) for k, v in call.request.headers.items() if k.lower() not in HOP_BY_HOP)
    for target, source in (call.integration.get("requestParameters") or {}).items():
        place, _, name = target.removeprefix("integration.request.").partition(".")
        value = mapped(call, source)
        if place == "path":
            uri = uri.replace(f"{{{name}}}", value)
        elif place == "header":
            headers[name] = value
        else:
            raise misconfigured(f"request parameter {target!r} is not covered")
    if "{" in uri:
        raise misconfigured(f"no value is mapped to a parameter of the path in {uri!r}")
    if call.query:
        uri += "?" + call.query
    method = call.integration.get("httpMethod") or "ANY"
    meant = URL(uri, encoded=True)
    url = destination(call, meant)
    if url != meant:
        headers["Host"] = meant.raw_authority
    try:
        async with call.backends.request(
            call.request.method if method == "ANY" else method,
            url,
            data=call.body or None,
            headers=headers,
            skip_auto_headers=ADDED_BY_CLIENT,
            allow_redirects=False,
            timeout=ClientTimeout(total=longest_wait(call.integration)),
        ) as answer:
            kept = CIMultiDict((k, v) for k, v in answer.headers.items() if k.lower() not in HOP_BY_HOP)
            return web.Response(status=answer.status, headers=kept, body=await answer.read())
    except TimeoutError:
        raise timed_out() from None
    except (ClientError, OSError) as error:
        raise unreachable(call, uri, error) from None


def longest_wait(integration: dict[str, Any]) -> float:
    """Seconds."""
    return min(integration.get("timeoutInMillis") or LONGEST_CALL, LONGEST_CALL) / 1000


def mapped(call: Call, source: str) -> str:
    """The value that a mapping names: a quoted constant, or a path parameter or header of the call."""
    if source.startswith("'"):
        return source.strip("'")
    place, _, name = source.removeprefix("method.request.").partition(".")
    if place == "path":
        return call.path_parameters.get(name, "")
    if place == "header":
        return call.request.headers.get(name, "")
    raise misconfigured(f"the source {source!r} of a request parameter is not covered")


async def mock(call: Call) -> web.Response:
    """An answer without a backend, such as a CORS preflight: constant headers and the body for the chosen status."""
    template = (call.integration.get("requestTemplates") or {}).get("application/json") or "{}"
    try:
        status = str(json.loads(template).get("statusCode", 200))
    except ValueError:
        raise misconfigured(f"the mock integration's request template is not plain JSON: {template!r}") from None
    chosen = (call.integration.get("integrationResponses") or {}).get(status)
    if chosen is None:
        raise misconfigured(f"the mock integration has no response for status {status}")
    body = (chosen.get("responseTemplates") or {}).get("application/json") or ""
    return web.Response(status=int(status), headers=answer_headers(chosen), text=body, content_type="application/json")


def answer_headers(response: dict[str, Any]) -> dict[str, str]:
    """An integration response's constant headers."""
    parameters = (response.get("responseParameters") or {}).items()
    return {name.removeprefix("method.response.header."): value.strip("'") for name, value in parameters}


INTEGRATIONS: dict[str, Integration] = {"HTTP_PROXY": http_proxy, "MOCK": mock}

"""Integrations of type AWS: a call becomes a Kinesis action, carried out under a role.

Covered: URIs ``arn:aws:apigateway:{region}:kinesis:action/{action}``; request templates by content type, and what
happens without one (``passthroughBehavior``); request headers; integration responses by ``selectionPattern`` with
constant headers. A response body is passed on as Kinesis returned it. The role must exist and trust API Gateway; the
permissions in its policies are not checked.
"""

from __future__ import annotations

import asyncio
import re
import time
import uuid
from typing import Any

from aiohttp import ClientError as HttpError
from aiohttp import ClientTimeout, web
from botocore.exceptions import BotoCoreError, ClientError

from lab.cloud.gateway.integrations import (
    Call,
    GatewayError,
    answer_headers,
    longest_wait,
    mapped,
    misconfigured,
    timed_out,
)
from lab.cloud.gateway.templates import Input, TemplateError, render

ACTION = re.compile(r"arn:aws:apigateway:(?P<region>[a-z0-9-]+):kinesis:action/(?P<action>\w+)")
API_GATEWAY = "apigateway.amazonaws.com"
TARGET = "Kinesis_20131202"
ROLE_KNOWN_FOR = 2.0  # seconds


class Roles:
    """The roles that API Gateway may assume, checked again every few seconds."""

    def __init__(self, iam: Any) -> None:
        self.iam = iam
        self.checked: dict[str, float] = {}

    async def assume(self, arn: str) -> None:
        """Raise GatewayError if API Gateway may not assume the role."""
        if time.monotonic() - self.checked.get(arn, -ROLE_KNOWN_FOR) < ROLE_KNOWN_FOR:
            return
        try:
            role = await asyncio.to_thread(self.iam.get_role, RoleName=arn.rpartition("/")[2])
        except (BotoCoreError, ClientError) as error:
            raise misconfigured(f"the role {arn!r} of an integration cannot be assumed: {error}") from error
        if role["Role"]["Arn"] != arn or not trusts(role["Role"]["AssumeRolePolicyDocument"], API_GATEWAY):
            raise misconfigured(f"the role {arn!r} of an integration does not trust {API_GATEWAY}")
        self.checked[arn] = time.monotonic()


def trusts(policy: dict[str, Any], service: str) -> bool:
    statements = policy["Statement"] if isinstance(policy["Statement"], list) else [policy["Statement"]]
    for statement in statements:
        services = statement.get("Principal", {}).get("Service", [])
        if statement["Effect"] == "Allow" and service in ([services] if isinstance(services, str) else services):
            return True
    return False


class KinesisIntegration:
    def __init__(self, endpoint: str, roles: Roles) -> None:
        self.endpoint = endpoint
        self.roles = roles

    async def __call__(self, call: Call) -> web.Response:
        action = ACTION.fullmatch(call.integration.get("uri", ""))
        if action is None:
            raise misconfigured(f"the URI {call.integration.get('uri')!r} of an AWS integration is not covered")
        body = request_body(call)
        await self.roles.assume(call.integration.get("credentials") or "")
        status, answer = await self.carry_out(call, action["region"], action["action"], body)
        return respond(call, status, answer)

    async def carry_out(self, call: Call, region: str, action: str, body: bytes) -> tuple[int, bytes]:
        headers = {"X-Amz-Target": f"{TARGET}.{action}", "Authorization": authorization(region)}
        for target, source in (call.integration.get("requestParameters") or {}).items():
            place, _, name = target.removeprefix("integration.request.").partition(".")
            if place != "header":
                raise misconfigured(f"request parameter {target!r} is not covered")
            headers[name] = mapped(call, source)
        timeout = ClientTimeout(total=longest_wait(call.integration))
        try:
            async with call.backends.post(self.endpoint, data=body, headers=headers, timeout=timeout) as answer:
                return answer.status, await answer.read()
        except TimeoutError:
            raise timed_out() from None
        except (HttpError, OSError) as error:
            raise misconfigured(f"Kinesis does not answer: {error}") from error


def authorization(region: str) -> str:
    """ministack reads the service and region from this header and checks no signature."""
    today = time.strftime("%Y%m%d", time.gmtime())
    scope = f"gateway/{today}/{region}/kinesis/aws4_request"
    return f"AWS4-HMAC-SHA256 Credential={scope}, SignedHeaders=host, Signature=none"


def request_body(call: Call) -> bytes:
    templates = {name.lower(): text for name, text in (call.integration.get("requestTemplates") or {}).items()}
    template = templates.get(call.content_type)
    if template is None:
        behavior = call.integration.get("passthroughBehavior") or "WHEN_NO_MATCH"
        if behavior == "NEVER" or (behavior == "WHEN_NO_TEMPLATES" and templates):
            message = "Unsupported Media Type"
            raise GatewayError(415, message, "UnsupportedMediaTypeException", "UNSUPPORTED_MEDIA_TYPE")
        return call.body
    try:
        document = call.document if call.body else {}
    except ValueError as error:
        message = f"Could not parse request body into json: {error}"
        raise GatewayError(400, message, "BadRequestException", "DEFAULT_4XX") from None
    return rendered(call, template, call.body.decode(errors="replace"), document).encode()


def rendered(call: Call, template: str, body: str, document: Any) -> str:
    context = {"requestId": str(uuid.uuid4()), "httpMethod": call.request.method}
    try:
        return render(template, Input(body, document, call.parameters), context, call.variables)
    except TemplateError as error:
        raise misconfigured(f"a template of {call.integration['uri']} cannot be rendered: {error}") from error


def respond(call: Call, status: int, answer: bytes) -> web.Response:
    responses = (call.integration.get("integrationResponses") or {}).values()
    patterns = ((response.get("selectionPattern") or "", response) for response in responses)
    by_pattern = sorted(patterns, key=lambda one: not one[0])
    chosen = next((r for pattern, r in by_pattern if not pattern or re.fullmatch(pattern, str(status))), None)
    if chosen is None:
        raise misconfigured(f"no integration response of {call.integration['uri']} is for status {status}")
    return web.Response(
        status=int(chosen["statusCode"]),
        headers=answer_headers(chosen),
        body=answer,
        content_type="application/json",
    )

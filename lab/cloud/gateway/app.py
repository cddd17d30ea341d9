"""The gateway stand-in's server: it finds a call's stage and method, admits the call, and runs the integration."""

from __future__ import annotations

import asyncio
import logging
import uuid
from pathlib import Path
from typing import Any

from aiohttp import ClientSession, DummyCookieJar, TCPConnector, web
from botocore.exceptions import BotoCoreError, ClientError

from lab.aws.client import aws
from lab.cloud.gateway.aws_integrations import KinesisIntegration, Roles
from lab.cloud.gateway.control_plane import ControlPlane, Method, Stage
from lab.cloud.gateway.integrations import INTEGRATIONS, Call, GatewayError, Integration, misconfigured
from lab.cloud.gateway.responses import GatewayResponses
from lab.cloud.gateway.signatures import admit_signed
from lab.cloud.serving import serve
from lab.state import State

PREFIX = "/_aws/execute-api/"
LARGEST_BODY = 10 * 2**20

log = logging.getLogger("lab.gateway")


class Stages:
    """The stages called so far, reread only after the control plane changes.

    Our ministack server appends to ``revision`` on each change; checking its size costs a call only microseconds.
    """

    def __init__(self, control_plane: ControlPlane, revision: Path) -> None:
        self.control_plane = control_plane
        self.revision = revision
        self.known: dict[tuple[str, str], tuple[int, Stage | None]] = {}
        self.reading = asyncio.Lock()

    async def get(self, api_id: str, name: str) -> Stage | None:
        known = self.known.get((api_id, name))
        if known and known[0] == self.now():
            return known[1]
        async with self.reading:
            return await self.read(api_id, name)

    async def read(self, api_id: str, name: str) -> Stage | None:
        now = self.now()
        at, stage = self.known.get((api_id, name), (None, None))
        if at == now:
            return stage
        try:
            stage = await asyncio.to_thread(self.control_plane.read_stage, api_id, name, stage)
        except (BotoCoreError, ClientError) as error:
            if at is None:
                raise misconfigured(f"the control plane does not answer: {error}") from error
            log.warning("serving API %s unchanged, because the control plane does not answer: %s", api_id, error)
            return stage
        self.known[api_id, name] = (now, stage)
        return stage

    def now(self) -> int:
        try:
            return self.revision.stat().st_size
        except FileNotFoundError:
            return 0


class Gateway:
    def __init__(self, stages: Stages, backends: ClientSession, kinesis: KinesisIntegration, secret: str) -> None:
        self.stages = stages
        self.backends = backends
        self.secret = secret
        self.integrations: dict[str, Integration] = {**INTEGRATIONS, "AWS": kinesis}

    async def handle(self, request: web.Request) -> web.Response:
        response = await self.answer(request)
        response.headers["x-amzn-RequestId"] = str(uuid.uuid4())
        return response

    async def answer(self, request: web.Request) -> web.Response:
        """The integration's answer, or the API's own in the words of the deployment's gateway responses."""
        path, _, query = request.raw_path.partition("?")
        api_id, stage_name, path = [*path.removeprefix(PREFIX).split("/", 2), "", ""][:3]
        responses = GatewayResponses()
        try:
            stage = await self.stages.get(api_id, stage_name)
            if stage is None:
                raise GatewayError(403, "Forbidden", "ForbiddenException")
            responses = stage.deployment.responses
            return await self.call(request, stage, "/" + path, query)
        except GatewayError as error:
            return responses.answer(error)

    async def call(self, request: web.Request, stage: Stage, path: str, query: str) -> web.Response:
        found = stage.deployment.find(request.method, path)
        if found is None:
            token = ("Missing Authentication Token", "MissingAuthenticationTokenException")
            raise GatewayError(403, *token, "MISSING_AUTHENTICATION_TOKEN")
        method, path_parameters = found
        if method.signed:
            admit_signed(request, await read_body(request), self.secret)
        admit(request, stage, method)
        integration = method.integration
        act = self.integrations.get(integration.get("type", ""))
        if act is None:
            raise misconfigured(f"integration type {integration.get('type')!r} of {path} is not covered")
        body = await read_body(request)
        call = Call(request, body, query, path_parameters, stage.variables, integration, self.backends, stage.links)
        method.validation.admit(call)
        return await act(call)


def admit(request: web.Request, stage: Stage, method: Method) -> None:
    """Raise unless the call has a key, if one is required, and its usage plan and stage allow another call."""
    buckets = [stage.bucket]
    if method.key_required:
        key = request.headers.get("x-api-key", "")
        if key not in stage.keys:
            raise GatewayError(403, "Forbidden", "ForbiddenException", "INVALID_API_KEY")
        buckets.insert(0, stage.keys[key])
    if not all(bucket.take() for bucket in buckets if bucket):
        raise GatewayError(429, "Too Many Requests", "TooManyRequestsException", "THROTTLED")


async def read_body(request: web.Request) -> bytes:
    try:
        return await request.read()
    except web.HTTPRequestEntityTooLarge:
        message = "Request Too Long"
        raise GatewayError(413, message, "RequestEntityTooLargeException", "REQUEST_TOO_LARGE") from None


async def start(state: State) -> list[Any]:
    backends = ClientSession(connector=TCPConnector(limit=256), cookie_jar=DummyCookieJar(), auto_decompress=False)
    gateway = Gateway(
        Stages(
            ControlPlane(aws(state, "apigateway"), aws(state, "elbv2")),
            state.path("ministack", "apigateway.revision"),
        ),
        backends,
        KinesisIntegration(f"http://127.0.0.1:{state.port('aws')}/", Roles(aws(state, "iam"))),
        state.secret("aws_secret_access_key"),
    )
    app = web.Application(client_max_size=LARGEST_BODY)
    app.router.add_route("*", PREFIX + "{call:.*}", gateway.handle)

    async def close_backends(_: web.Application) -> None:
        await backends.close()

    app.on_cleanup.append(close_backends)
    return [await serve(state, "gateway", app, auto_decompress=False)]

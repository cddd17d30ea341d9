"""Faults on demand: any HTTP stand-in misbehaves when a test or a drill asks it to.

``POST /_lab/faults`` adds one fault, ``GET /_lab/faults`` lists them with their counts, ``DELETE /_lab/faults``
removes all of them. A fault's fields:

- ``path``: regular expression searched in the raw path (percent-encoded, without the query); required.
- ``method``: only this method; any method by default.
- ``skip``: how many matching calls pass first. ``times``: how many calls are hit after that (default 1; null: no
  limit).
- ``latency``: seconds to wait. On its own it only delays the real answer.
- ``status``, ``body`` (text, or JSON), ``headers``: the answer that replaces the real one.
- ``reset``: no answer; the TCP connection is reset.
- ``effect``: ``before`` (default): the call is not carried out. ``after``: it is, and its answer is lost.

The first fault in the list that is due takes effect; a fault that is still skipping counts the call and lets it pass.
"""

from __future__ import annotations

import asyncio
import re
import socket
import struct
from typing import Annotated, Any, Literal

from aiohttp import web
from aiohttp.typedefs import Handler
from pydantic import BaseModel, ConfigDict, Field, ValidationError

LAB_PATH = "/_lab/"


class Fault(BaseModel):
    model_config = ConfigDict(extra="forbid")

    path: re.Pattern[str]
    method: str | None = None
    skip: Annotated[int, Field(ge=0)] = 0
    times: Annotated[int, Field(ge=1)] | None = 1
    latency: Annotated[float, Field(ge=0)] = 0
    status: Annotated[int, Field(ge=200, le=599)] | None = None
    body: str | dict[str, Any] | list[Any] = ""
    headers: dict[str, str] = {}
    reset: bool = False
    effect: Literal["before", "after"] = "before"


class ActiveFault:
    """A fault, and how often it matched and took effect."""

    def __init__(self, fault: Fault) -> None:
        self.fault = fault
        self.matched = 0
        self.injected = 0

    def hits(self, method: str, path: str) -> bool:
        """Count a call. True if this fault hits it."""
        fault = self.fault
        if (fault.method and fault.method.upper() != method) or not fault.path.search(path):
            return False
        if fault.times is not None and self.injected >= fault.times:
            return False
        self.matched += 1
        if self.matched <= fault.skip:
            return False
        self.injected += 1
        return True

    def report(self) -> dict[str, Any]:
        times = self.fault.times
        return {
            **self.fault.model_dump(mode="json", exclude_defaults=True),
            "matched": self.matched,
            "injected": self.injected,
            "remaining": None if times is None else times - self.injected,
        }


def install_faults(app: web.Application) -> None:
    """Add the ``/_lab/faults`` calls to ``app``, and put the faults in front of all its handlers."""
    active: list[ActiveFault] = []

    @web.middleware
    async def inject(request: web.Request, handler: Handler) -> web.StreamResponse:
        path = request.raw_path.partition("?")[0]
        if path.startswith(LAB_PATH):
            return await _refuse_browsers(request, handler)
        if not active:
            return await handler(request)
        due = next((a for a in active if a.hits(request.method, path)), None)
        return await (_misbehave(due.fault, request, handler) if due else handler(request))

    async def add(request: web.Request) -> web.Response:
        try:
            fault = Fault.model_validate_json(await request.read())
        except ValidationError as error:
            problems = [f"{'.'.join(map(str, e['loc'])) or 'body'}: {e['msg']}" for e in error.errors()]
            return web.json_response({"message": "; ".join(problems)}, status=400)
        active.append(ActiveFault(fault))
        return web.json_response(active[-1].report(), status=201)

    async def show(_: web.Request) -> web.Response:
        return web.json_response({"faults": [a.report() for a in active]})

    async def clear(_: web.Request) -> web.Response:
        active.clear()
        return web.json_response({"faults": []})

    app.middlewares.insert(0, inject)
    app.router.add_post("/_lab/faults", add)
    app.router.add_get("/_lab/faults", show)
    app.router.add_delete("/_lab/faults", clear)


async def _refuse_browsers(request: web.Request, handler: Handler) -> web.StreamResponse:
    """Listening on loopback alone does not stop a web page in this machine's browser from calling us."""
    if "Origin" in request.headers:
        return web.json_response({"message": "not for browsers"}, status=403)
    return await handler(request)


async def _misbehave(fault: Fault, request: web.Request, handler: Handler) -> web.StreamResponse:
    true_answer: web.StreamResponse | None = None
    if fault.effect == "after":
        try:
            true_answer = await handler(request)
        except web.HTTPException as error:
            true_answer = error
    if fault.latency:
        await asyncio.sleep(fault.latency)
    if fault.reset:
        _reset_connection(request)
        return web.Response()
    if fault.status is not None:
        return _answer(fault, fault.status)
    return true_answer or await handler(request)


def _answer(fault: Fault, status: int) -> web.Response:
    if isinstance(fault.body, str):
        return web.Response(status=status, text=fault.body, headers=fault.headers)
    return web.json_response(fault.body, status=status, headers=fault.headers)


def _reset_connection(request: web.Request) -> None:
    """Send RST, not FIN: the client must see a reset, not an empty answer."""
    if request.transport is None:
        return
    connection = request.transport.get_extra_info("socket")
    connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    request.transport.abort()

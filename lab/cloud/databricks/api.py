"""The conventions of Databricks' REST API: arguments in the query or body, a bearer token, errors with a code."""

from __future__ import annotations

import hmac
import inspect
import json
from collections.abc import Callable
from typing import Any

from aiohttp import web
from aiohttp.typedefs import Handler

Arguments = dict[str, Any]
Operation = Callable[[Arguments], Any]


class ApiError(Exception):
    """An answer in Databricks' error shape."""

    def __init__(self, status: int, code: str, message: str) -> None:
        super().__init__(message)
        self.status = status
        self.code = code
        self.message = message


def invalid(message: str) -> ApiError:
    return ApiError(400, "INVALID_PARAMETER_VALUE", message)


def missing(message: str) -> ApiError:
    return ApiError(404, "RESOURCE_DOES_NOT_EXIST", message)


class Routes:
    """Operations by method and path; ``{name}`` in a path is an argument. They take arguments and return JSON."""

    def __init__(self) -> None:
        self._operations: list[tuple[str, list[str], Operation]] = []

    def add(self, method: str, path: str, operation: Operation) -> None:
        self._operations.append((method, path.split("/"), operation))

    async def dispatch(self, request: web.Request) -> web.StreamResponse:
        parts = request.match_info["path"].strip("/").split("/")
        for method, pattern, operation in self._operations:
            found = _match(pattern, parts)
            if method == request.method and found is not None:
                result = operation({**await _arguments(request), **found})
                if inspect.isawaitable(result):
                    result = await result
                return result if isinstance(result, web.StreamResponse) else web.json_response(result)
        raise ApiError(404, "ENDPOINT_NOT_FOUND", f"No API found for '{request.method} {request.path}' in the lab")


def _match(pattern: list[str], parts: list[str]) -> dict[str, str] | None:
    if len(pattern) != len(parts):
        return None
    found = {}
    for expected, part in zip(pattern, parts, strict=True):
        if expected.startswith("{"):
            found[expected.strip("{}")] = part
        elif expected != part:
            return None
    return found


async def _arguments(request: web.Request) -> Arguments:
    """The query's arguments, overridden by the body's. Some clients send a GET's arguments as a JSON body."""
    arguments: Arguments = dict(request.query)
    if request.content_type == "multipart/form-data":
        form = await request.post()
        return arguments | {
            name: value.file.read() if isinstance(value, web.FileField) else value for name, value in form.items()
        }
    body = await request.read()
    if not body:
        return arguments
    try:
        content = json.loads(body)
    except ValueError as error:
        raise ApiError(400, "MALFORMED_REQUEST", f"Invalid JSON given in the body of the request: {error}") from error
    if not isinstance(content, dict):
        raise ApiError(400, "MALFORMED_REQUEST", "The body of the request is not a JSON object")
    return arguments | content


def required(arguments: Arguments, name: str) -> Any:
    if arguments.get(name) in (None, ""):
        raise invalid(f"Missing required field: {name}")
    return arguments[name]


def number(arguments: Arguments, name: str, default: int | None = None) -> int:
    value = required(arguments, name) if default is None else arguments.get(name, default)
    try:
        return int(value)
    except (TypeError, ValueError):
        raise invalid(f"{name}: {value!r} is not an integer") from None


def flag(arguments: Arguments, name: str) -> bool:
    return str(arguments.get(name, "")).lower() == "true"


@web.middleware
async def answer_errors(request: web.Request, handler: Handler) -> web.StreamResponse:
    try:
        return await handler(request)
    except ApiError as error:
        return web.json_response({"error_code": error.code, "message": error.message}, status=error.status)


def require_token(token: str) -> Any:
    """An API call without a token is 401, with a wrong one 403."""

    @web.middleware
    async def check(request: web.Request, handler: Handler) -> web.StreamResponse:
        if request.path.startswith("/api/"):
            kind, _, given = request.headers.get("Authorization", "").partition(" ")
            if kind != "Bearer":
                raise ApiError(
                    401, "UNAUTHENTICATED", "Credential was not sent or was of an unsupported type for this API."
                )
            if not hmac.compare_digest(given.encode(), token.encode()):
                raise ApiError(403, "PERMISSION_DENIED", "Invalid access token.")
        return await handler(request)

    return check

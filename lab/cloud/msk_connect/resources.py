"""What MSK Connect stores: custom plugins, worker configurations and connectors, by ARN; and AWS's errors."""

from __future__ import annotations

import asyncio
import base64
import binascii
import json
import logging
import uuid
from collections.abc import Coroutine, Mapping
from datetime import UTC, datetime
from pathlib import Path
from typing import Any
from urllib.parse import unquote

from aiohttp import web

from lab.state import ACCOUNT, REGION, write_private

PAGE = 100

Resource = dict[str, Any]

log = logging.getLogger("lab.msk_connect")


class AwsError(Exception):
    """The error that boto3 raises as ``client.exceptions.<code>``."""

    def __init__(self, status: int, code: str, message: str) -> None:
        super().__init__(message)
        self.status = status
        self.code = code
        self.message = message

    def response(self) -> web.Response:
        return web.json_response({"message": self.message}, status=self.status, headers={"x-amzn-ErrorType": self.code})


def bad_request(message: str) -> AwsError:
    return AwsError(400, "BadRequestException", message)


def not_found(kind: str, arn: str) -> AwsError:
    return AwsError(404, "NotFoundException", f"The {kind.replace('-', ' ')} {arn} does not exist.")


def conflict(message: str) -> AwsError:
    return AwsError(409, "ConflictException", message)


class Resources:
    """All resources of one kind, as their Describe operation returns them, plus ``tags``.

    Every change is on disk when the method that made it returns.
    """

    def __init__(self, file: Path, kind: str, name_field: str) -> None:
        self.kind = kind
        self.name_field = name_field
        self._file = file
        self._content: dict[str, Resource] = json.loads(file.read_text()) if file.exists() else {}

    def new_arn(self, name: str) -> str:
        return f"arn:aws:kafkaconnect:{REGION}:{ACCOUNT}:{self.kind}/{name}/{uuid.uuid4()}-2"

    def add(self, arn: str, resource: Resource, tags: Mapping[str, str]) -> Resource:
        name = resource[self.name_field]
        if any(other[self.name_field] == name for other in self.all()):
            raise conflict(f"A {self.kind.replace('-', ' ')} named {name} already exists.")
        self._content[arn] = {**resource, "tags": dict(tags)}
        self.save()
        return self._content[arn]

    def get(self, arn: str) -> Resource:
        try:
            return self._content[arn]
        except KeyError:
            raise not_found(self.kind, arn) from None

    def update(self, arn: str, **changes: Any) -> None:
        """Update a resource; one that was deleted in the meantime stays deleted."""
        if arn in self._content:
            self._content[arn].update(changes)
            self.save()

    def remove(self, arn: str) -> None:
        if self._content.pop(arn, None):
            self.save()

    def all(self) -> list[Resource]:
        return list(self._content.values())

    def has(self, arn: str) -> bool:
        return arn in self._content

    def save(self) -> None:
        write_private(self._file, json.dumps(self._content, indent=2) + "\n")

    def page(self, query: Mapping[str, str], prefix: str) -> tuple[list[str], dict[str, str]]:
        """The ARNs of one page in order of creation, and the next page's token, which names the last ARN seen."""
        arns = [arn for arn, resource in self._content.items() if resource[self.name_field].startswith(prefix)]
        token = query.get("nextToken")
        start = 0
        if token:
            last = decode_token(token)
            if last not in self._content:
                raise bad_request("Invalid parameter: the next token is not valid.")
            order = {arn: number for number, arn in enumerate(self._content)}
            start = sum(1 for arn in arns if order[arn] <= order[last])
        size = page_size(query.get("maxResults"))
        found = arns[start : start + size]
        more = start + size < len(arns)
        return found, {"nextToken": encode_token(found[-1])} if more else {}


def page_size(text: str | None) -> int:
    if text is None:
        return PAGE
    if not text.isdecimal() or not 1 <= int(text) <= PAGE:
        raise bad_request(f"Invalid parameter: maxResults is {text}, expected 1 to {PAGE}.")
    return int(text)


def encode_token(arn: str) -> str:
    return base64.urlsafe_b64encode(arn.encode()).decode()


def decode_token(token: str) -> str:
    try:
        return base64.urlsafe_b64decode(token).decode()
    except (binascii.Error, UnicodeDecodeError) as error:
        raise bad_request("Invalid parameter: the next token is not valid.") from error


def now() -> str:
    return datetime.now(UTC).strftime("%Y-%m-%dT%H:%M:%S.%f")[:-3] + "Z"


def new_version() -> str:
    return f"K{uuid.uuid4().hex[:13].upper()}"


def arn_of(request: web.Request) -> str:
    return unquote(request.match_info["arn"])


async def read_object(request: web.Request, *required: str) -> dict[str, Any]:
    try:
        given: dict[str, Any] = await request.json()
    except ValueError as error:
        raise bad_request(f"The request is not JSON: {error}") from error
    missing = [name for name in required if not isinstance(given, dict) or name not in given]
    if missing:
        raise bad_request(f"Missing parameter: {', '.join(missing)}")
    return given


def shown(resource: Resource) -> Resource:
    return {name: value for name, value in resource.items() if name != "tags"}


class Background:
    """Work that outlives the request that started it. Failures are logged."""

    def __init__(self) -> None:
        self._tasks: set[asyncio.Task[None]] = set()

    def start(self, work: Coroutine[Any, Any, None]) -> None:
        task = asyncio.create_task(work)
        self._tasks.add(task)
        task.add_done_callback(self._end)

    def _end(self, task: asyncio.Task[None]) -> None:
        self._tasks.discard(task)
        if not task.cancelled() and task.exception():
            log.error("background work failed", exc_info=task.exception())

    async def close(self) -> None:
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)

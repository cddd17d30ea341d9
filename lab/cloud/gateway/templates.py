"""Mapping templates: API Gateway's Velocity, with ``$input``, ``$util``, ``$context`` and ``$stageVariables``.

An object that ``$input.path`` found prints as Java prints it, ``{key=value}``, not as JSON. Paths like ``$.a.b``,
``$['a']`` and ``$.a[0]`` are covered; filters and wildcards are not.
"""

from __future__ import annotations

import base64
import json
import re
import urllib.parse
from collections.abc import Mapping
from functools import lru_cache
from typing import Any

import airspeed

STEP = re.compile(r"\.([^.\[\]]+)|\[(\d+)\]|\['([^']*)'\]|\[\"([^\"]*)\"\]")


class TemplateError(ValueError):
    """A template that cannot be rendered, or that uses something not covered."""


class JavaMap(dict[str, Any]):
    def __str__(self) -> str:
        return "{" + ", ".join(f"{name}={as_java(value)}" for name, value in self.items()) + "}"


class JavaList(list[Any]):
    def __str__(self) -> str:
        return "[" + ", ".join(map(as_java, self)) + "]"


def as_java(value: object) -> str:
    if value is None or isinstance(value, bool):
        return json.dumps(value)
    return str(value)


def java(value: Any) -> Any:
    if isinstance(value, dict):
        return JavaMap((name, java(one)) for name, one in value.items())
    if isinstance(value, list):
        return JavaList(map(java, value))
    return value


@lru_cache(maxsize=8192)
def steps(path: str) -> tuple[str | int, ...]:
    """Split a JSONPath into the names and numbers to follow."""
    found = []
    end = 1
    for step in STEP.finditer(path, 1):
        if step.start() != end:
            break
        end = step.end()
        name, number, quoted, doubly_quoted = step.groups()
        found.append(int(number) if number else name or quoted or doubly_quoted)
    if not path.startswith("$") or end != len(path):
        raise TemplateError(f"the path {path!r} is not covered")
    return tuple(found)


class Input:
    """``$input``: a call's body and parameters. ``document`` is the parsed body."""

    def __init__(self, body: str, document: Any, parameters: Mapping[str, Mapping[str, str]]) -> None:
        self.body = body
        self.document = document
        self.parameters = parameters
        self.found: dict[str, Any] = {}

    def path(self, path: str) -> Any:
        if path not in self.found:
            self.found[path] = java(self.find(path))
        return self.found[path]

    def json(self, path: str) -> str:
        return compact(self.find(path))

    def params(self, name: str | None = None) -> Any:
        if name is None:
            return self.parameters
        return next((values[name] for values in self.parameters.values() if name in values), "")

    def find(self, path: str) -> Any:
        found = self.document
        for step in steps(path):
            try:
                found = found[step]
            except (KeyError, IndexError, TypeError):
                return ""
        return found


class Util:
    """``$util``."""

    def base64Encode(self, text: object) -> str:
        return base64.b64encode(as_java(text).encode(errors="replace")).decode()

    def base64Decode(self, text: str) -> str:
        return base64.b64decode(text).decode(errors="replace")

    def urlEncode(self, text: str) -> str:
        return urllib.parse.quote_plus(text)

    def urlDecode(self, text: str) -> str:
        return urllib.parse.unquote_plus(text)

    def escapeJavaScript(self, text: object) -> str:
        return json.dumps(as_java(text))[1:-1].replace("'", "\\'").replace("/", "\\/")

    def parseJson(self, text: str) -> Any:
        return java(json.loads(text))


def compact(value: Any) -> str:
    return json.dumps(value, separators=(",", ":"), ensure_ascii=False)


@lru_cache(maxsize=256)
def template(source: str) -> Any:
    return airspeed.Template(source)


def render(source: str, given: Input, context: Mapping[str, Any], stage_variables: Mapping[str, str]) -> str:
    names = {"input": given, "util": Util(), "context": context, "stageVariables": stage_variables}
    try:
        return str(template(source).merge(names))
    except (airspeed.TemplateError, ValueError, TypeError, AttributeError) as error:
        raise TemplateError(f"{type(error).__name__}: {error}") from error

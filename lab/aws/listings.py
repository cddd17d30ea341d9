"""Lists that ministack lacks: VPC links of HTTP APIs, of which the lab has none, and MSK's clusters by version 2 of its
API."""

from __future__ import annotations

from typing import Any

EMPTY: dict[str, dict[str, list[Any]]] = {"/v2/vpclinks": {"items": []}}
"""Answers by path."""

SAME = {"/api/v2/clusters": "/v1/clusters"}
"""Paths whose answer is, for what the lab has, that of another."""


def empty(scope: dict[str, Any]) -> dict[str, list[Any]] | None:
    """The answer to a list of what the lab never has; None for any other call."""
    return EMPTY.get(scope["path"]) if scope["method"] == "GET" else None


def as_known(scope: dict[str, Any]) -> dict[str, Any]:
    """The call as ministack knows it."""
    path = SAME.get(scope["path"]) if scope["method"] == "GET" else None
    return {**scope, "path": path, "raw_path": path.encode()} if path else scope

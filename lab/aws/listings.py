"""Lists that ministack lacks: VPC links of HTTP APIs, of which the lab has none."""

from __future__ import annotations

from typing import Any

EMPTY: dict[str, dict[str, list[Any]]] = {"/v2/vpclinks": {"items": []}}
"""Answers by path."""


def empty(scope: dict[str, Any]) -> dict[str, list[Any]] | None:
    """The answer to a list of what the lab never has; None for any other call."""
    return EMPTY.get(scope["path"]) if scope["method"] == "GET" else None

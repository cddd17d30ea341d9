"""Whose a resource is: the tags of everything that the pipeline makes, and how to tell ours from what it adopted.

Ours is what has both tags of :func:`owner_tags`. Everything else was made by somebody else: it is used, never deleted,
and changed only where a task says so.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from datetime import UTC, datetime, timedelta

PROJECT = "pinterest-pipeline"
EXPIRES_AT = "expires_at"

LONGEST_VALUE = 256
REFUSED = re.compile(r"[^\w .:/=+@-]")
"""What no service takes in a tag's value."""

type Tags = dict[str, str]
type Pairs = list[dict[str, str]]
"""Tags as EC2, IAM and S3 spell them: ``[{"Key": …, "Value": …}]``."""


def owner_tags(user_id: str) -> Tags:
    """The tags by which a resource is ours."""
    return {"project": PROJECT, "user_id": user_id}


def given(tags: Mapping[str, str]) -> Tags:
    """Tags as AWS takes them: those without a value are left out, and characters that it refuses become ``_``."""
    return {name: REFUSED.sub("_", value)[:LONGEST_VALUE] for name, value in tags.items() if value}


def as_pairs(tags: Mapping[str, str]) -> Pairs:
    """:func:`given` tags, as EC2, IAM and S3 take them."""
    return [{"Key": name, "Value": value} for name, value in given(tags).items()]


def as_tags(found: Mapping[str, str] | Iterable[Mapping[str, str]] | None) -> Tags:
    """Tags as any service describes them: an object, a list of pairs, or nothing."""
    if isinstance(found, Mapping):
        return dict(found)
    return {pair["Key"]: pair.get("Value", "") for pair in found or ()}


def is_ours(found: Mapping[str, str] | Iterable[Mapping[str, str]] | None, user_id: str) -> bool:
    """Whether a resource with these tags, as its service describes them, was made for this user."""
    return owner_tags(user_id).items() <= as_tags(found).items()


def filters(user_id: str) -> list[dict[str, object]]:
    """What EC2's ``Describe…`` operations take as ``Filters`` to find only ours."""
    return [{"Name": f"tag:{name}", "Values": [value]} for name, value in owner_tags(user_id).items()]


def expiry(start: datetime, hours: int | None) -> str:
    """The value of the tag ``expires_at`` of what a run makes that began at ``start``; empty without ``hours``."""
    if hours is None:
        return ""
    return (start.astimezone(UTC) + timedelta(hours=hours)).strftime("%Y-%m-%dT%H:%M:%SZ")


def expires_at(found: Mapping[str, str] | Iterable[Mapping[str, str]] | None) -> datetime | None:
    """When a resource with these tags may be deleted; None for never.

    A value that is no time with an offset counts as none: nothing is deleted for a tag that cannot be read.
    """
    try:
        read = datetime.fromisoformat(as_tags(found).get(EXPIRES_AT, ""))
    except ValueError:
        return None
    return read if read.tzinfo else None


def is_expired(found: Mapping[str, str] | Iterable[Mapping[str, str]] | None, now: datetime) -> bool:
    """Whether a resource with these tags is past its ``expires_at``."""
    ends = expires_at(found)
    return ends is not None and ends <= now

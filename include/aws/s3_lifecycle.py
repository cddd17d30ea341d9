"""The bucket's lifecycle rules: documents of runs and logs expire, as do earlier versions of what later runs overwrite,
and the parts of uploads that broke off are deleted.

S3 takes the rules of a bucket only as a whole, so those of others are passed on as they are.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from include.bucket_layout import RUN_DOCUMENTS, SINK_LOGS, TOPICS

OURS = "pinterest-pipeline "
"""How the id of each of our rules begins."""

UPLOAD_DAYS = 7
EARLIER_DAYS = 30
OVERWRITTEN = ("posting/seed-", "landing/", "lake_stream/", "checkpoints/")
"""How the keys begin of what run after run writes anew, which a versioned bucket keeps every time."""

type Rule = Mapping[str, Any]


def with_ours(found: Sequence[Rule], days: int | None) -> list[Rule]:
    """The rules of others and then ours, which let the documents of a run expire after so many days.

    Without days there are only the others'.
    """
    others = [rule for rule in found if not str(rule.get("ID", "")).startswith(OURS)]
    if days is None:
        return others
    # Rules written before 2016 name their prefix without a filter, and S3 takes only one kind at a time.
    by_filter = not any("Prefix" in rule for rule in others)
    expired = {"Expiration": {"Days": days}, "NoncurrentVersionExpiration": {"NoncurrentDays": days}}
    earlier = {
        "Expiration": {"ExpiredObjectDeleteMarker": True},
        "NoncurrentVersionExpiration": {"NoncurrentDays": EARLIER_DAYS},
    }
    broken_off = {"AbortIncompleteMultipartUpload": {"DaysAfterInitiation": UPLOAD_DAYS}}
    actions = {
        **dict.fromkeys((*RUN_DOCUMENTS, SINK_LOGS), expired),
        **dict.fromkeys(OVERWRITTEN, earlier),
        TOPICS: {**broken_off, **earlier},
    }
    ours = [
        {
            "ID": f"{OURS}{prefix}",
            "Status": "Enabled",
            **({"Filter": {"Prefix": prefix}} if by_filter else {"Prefix": prefix}),
            **action,
        }
        for prefix, action in actions.items()
    ]
    return [*others, *ours]

"""What a teardown is told to do."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from datetime import datetime
from typing import Any, NamedTuple

from include.aws.inventory import Found
from include.aws.ownership import is_expired
from include.aws.removal import STAGES
from include.faults import LastingError

KEEPABLE = (*STAGES, "databricks")
"""What the param ``keep`` may name."""


class TeardownError(LastingError, RuntimeError):
    """The params contradict the settings, a permission is missing, or something of ours is left."""


class Order(NamedTuple):
    """:param dry_run: list only
    :param keep: stages that stay
    :param delete_data: whether topics, objects and tables go, too
    :param only_expired: remove only what is past its ``expires_at``
    :param keeps_bucket: whether the bucket stays for the document about checkpoints that are elsewhere
    """

    dry_run: bool
    keep: frozenset[str]
    delete_data: bool
    only_expired: bool
    keeps_bucket: bool = False

    @classmethod
    def of(cls, params: Mapping[str, Any], bucket: str, *, keeps_bucket: bool = False) -> Order:
        """The DAG's params. Raises TeardownError if ``delete_data_of`` names another bucket than ours."""
        given = str(params["delete_data_of"] or "")
        if given not in ("", bucket):
            raise TeardownError(
                f"delete_data_of is {given!r}, and the settings' bucket is {bucket!r}: repeat the bucket's name to "
                "have all data deleted, or leave delete_data_of empty. Nothing was removed"
            )
        if given and params["only_expired"]:
            raise TeardownError("only_expired deletes no data: leave delete_data_of empty. Nothing was removed")
        return cls(
            dry_run=bool(params["dry_run"]),
            keep=frozenset(params["keep"]),
            delete_data=bool(given),
            only_expired=bool(params["only_expired"]),
            keeps_bucket=keeps_bucket,
        )

    def keeps(self, stage: str) -> bool:
        return stage in self.keep

    def is_due(self, found: Found, now: datetime) -> bool:
        """Whether a resource is to be removed, as far as it and not its stage decides."""
        return found.ours and (not self.only_expired or is_expired(found.tags, now))

    def stays(self, found: Found, now: datetime) -> str:
        """Why a resource may be there after the teardown; empty if it may not."""
        if not found.ours:
            return "not tagged as ours: left"
        kept = sorted(stage for stage in self.keep if found.kind in STAGES.get(stage, ()))
        if kept:
            return f"kept: {', '.join(kept)}"
        if found.kind == "bucket" and not self.delete_data:
            return "kept: it holds data, which only delete_data_of deletes"
        if found.kind == "bucket" and self.keeps_bucket:
            return "kept: it holds the document about checkpoints, which are not in it"
        if not self.is_due(found, now):
            ends = found.expires_at
            return f"not expired: kept until {ends:%Y-%m-%d %H:%M} UTC" if ends else "not expired: it has no expires_at"
        return ""


def named(found: Iterable[object]) -> str:
    return ", ".join(map(str, found))

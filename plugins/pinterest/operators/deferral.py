"""What a deferred operator hands to its trigger."""

from __future__ import annotations

from typing import Any, Protocol


class Waits(Protocol):
    """An operator on AWS that waits."""

    waiter_delay: int
    waiter_max_attempts: int
    aws_conn_id: str | None
    region_name: str | None
    verify: bool | str | None
    botocore_config: dict[str, Any] | None


def how_to_wait(operator: Waits) -> dict[str, Any]:
    """How often and how long the trigger looks, and how it reaches AWS: as the operator does."""
    return {
        "waiter_delay": operator.waiter_delay,
        "waiter_max_attempts": operator.waiter_max_attempts,
        "aws_conn_id": operator.aws_conn_id,
        "region_name": operator.region_name,
        "verify": operator.verify,
        "botocore_config": operator.botocore_config,
    }

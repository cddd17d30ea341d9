"""Kinesis Data Streams."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from pinterest.hooks.aws import KinesisHook


class KinesisStreamHook(KinesisHook):
    """Finds data streams and waits for them.

    boto3's own waiters keep waiting while a data stream is being deleted, so ``waiters/kinesis.json`` defines ours.
    """

    @property
    def waiter_path(self) -> Path:
        return Path(__file__).parents[1] / "waiters" / "kinesis.json"

    def find_stream(self, name: str) -> dict[str, Any] | None:
        """Summary of the data stream, or None."""
        try:
            return dict(self.conn.describe_stream_summary(StreamName=name)["StreamDescriptionSummary"])
        except self.conn.exceptions.ResourceNotFoundException:
            return None

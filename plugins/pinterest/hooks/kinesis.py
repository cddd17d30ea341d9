"""Kinesis Data Streams."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from airflow.providers.amazon.aws.hooks.kinesis import KinesisHook


class KinesisStreamHook(KinesisHook):
    """Finds streams, and waits for them.

    boto3's own waiters go on to the end when a stream is being deleted, so ours stand in ``waiters/kinesis.json``.
    """

    @property
    def waiter_path(self) -> Path:
        return Path(__file__).parents[1] / "waiters" / "kinesis.json"

    def find_stream(self, name: str) -> dict[str, Any] | None:
        """Summary of the stream, or None."""
        try:
            return dict(self.conn.describe_stream_summary(StreamName=name)["StreamDescriptionSummary"])
        except self.conn.exceptions.ResourceNotFoundException:
            return None

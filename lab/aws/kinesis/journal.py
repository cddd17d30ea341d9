"""Append-only files that record what happens to the records of each stream."""

from __future__ import annotations

import json
import os
import shutil
import time
from collections.abc import Collection, Iterator
from pathlib import Path
from typing import Any
from urllib.parse import quote

SEGMENT_SIZE = 64 * 2**20


class Journal:
    """One folder per stream, which holds segments of lines ``[what, by shard]`` in the order things happened.

    A line cut short by a kill was never acknowledged; it stays where it is, and a new process starts a new segment. A
    segment is deleted as a whole once its last line is older than the stream's retention.
    """

    def __init__(self, folder: Path, segment_size: int = SEGMENT_SIZE) -> None:
        self.folder = folder
        self.segment_size = segment_size
        self.open_segments: dict[str, int] = {}

    def append(self, stream_arn: str, what: str, by_shard: dict[str, Any], *, kept_seconds: float) -> None:
        """Append a line, which is written when this returns. Raises OSError and leaves no trace if that fails."""
        line = json.dumps([what, by_shard], separators=(",", ":")).encode() + b"\n"
        segment = self._segment(stream_arn, kept_seconds)
        before = os.fstat(segment).st_size
        try:
            written = os.write(segment, line)
            while written < len(line):
                written += os.write(segment, line[written:])
        except OSError:
            os.ftruncate(segment, before)
            raise

    def read(self, stream_arn: str) -> Iterator[tuple[str, dict[str, Any]]]:
        for path in self._segments(stream_arn):
            with path.open("rb") as lines:
                for line in lines:
                    if line.endswith(b"\n"):
                        what, by_shard = json.loads(line)
                        yield what, by_shard

    def forget(self, stream_arn: str) -> None:
        self._close(stream_arn)
        shutil.rmtree(self._folder(stream_arn), ignore_errors=True)

    def keep_only(self, stream_arns: Collection[str]) -> None:
        kept = {self._folder(arn).name for arn in stream_arns}
        for folder in self.folder.iterdir() if self.folder.exists() else ():
            if folder.name not in kept:
                shutil.rmtree(folder)

    def drop_expired(self, stream_arn: str, kept_seconds: float) -> None:
        for path in self._segments(stream_arn):
            if path.stat().st_mtime < time.time() - kept_seconds:
                path.unlink()

    def _segment(self, stream_arn: str, kept_seconds: float) -> int:
        segment = self.open_segments.get(stream_arn)
        if segment is not None and os.fstat(segment).st_size < self.segment_size:
            return segment
        self._close(stream_arn)
        self.drop_expired(stream_arn, kept_seconds)
        folder = self._folder(stream_arn)
        folder.mkdir(parents=True, exist_ok=True, mode=0o700)
        number = max((int(path.stem) for path in self._segments(stream_arn)), default=0) + 1
        segment = os.open(folder / f"{number:09d}.jsonl", os.O_WRONLY | os.O_APPEND | os.O_CREAT | os.O_EXCL, 0o600)
        self.open_segments[stream_arn] = segment
        return segment

    def _close(self, stream_arn: str) -> None:
        segment = self.open_segments.pop(stream_arn, None)
        if segment is not None:
            os.close(segment)

    def _segments(self, stream_arn: str) -> list[Path]:
        return sorted(self._folder(stream_arn).glob("*.jsonl"))

    def _folder(self, stream_arn: str) -> Path:
        return self.folder / quote(stream_arn, safe="")

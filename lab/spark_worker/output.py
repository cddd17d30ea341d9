"""Sends what a notebook prints, from any of its threads, to its task's log, with secrets redacted."""

from __future__ import annotations

import contextvars
import sys
import threading
from collections.abc import Iterable
from pathlib import Path
from typing import TextIO

REDACTED = "[REDACTED]"
_current: contextvars.ContextVar[TaskLog | None] = contextvars.ContextVar("task_log", default=None)


class Redactor:
    """Replaces secret values with ``[REDACTED]``. Empty values are not secrets."""

    def __init__(self, secrets: Iterable[str]) -> None:
        self._secrets = sorted({secret for secret in secrets if secret}, key=len, reverse=True)

    def __call__(self, text: str) -> str:
        for secret in self._secrets:
            text = text.replace(secret, REDACTED)
        return text


class TaskLog:
    """A task's log file. Text is buffered up to the end of its line, so a secret printed in pieces is found too."""

    def __init__(self, path: Path, redact: Redactor) -> None:
        path.parent.mkdir(parents=True, exist_ok=True)
        self._file = path.open("a", encoding="utf-8", errors="replace")
        self._redact = redact
        self._pending = ""
        self._lock = threading.Lock()

    def write(self, text: str) -> None:
        with self._lock:
            *lines, self._pending = (self._pending + text).split("\n")
            if lines and not self._file.closed:
                self._file.write("".join(f"{self._redact(line)}\n" for line in lines))
                self._file.flush()

    def close(self) -> None:
        if self._pending:
            self.write("\n")
        with self._lock:
            self._file.close()

    def capture(self) -> None:
        """From now on, output of this thread and the threads it starts goes to this log."""
        _current.set(self)


class _Routed:
    """Replaces a standard stream: a task's threads write to the task's log, all others to the original stream."""

    def __init__(self, stream: TextIO) -> None:
        self._stream = stream

    def write(self, text: str) -> int:
        (_current.get() or self._stream).write(text)
        return len(text)

    def flush(self) -> None:
        if _current.get() is None:
            self._stream.flush()

    def __getattr__(self, name: str) -> object:
        return getattr(self._stream, name)


def route_output() -> None:
    """Install the routing once at start-up: both streams, and threads that inherit the task of their creator."""
    sys.stdout, sys.stderr = _Routed(sys.stdout), _Routed(sys.stderr)
    start = threading.Thread.start

    def start_in_context(thread: threading.Thread) -> None:
        run, context = thread.run, contextvars.copy_context()
        thread.run = lambda: context.run(run)  # type: ignore[method-assign]
        start(thread)

    threading.Thread.start = start_in_context  # type: ignore[method-assign, assignment]  # every thread, on purpose

"""Which workspace folder Python imports from: one at a time, so that two versions of a library never mix."""

from __future__ import annotations

import importlib
import sys
import threading
from collections import deque
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

CANCEL_CHECK_SECONDS = 0.5  # a thread that waits for ever never sees that its task was canceled


class CodeFolders:
    """Tasks of one folder run side by side; a task of another folder waits until they end, first come, first served.

    The first task to enter a folder finds no module of the workspace loaded: what was uploaded last is what runs.
    """

    def __init__(self, workspace: Path) -> None:
        self._workspace = workspace.resolve()
        self._folder: Path | None = None
        self._inside = 0
        self._queue: deque[object] = deque()
        self._changed = threading.Condition()

    @contextmanager
    def imports_from(self, folder: Path) -> Iterator[None]:
        self._enter(folder)
        try:
            yield
        finally:
            with self._changed:
                self._inside -= 1
                self._changed.notify_all()

    def _enter(self, folder: Path) -> None:
        ticket = object()
        with self._changed:
            self._queue.append(ticket)
            try:
                while not (self._queue[0] is ticket and (self._inside == 0 or self._folder == folder)):
                    self._changed.wait(CANCEL_CHECK_SECONDS)
                if self._inside == 0:
                    self._switch_to(folder)
                self._inside += 1
            finally:
                self._queue.remove(ticket)
                self._changed.notify_all()

    def _switch_to(self, folder: Path) -> None:
        for name, module in list(sys.modules.items()):
            if self._is_of_workspace(module):
                del sys.modules[name]
        sys.path[:] = [str(folder), *(entry for entry in sys.path if entry != str(self._folder))]
        importlib.invalidate_caches()
        self._folder = folder

    def _is_of_workspace(self, module: object) -> bool:
        places = [getattr(module, "__file__", None), *getattr(module, "__path__", ())]
        return any(place and self._workspace in Path(place).resolve().parents for place in places)

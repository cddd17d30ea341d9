"""Every task imports from its own workspace folder, although all share one process and one ``sys.modules``."""

from __future__ import annotations

import builtins
import contextvars
import importlib
import sys
import threading
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from types import ModuleType
from typing import Any

_folder: contextvars.ContextVar[Path | None] = contextvars.ContextVar("code_folder", default=None)


class CodeFolders:
    """Keeps the modules of each workspace folder apart.

    Whatever a task imports, at its start or later, in its own thread or in one it started, comes from its folder:
    before each import statement of a task, the modules of its folder replace those of another. The first task to enter
    a folder finds none of them loaded, so the latest upload is what runs. ``importlib.import_module`` inside a function
    is not covered when tasks of two folders run at the same time.
    """

    def __init__(self, workspace: Path) -> None:
        self._prefix = f"{workspace.resolve()}/"
        self._active: Path | None = None
        self._modules: dict[Path, dict[str, ModuleType]] = {}
        self._inside: Counter[Path] = Counter()
        self._lock = threading.RLock()

    def install(self) -> None:
        """Intercept every import statement of this process."""
        plain_import = builtins.__import__

        def import_from_folder(*arguments: Any, **named: Any) -> Any:
            folder = _folder.get()
            if folder is None:
                return plain_import(*arguments, **named)
            with self._lock:
                self._activate(folder)
                return plain_import(*arguments, **named)

        builtins.__import__ = import_from_folder

    @contextmanager
    def imports_from(self, folder: Path) -> Iterator[None]:
        with self._lock:
            if self._inside[folder] == 0:
                self._activate(None)
                self._modules.pop(folder, None)
                importlib.invalidate_caches()
            self._inside[folder] += 1
        token = _folder.set(folder)
        try:
            yield
        finally:
            _folder.reset(token)
            with self._lock:
                self._inside[folder] -= 1

    def _activate(self, folder: Path | None) -> None:
        """Switch ``sys`` to the modules and the path of that folder. If interrupted, it shows no folder's modules."""
        if folder == self._active:
            return
        left, self._active = self._active, None
        loaded = {name: module for name, module in [*sys.modules.items()] if self._is_of_workspace(module)}
        for name in loaded:
            del sys.modules[name]
        if left is not None:
            self._modules[left] = loaded
        sys.path[:] = [entry for entry in sys.path if not f"{entry}/".startswith(self._prefix)]
        if folder is not None:
            sys.modules.update(self._modules.get(folder, {}))
            sys.path.insert(0, str(folder))
        self._active = folder

    def _is_of_workspace(self, module: ModuleType) -> bool:
        places = [getattr(module, "__file__", None), *getattr(module, "__path__", ())]
        return any(isinstance(place, str) and f"{place}/".startswith(self._prefix) for place in places)

"""``dbutils`` as a job's notebook sees it: widgets, secrets, exit, and of ``fs`` only the (empty) list of mounts."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import NoReturn


class NotebookExit(BaseException):
    """``dbutils.notebook.exit``. Not an Exception, so that the notebook's own handlers cannot catch it."""

    def __init__(self, value: str) -> None:
        self.value = value


class Widgets:
    """A widget's value is the run's parameter of that name, else its default. A parameter needs no widget."""

    def __init__(self, parameters: Mapping[str, str]) -> None:
        self._parameters = parameters
        self._defaults: dict[str, str] = {}

    def text(self, name: str, defaultValue: str = "", label: str | None = None) -> None:
        self._defaults[name] = defaultValue

    def dropdown(self, name: str, defaultValue: str, choices: Sequence[str], label: str | None = None) -> None:
        self._defaults[name] = defaultValue

    combobox = multiselect = dropdown

    def get(self, name: str) -> str:
        values = self.getAll()
        if name not in values:
            raise ValueError(f"InputWidgetNotDefined: No input widget named {name} is defined")
        return values[name]

    def getAll(self) -> dict[str, str]:
        return {**self._defaults, **self._parameters}

    def getArgument(self, name: str, defaultValue: str = "") -> str:
        return self.getAll().get(name, defaultValue)

    def remove(self, name: str) -> None:
        self._defaults.pop(name, None)

    def removeAll(self) -> None:
        self._defaults.clear()


class Secrets:
    def __init__(self, scopes: Mapping[str, Mapping[str, str]]) -> None:
        self._scopes = scopes

    def get(self, scope: str, key: str) -> str:
        if scope not in self._scopes:
            raise ValueError(f"Secret does not exist with scope: {scope} and key: {key} (scopes: {[*self._scopes]})")
        if key not in self._scopes[scope]:
            raise ValueError(f"Secret does not exist with scope: {scope} and key: {key}")
        return self._scopes[scope][key]

    def getBytes(self, scope: str, key: str) -> bytes:
        return self.get(scope, key).encode()


class Notebook:
    def exit(self, value: object) -> NoReturn:
        raise NotebookExit(str(value))


class FileSystem:
    def mounts(self) -> list[object]:
        return []

    def mount(self, source: str, mount_point: str, *args: object, **kwargs: object) -> NoReturn:
        raise NotImplementedError(f"The lab has no mounts: read {source} through s3a:// (storage 'secret_scope')")

    def unmount(self, mount_point: str) -> NoReturn:
        raise ValueError(f"Directory not mounted: {mount_point}")


class DBUtils:
    def __init__(self, parameters: Mapping[str, str], scopes: Mapping[str, Mapping[str, str]]) -> None:
        self.widgets = Widgets(parameters)
        self.secrets = Secrets(scopes)
        self.notebook = Notebook()
        self.fs = FileSystem()

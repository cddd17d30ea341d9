"""Folders and files of a Databricks workspace."""

from __future__ import annotations

import base64
from typing import Any

from airflow.providers.databricks.exceptions import DatabricksApiError

from pinterest.hooks.databricks_api import DatabricksApiHook

NOT_FOUND = 404


class DatabricksWorkspaceHook(DatabricksApiHook):
    """Lists, makes, fills and deletes workspace folders."""

    def list_folder(self, path: str) -> set[str]:
        """Paths of everything below a folder; a notebook has no suffix. Empty if the folder does not exist."""
        objects = self._objects(path)
        found = {str(item["path"]) for item in objects if item["object_type"] != "DIRECTORY"}
        for item in objects:
            if item["object_type"] == "DIRECTORY":
                found |= self.list_folder(item["path"])
        return found

    def children(self, path: str) -> list[str]:
        """Paths of what is directly in a folder. Empty if the folder does not exist."""
        return [str(item["path"]) for item in self._objects(path)]

    def delete(self, path: str, *, recursive: bool = False) -> None:
        """Delete an object, or a folder with all that is in it. One that is gone is no error."""
        try:
            self.call("POST", "2.0/workspace/delete", {"path": path, "recursive": recursive})
        except DatabricksApiError as error:
            if error.http_status_code != NOT_FOUND:
                raise

    def make_folder(self, path: str) -> None:
        """Make a folder and its parents. One that exists is left as it is."""
        self.call("POST", "2.0/workspace/mkdirs", {"path": path})

    def import_notebook(self, path: str, source: bytes) -> None:
        """Write a Python notebook. One that exists is replaced."""
        self._import(path, source, {"format": "SOURCE", "language": "PYTHON"})

    def import_file(self, path: str, content: bytes) -> None:
        """Write a file. One that exists is replaced."""
        self._import(path, content, {"format": "AUTO"})

    def _import(self, path: str, content: bytes, kind: dict[str, str]) -> None:
        encoded = base64.b64encode(content).decode()
        self.call("POST", "2.0/workspace/import", {"path": path, "content": encoded, "overwrite": True, **kind})

    def _objects(self, path: str) -> list[dict[str, Any]]:
        try:
            return list(self.call("GET", "2.0/workspace/list", {"path": path}).get("objects", []))
        except DatabricksApiError as error:
            if error.http_status_code == NOT_FOUND:
                return []
            raise

"""Databricks workspace files and the parts of the Jobs API that the provider's hook leaves out."""

from __future__ import annotations

import base64
from collections.abc import Iterator
from typing import Any

from airflow.providers.databricks.exceptions import DatabricksApiError
from airflow.providers.databricks.hooks.databricks import DatabricksHook

MKDIRS = ("POST", "2.0/workspace/mkdirs")
IMPORT = ("POST", "2.0/workspace/import")
LIST = ("GET", "2.0/workspace/list")
LIST_RUNS = ("GET", "2.2/jobs/runs/list")

RUNS_A_PAGE = 25


class DatabricksWorkspaceHook(DatabricksHook):
    """The provider's hook, with workspace folders and the list of a job's runs."""

    def list_folder(self, path: str) -> set[str]:
        """Paths of everything below a folder; a notebook has no suffix. Empty where the folder does not exist."""
        try:
            objects = self._do_api_call(LIST, {"path": path}).get("objects", [])
        except DatabricksApiError as error:
            if error.http_status_code == 404:
                return set()
            raise
        found = {str(item["path"]) for item in objects if item["object_type"] != "DIRECTORY"}
        for item in objects:
            if item["object_type"] == "DIRECTORY":
                found |= self.list_folder(item["path"])
        return found

    def make_folder(self, path: str) -> None:
        """Its parents, too; one that exists is left alone."""
        self._do_api_call(MKDIRS, {"path": path})

    def import_notebook(self, path: str, source: bytes) -> None:
        self._import(path, source, {"format": "SOURCE", "language": "PYTHON"})

    def import_file(self, path: str, content: bytes) -> None:
        self._import(path, content, {"format": "AUTO"})

    def active_runs(self, job_id: int) -> Iterator[dict[str, Any]]:
        """Runs of a job that have not ended, newest first."""
        query: dict[str, Any] = {"job_id": job_id, "active_only": "true", "limit": RUNS_A_PAGE}
        while True:
            page = self._do_api_call(LIST_RUNS, query)
            yield from page.get("runs", [])
            if not page.get("next_page_token"):
                return
            query = {**query, "page_token": page["next_page_token"]}

    def _import(self, path: str, content: bytes, kind: dict[str, str]) -> None:
        encoded = base64.b64encode(content).decode()
        self._do_api_call(IMPORT, {"path": path, "content": encoded, "overwrite": True, **kind})

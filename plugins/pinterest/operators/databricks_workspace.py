"""Operator that puts the project's notebooks into the Databricks workspace."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from airflow.providers.common.compat.sdk import BaseOperator, Context

from include.lake.code_bundle import CodeBundle
from pinterest.hooks.databricks_workspace import DatabricksWorkspaceHook


class UploadCodeOperator(BaseOperator):
    """Upload the notebooks and their library to a workspace folder. Returns the folder.

    The folder is named after a hash of its content, so a file that exists there is up to date: a rerun imports only
    missing files.

    :param folder: the folder is made below this one (templated)
    :param bundle: the code, as it was when the DAG was parsed
    """

    template_fields: Sequence[str] = ("folder",)

    def __init__(
        self, *, folder: str, bundle: CodeBundle, databricks_conn_id: str = "databricks_default", **kwargs: Any
    ) -> None:
        super().__init__(**kwargs)
        self.folder = folder
        self.bundle = bundle
        self.databricks_conn_id = databricks_conn_id

    def execute(self, context: Context) -> str:
        hook = DatabricksWorkspaceHook(self.databricks_conn_id)
        folder = f"{self.folder}/{self.bundle.content_hash}"
        existing = hook.list_folder(folder)
        missing = [file for file in self.bundle.files if f"{folder}/{file.path}" not in existing]
        if not missing:
            self.log.info("%s is complete: %d files", folder, len(self.bundle.files))
            return folder
        for path in (folder, *(f"{folder}/{name}" for name in self.bundle.folders)):
            hook.make_folder(path)
        for file in missing:
            content = file.source.read_bytes()
            if file.notebook:
                hook.import_notebook(f"{folder}/{file.path}", content)
            else:
                hook.import_file(f"{folder}/{file.path}", content)
        self.log.info("%s: %d of %d files imported", folder, len(missing), len(self.bundle.files))
        return folder

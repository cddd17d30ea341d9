"""Databricks workspace files, SQL, and the parts of the Jobs API that the provider's hook leaves out."""

from __future__ import annotations

import base64
import time
from collections.abc import Iterator
from typing import Any

from airflow.providers.databricks.exceptions import DatabricksApiError
from airflow.providers.databricks.hooks.databricks import DatabricksHook

MKDIRS = ("POST", "2.0/workspace/mkdirs")
IMPORT = ("POST", "2.0/workspace/import")
LIST = ("GET", "2.0/workspace/list")
DELETE_JOB = ("POST", "2.2/jobs/delete")
LIST_RUNS = ("GET", "2.2/jobs/runs/list")
LIST_WAREHOUSES = ("GET", "2.0/sql/warehouses")
STATEMENTS = "2.0/sql/statements"

RUNS_A_PAGE = 25
WAIT_SECONDS = 30
POLL_SECONDS = 1


class SqlError(RuntimeError):
    """A statement did not give its rows. The message holds the warehouse's own."""


class DatabricksWorkspaceHook(DatabricksHook):
    """The provider's hook, with workspace folders, a job's runs, and SQL on a warehouse."""

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

    def newest_run(self, job_id: int) -> dict[str, Any] | None:
        """The job's run that was started last, active or ended."""
        runs = self._do_api_call(LIST_RUNS, {"job_id": job_id, "limit": 1}).get("runs", [])
        return dict(runs[0]) if runs else None

    def job_of_name(self, name: str, settings: dict[str, Any]) -> int:
        """The one job of this name, made or brought to these settings.

        Names need not be unique, so two that find none at once both make one: the older stays, for both.
        """
        jobs = self.list_jobs(job_name=name)
        if not jobs:
            made = self.create_job(settings)
            jobs = self.list_jobs(job_name=name)
            job_id = _oldest(jobs) if jobs else made
            if job_id != made:
                self._do_api_call(DELETE_JOB, {"job_id": made})
            return job_id
        job_id = _oldest(jobs)
        self.reset_job(str(job_id), settings)
        return job_id

    def failure_of(self, run_id: int) -> str:
        """What a run that went wrong says: the error of its notebook where there is one. Its trace goes to the log."""
        run = self.get_run(run_id)
        state = run["state"]
        said = state.get("state_message") or "it gave no reason"
        for task in reversed(run.get("tasks") or []):
            try:
                output = self.get_run_output(task["run_id"])
            except DatabricksApiError as error:
                self.log.warning("No output of run %s: %s", task["run_id"], error)
                continue
            if output.get("error_trace"):
                self.log.error("%s", output["error_trace"])
            if output.get("error"):
                said = output["error"]
                break
        return f"{state.get('result_state') or state['life_cycle_state']}: {said}"

    def query(self, statement: str, *, warehouse_id: str | None = None, timeout: float = 300) -> list[list[str | None]]:
        """The rows of a statement, every value as the warehouse prints it. Without an id, its first warehouse answers.

        Raises SqlError if the statement fails, is still running after ``timeout`` seconds, or has more rows than a
        warehouse hands out.
        """
        request = {
            "warehouse_id": warehouse_id or self._first_warehouse(),
            "statement": statement,
            "wait_timeout": f"{WAIT_SECONDS}s",
            "on_wait_timeout": "CONTINUE",
            "disposition": "INLINE",
            "format": "JSON_ARRAY",
        }
        deadline = time.monotonic() + timeout
        answer = self._do_api_call(("POST", STATEMENTS), request)
        while answer["status"]["state"] in ("PENDING", "RUNNING"):
            if time.monotonic() > deadline:
                self.cancel_sql_statement(answer["statement_id"])
                raise SqlError(f"No answer within {timeout:g} s, cancelled: {statement}")
            time.sleep(POLL_SECONDS)
            answer = self._do_api_call(("GET", f"{STATEMENTS}/{answer['statement_id']}"))
        status = answer["status"]
        if status["state"] != "SUCCEEDED":
            said = status.get("error", {}).get("message") or "the warehouse gave no reason"
            raise SqlError(f"{status['state']}: {said}: {statement}")
        if answer["manifest"].get("truncated"):
            raise SqlError(f"More rows than the warehouse hands out: {statement}")
        return self._all_chunks(answer)

    def _all_chunks(self, answer: dict[str, Any]) -> list[list[str | None]]:
        chunk = answer.get("result") or {}
        rows: list[list[str | None]] = chunk.get("data_array") or []
        while chunk.get("next_chunk_index") is not None:
            address = f"{STATEMENTS}/{answer['statement_id']}/result/chunks/{chunk['next_chunk_index']}"
            chunk = self._do_api_call(("GET", address))
            rows += chunk.get("data_array") or []
        return rows

    def _first_warehouse(self) -> str:
        warehouses = self._do_api_call(LIST_WAREHOUSES).get("warehouses") or []
        if not warehouses:
            raise SqlError("The workspace has no SQL warehouse: make one, or set databricks.warehouse_id")
        return str(warehouses[0]["id"])

    def _import(self, path: str, content: bytes, kind: dict[str, str]) -> None:
        encoded = base64.b64encode(content).decode()
        self._do_api_call(IMPORT, {"path": path, "content": encoded, "overwrite": True, **kind})


def _oldest(jobs: list[dict[str, Any]]) -> int:
    return int(min(jobs, key=lambda job: (job["created_time"], job["job_id"]))["job_id"])

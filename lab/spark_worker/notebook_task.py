"""A notebook as a unit of work: its imports, its log, its secrets, its result."""

from __future__ import annotations

import re
import traceback
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from py4j.protocol import Py4JJavaError
from pyspark.sql import SparkSession

from lab.spark_worker.code_folders import CodeFolders
from lab.spark_worker.dbutils import DBUtils
from lab.spark_worker.notebook import NotebookNotFound, NotebookRun, find_notebook
from lab.spark_worker.output import Redactor, TaskLog
from lab.spark_worker.streaming import add_sources, stop_queries
from lab.spark_worker.work import Work
from lab.state import State, read_object

SCOPE = "pinterest"
SCOPE_KEYS = {"aws_access_key_id": "databricks_access_key_id", "aws_secret_access_key": "aws_secret_access_key"}
RESULT_LIMIT = 5 * 1024 * 1024
ERROR_LIMIT = 20_000
OURS = Path(__file__).parent
LOG_NAME = re.compile(r"^[\w.-]{1,120}$")


class NotebookTask(Work):
    """``parameters`` are the widgets' values. ``log`` names a file in ``<state>/logs/databricks``."""

    def __init__(
        self,
        id: str,
        base: SparkSession,
        state: State,
        folders: CodeFolders,
        path: str,
        parameters: dict[str, str],
        log: str,
    ) -> None:
        if not LOG_NAME.match(log):
            raise ValueError(f"log: {log!r} is not a plain file name")
        super().__init__(id, base)
        self._workspace = state.path("workspace")
        self._folders = folders
        self._path = path
        self._parameters = parameters
        self._secrets = scope(state)
        self._redact = Redactor(self._secrets.values())
        self._log = TaskLog(state.path("logs", "databricks", log), self._redact)
        self._result: str | None = None
        self._error: dict[str, str] | None = None

    @contextmanager
    def surroundings(self) -> Iterator[None]:
        self._log.capture()
        try:
            with self._folders.imports_from(find_notebook(self._workspace, self._path).parent):
                yield
        except Exception as error:
            self._log.write(describe(error)[1])
            raise
        finally:
            self._log.close()

    def execute(self, session: SparkSession) -> None:
        add_sources(session)
        dbutils = DBUtils(self._parameters, {SCOPE: self._secrets})
        try:
            self._result = NotebookRun(self._workspace, self._path, session, dbutils).run()
        finally:
            stop_queries(session)

    def interrupt(self, session: SparkSession) -> None:
        super().interrupt(session)
        stop_queries(session)

    def failed(self, error: BaseException) -> None:
        message, trace = (self._redact(text) for text in describe(error))
        self._error = {"error": message, "error_trace": trace}
        if isinstance(error, NotebookNotFound):
            self._error["not_found"] = str(error)

    def view(self) -> dict[str, Any]:
        result = None if self._result is None else self._redact(self._result)
        return {
            "state": self.state,
            "started": self.started,
            "ended": self.ended,
            "result": result and result[:RESULT_LIMIT],
            "truncated": len(result or "") > RESULT_LIMIT,
            **(self._error or {}),
        }


def scope(state: State) -> dict[str, str]:
    secrets = read_object(state.path("secrets.json"))
    return {key: secrets[secret] for key, secret in SCOPE_KEYS.items() if secret in secrets}


def describe(error: BaseException) -> tuple[str, str]:
    """The error in a few lines, and its traceback without our own frames and Java's."""
    reason = str(error)
    if isinstance(error, Py4JJavaError):
        reason = str(error.java_exception.toString())
    message = f"{type(error).__name__}: {reason}".split("\n\nJVM stacktrace:")[0][:ERROR_LIMIT]
    tb = error.__traceback__
    while tb is not None and OURS in Path(tb.tb_frame.f_code.co_filename).parents:
        tb = tb.tb_next
    frames = "".join(traceback.format_tb(tb))
    heading = "Traceback (most recent call last):\n" if frames else ""
    return message, f"{heading}{frames}{message}\n"

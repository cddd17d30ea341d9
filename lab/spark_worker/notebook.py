"""Runs a notebook in Databricks source format (``# Databricks notebook source``), cell by cell, in one namespace."""

from __future__ import annotations

import linecache
import re
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from typing import Any

from lab.spark_worker.dbutils import DBUtils, NotebookExit

HEADER = "# Databricks notebook source"
CELL = re.compile(r"^# COMMAND -+[ \t]*\n", re.MULTILINE)
MAGIC = re.compile(r"^# MAGIC ?", re.MULTILINE)


class NotebookNotFound(Exception):
    """There is no notebook at that path of the workspace."""


@dataclass(frozen=True)
class Cell:
    """``language`` is python, sql, md, run, …; ``line`` is the notebook line where the cell starts, counted from 0."""

    language: str
    text: str
    line: int


def find_notebook(workspace: Path, path: str) -> Path:
    file = (workspace / path.lstrip("/")).resolve()
    if workspace.resolve() not in file.parents or not file.is_file():
        raise NotebookNotFound(
            f'Unable to access the notebook "{path}". Either it does not exist, or the identity used to run this job '
            "lacks the required permissions."
        )
    return file


def split_cells(source: str, path: str) -> list[Cell]:
    if not source.startswith(HEADER):
        raise NotebookNotFound(f'"{path}" is a file, not a notebook: its first line is not {HEADER!r}')
    cells, line = [], 0
    for text in CELL.split(source):
        cells.append(_cell(text, line))
        line += text.count("\n") + 1
    return cells


def _cell(text: str, line: int) -> Cell:
    magic = [row for row in text.splitlines() if row.startswith("# MAGIC")]
    if not magic:
        return Cell("python", text, line)
    body = MAGIC.sub("", "\n".join(magic))
    name = re.match(r"\s*%(\w+)[ \t]*", body)
    if name is None:
        return Cell("python", body, line)
    return Cell(name[1], body[name.end() :].strip(), line)


class NotebookRun:
    """One run of a notebook. ``run()`` returns the value passed to ``dbutils.notebook.exit``, or None."""

    def __init__(self, workspace: Path, path: str, spark: Any, dbutils: DBUtils) -> None:
        self._workspace = workspace
        self._path = path
        self._spark = spark
        self._names: dict[str, Any] = {
            "__name__": "__main__",
            "spark": spark,
            "sc": spark.sparkContext,
            "dbutils": dbutils,
            "display": display,
            "displayHTML": display,
        }

    def run(self) -> str | None:
        try:
            self._run_cells(self._path)
        except NotebookExit as exit:
            return exit.value
        return None

    def _run_cells(self, path: str) -> None:
        source = find_notebook(self._workspace, path).read_text(encoding="utf-8")
        linecache.cache[path] = (len(source), None, source.splitlines(keepends=True), path)
        for cell in split_cells(source, path):
            match cell.language:
                case "python":
                    exec(compile("\n" * cell.line + cell.text, path, "exec"), self._names)
                case "sql":
                    self._names["_sqldf"] = self._spark.sql(cell.text.rstrip().removesuffix(";"))
                    display(self._names["_sqldf"])
                case "run":
                    self._run_cells(_relative(path, cell.text))
                case "md":
                    pass
                case other:
                    raise NotImplementedError(f"%{other} in {path}, line {cell.line + 1}: the lab does not run it")


def _relative(path: str, target: str) -> str:
    """``./setup``, relative to ``/Shared/jobs/load``, is ``/Shared/jobs/setup``."""
    parts: list[str] = []
    for part in (PurePosixPath(path).parent / target.strip("\"' ")).parts[1:]:
        if part == "..":
            parts = parts[:-1]
        elif part != ".":
            parts.append(part)
    return "/" + "/".join(parts)


def display(value: Any, *args: object) -> None:
    if hasattr(value, "show"):
        if value.columns:
            value.show(20, truncate=False)
    else:
        print(value)

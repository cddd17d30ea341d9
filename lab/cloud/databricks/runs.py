"""Jobs and runs, kept on disk: all of them in ``databricks.json``, each task's output in ``databricks_output/``."""

from __future__ import annotations

import json
import time
from collections.abc import Iterator
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

from lab.state import read_object, write_private

KEPT_RUNS = 200
FIRST_ID = 1001
TERMINAL = ("TERMINATED", "INTERNAL_ERROR", "SKIPPED")


def now() -> int:
    return int(time.time() * 1000)


@dataclass
class TaskRun:
    """One attempt of a task. ``work`` is its id at the worker; ``accepted``: the worker has taken it. ``code`` says why
    it ended, if its result does not."""

    run_id: int
    spec: dict[str, Any]
    work: str
    attempt: int = 0
    state: str = "BLOCKED"
    result: str = ""
    message: str = ""
    code: str = ""
    accepted: bool = False
    start_time: int = field(default_factory=now)
    end_time: int = 0

    @property
    def key(self) -> str:
        return str(self.spec["task_key"])

    @property
    def upstream(self) -> list[str]:
        return [dependency["task_key"] for dependency in self.spec.get("depends_on") or []]

    @property
    def terminal(self) -> bool:
        return self.state in TERMINAL

    @property
    def log(self) -> str:
        return f"run-{self.run_id}.log"


@dataclass
class Run:
    """``settings`` is the job as it was when the run started; ``attempts`` holds every attempt of every task."""

    run_id: int
    job_id: int
    run_type: str
    settings: dict[str, Any]
    parameters: dict[str, str]
    attempts: list[TaskRun]
    token: str = ""
    state: str = "PENDING"
    result: str = ""
    message: str = ""
    canceled: bool = False
    start_time: int = field(default_factory=now)
    end_time: int = 0
    looks: int = 0
    repairs: list[dict[str, Any]] = field(default_factory=list)

    @property
    def name(self) -> str:
        return self.settings.get("name") or self.settings.get("run_name") or "Untitled"

    @property
    def terminal(self) -> bool:
        return self.state in TERMINAL

    @property
    def tasks(self) -> list[TaskRun]:
        """The latest attempt of each task, in the job's order."""
        return list({task.key: task for task in self.attempts}.values())

    @classmethod
    def from_json(cls, value: dict[str, Any]) -> Run:
        return cls(**{**value, "attempts": [TaskRun(**attempt) for attempt in value["attempts"]]})


class RunStore:
    """Every change is on disk when ``save`` returns; a reader of the file sees the old content or the new."""

    def __init__(self, folder: Path) -> None:
        self._file = folder / "databricks.json"
        self._outputs = folder / "databricks_output"
        self._outputs.mkdir(parents=True, exist_ok=True)
        kept = read_object(self._file)
        self._next_id: int = kept.get("next_id", FIRST_ID)
        self.jobs: dict[int, dict[str, Any]] = {job["job_id"]: job for job in kept.get("jobs", [])}
        self.runs: dict[int, Run] = {run["run_id"]: Run.from_json(run) for run in kept.get("runs", [])}

    def new_id(self) -> int:
        self._next_id += 1
        return self._next_id - 1

    def save(self) -> None:
        self._forget_oldest()
        content = {
            "next_id": self._next_id,
            "jobs": list(self.jobs.values()),
            "runs": [asdict(run) for run in self.runs.values()],
        }
        write_private(self._file, json.dumps(content))

    def remove(self, run: Run) -> None:
        for attempt in run.attempts:
            self._output(attempt).unlink(missing_ok=True)
        del self.runs[run.run_id]

    def _forget_oldest(self) -> None:
        ended = [run for run in self.runs.values() if run.terminal]
        for run in ended[: max(0, len(ended) - KEPT_RUNS)]:
            self.remove(run)

    def attempts(self) -> Iterator[tuple[Run, TaskRun]]:
        for run in self.runs.values():
            for attempt in run.attempts:
                yield run, attempt

    def find(self, run_id: int) -> tuple[Run, TaskRun | None] | None:
        """The run with that id, or the run and the attempt if the id is an attempt's."""
        if run_id in self.runs:
            return self.runs[run_id], None
        return next(((run, attempt) for run, attempt in self.attempts() if attempt.run_id == run_id), None)

    def write_output(self, task: TaskRun, output: dict[str, Any]) -> None:
        write_private(self._output(task), json.dumps(output))

    def read_output(self, task: TaskRun) -> dict[str, Any]:
        return read_object(self._output(task))

    def _output(self, task: TaskRun) -> Path:
        return self._outputs / f"{task.run_id}.json"

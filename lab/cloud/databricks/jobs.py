"""Jobs API 2.2: jobs, their runs, and the output of a run."""

from __future__ import annotations

import itertools
import uuid
from collections.abc import Callable, Iterable
from graphlib import CycleError, TopologicalSorter
from typing import Any

from lab.cloud.databricks.api import Arguments, Routes, flag, invalid, missing, number, required
from lab.cloud.databricks.runner import Runner, as_text
from lab.cloud.databricks.runs import Run, RunStore, TaskRun, now

LOOKS_BEFORE_END = 2
HELD_MS = 5000
SINGLE_TASK_KEYS = ("notebook_task", "timeout_seconds")
EXPANDED = ("tasks", "job_clusters")
STATUS = {"INTERNAL_ERROR": "TERMINATED", "SKIPPED": "TERMINATED"}
TERMINATION = {
    "SUCCESS": ("SUCCESS", "SUCCESS"),
    "CANCELED": ("USER_CANCELED", "CLIENT_ERROR"),
    "TIMEDOUT": ("RUN_EXECUTION_ERROR", "CLIENT_ERROR"),
    "MAXIMUM_CONCURRENT_RUNS_REACHED": ("MAX_CONCURRENT_RUNS_EXCEEDED", "CLIENT_ERROR"),
}
OF_THE_PLATFORM = ("DRIVER_ERROR", "INTERNAL_ERROR")


class JobsApi:
    """``address`` is the base URL of the run pages."""

    def __init__(self, store: RunStore, runner: Runner, address: str) -> None:
        self._store = store
        self._runner = runner
        self._address = address

    def register(self, routes: Routes) -> None:
        operations: dict[str, Callable[[Arguments], Any]] = {
            "POST create": self.create,
            "POST reset": self.reset,
            "POST update": self.update,
            "POST delete": self.delete,
            "GET get": self.get,
            "GET list": self.list,
            "POST run-now": self.run_now,
            "POST runs/submit": self.submit,
            "GET runs/get": self.get_run,
            "GET runs/get-output": self.get_output,
            "GET runs/list": self.list_runs,
            "POST runs/cancel": self.cancel,
            "POST runs/cancel-all": self.cancel_all,
            "POST runs/repair": self.repair,
            "POST runs/delete": self.delete_run,
        }
        for version, (name, operation) in itertools.product(("2.2", "2.1"), operations.items()):
            method, path = name.split()
            routes.add(method, f"{version}/jobs/{path}", operation)

    # jobs

    def create(self, arguments: Arguments) -> dict[str, Any]:
        settings = checked_settings(arguments)
        job_id = self._store.new_id()
        self._store.jobs[job_id] = {
            "job_id": job_id,
            "creator_user_name": "lab",
            "created_time": now(),
            "settings": settings,
        }
        self._store.save()
        return {"job_id": job_id}

    def reset(self, arguments: Arguments) -> dict[str, Any]:
        job = self._job(arguments)
        job["settings"] = checked_settings(required(arguments, "new_settings"))
        self._store.save()
        return {}

    def update(self, arguments: Arguments) -> dict[str, Any]:
        job = self._job(arguments)
        changed = job["settings"] | (arguments.get("new_settings") or {})
        for name in arguments.get("fields_to_remove") or []:
            changed.pop(name, None)
        job["settings"] = checked_settings(changed)
        self._store.save()
        return {}

    def delete(self, arguments: Arguments) -> dict[str, Any]:
        job = self._job(arguments)
        self.cancel_all({"job_id": job["job_id"]})
        del self._store.jobs[job["job_id"]]
        self._store.save()
        return {}

    def get(self, arguments: Arguments) -> dict[str, Any]:
        return self._job(arguments)

    def list(self, arguments: Arguments) -> dict[str, Any]:
        """Newest first. ``name`` matches exactly, ignoring case. Tasks are listed only with ``expand_tasks``."""
        name = str(arguments.get("name") or "").lower()
        jobs = [job for job in reversed(self._store.jobs.values()) if name in ("", job["settings"]["name"].lower())]
        page = self._page(jobs, arguments, most=100)
        if not flag(arguments, "expand_tasks"):
            for place, job in enumerate(page.get("items", [])):
                settings = {key: value for key, value in job["settings"].items() if key not in EXPANDED}
                page["items"][place] = job | {"settings": settings}
        return renamed(page, "jobs")

    # runs

    def run_now(self, arguments: Arguments) -> dict[str, Any]:
        job = self._job(arguments)
        parameters = {p["name"]: p.get("default", "") for p in job["settings"].get("parameters") or []}
        parameters |= checked_parameters(arguments, "job_parameters") | checked_parameters(arguments, "notebook_params")
        run = self._begin(job["job_id"], "JOB_RUN", job["settings"], parameters, arguments)
        return {"run_id": run.run_id, "number_in_job": run.run_id}

    def submit(self, arguments: Arguments) -> dict[str, Any]:
        settings = {"name": arguments.get("run_name") or "Untitled", "timeout_seconds": 0} | arguments
        if not settings.get("tasks"):
            task = {key: settings.pop(key) for key in SINGLE_TASK_KEYS if key in settings}
            settings["tasks"] = [{"task_key": settings["name"], **task}]
        run = self._begin(0, "SUBMIT_RUN", checked_settings(settings), {}, arguments)
        return {"run_id": run.run_id}

    def _begin(
        self, job_id: int, run_type: str, settings: dict[str, Any], parameters: dict[str, str], arguments: Arguments
    ) -> Run:
        """The run for this request. A repeated idempotency token returns the earlier request's run."""
        token = arguments.get("idempotency_token") or ""
        if len(token) > 64:
            raise invalid(f"idempotency_token: {len(token)} characters, at most 64 are allowed")
        earlier = [run for run in self._store.runs.values() if token and run.token == token]
        if earlier:
            return earlier[0]
        if not settings["tasks"]:
            raise invalid("tasks: the job has none")
        run = Run(
            run_id=self._store.new_id(),
            job_id=job_id or self._store.new_id(),
            run_type=run_type,
            settings=settings,
            parameters=parameters,
            attempts=[self._attempt(spec, 0) for spec in settings["tasks"]],
            token=token,
        )
        self._store.runs[run.run_id] = run
        self._runner.start(run)
        self._store.save()
        return run

    def _attempt(self, spec: dict[str, Any], attempt: int) -> TaskRun:
        return TaskRun(run_id=self._store.new_id(), spec=spec, work=uuid.uuid4().hex, attempt=attempt)

    def get_run(self, arguments: Arguments) -> dict[str, Any]:
        run, task = self._find(arguments)
        if task is not None:
            return self._view(run, [task]) | self._task_view(run, task)
        ended = run.terminal and run.state != "SKIPPED"
        if ended and run.looks < LOOKS_BEFORE_END and now() - run.start_time < HELD_MS:
            view = self._view(run, run.tasks) | {"state": state_view("RUNNING", "", ""), "end_time": 0}
        else:
            view = self._view(run, run.attempts if flag(arguments, "include_history") else run.tasks)
        run.looks += 1
        if flag(arguments, "include_history"):
            first = [task.run_id for task in run.attempts if task.attempt == 0]
            original = {"type": "ORIGINAL", "start_time": run.start_time, "task_run_ids": first}
            view["repair_history"] = [original, *run.repairs]
        return view

    def get_output(self, arguments: Arguments) -> dict[str, Any]:
        run, task = self._find(arguments)
        if task is None:
            if len(run.tasks) > 1:
                raise invalid(
                    "Retrieving the output of runs with multiple tasks is not supported. Please retrieve the output of "
                    "each individual task run instead."
                )
            task = run.tasks[0]
        kept = self._store.read_output(task)
        output = {"metadata": self._view(run, [task]) | self._task_view(run, task)}
        if kept.get("result") is not None:
            output["notebook_output"] = {"result": kept["result"], "truncated": kept.get("truncated", False)}
        elif task.result == "SUCCESS":
            output["notebook_output"] = {}
        return output | {key: kept[key] for key in ("error", "error_trace") if key in kept}

    def list_runs(self, arguments: Arguments) -> dict[str, Any]:
        """Newest first."""
        job_id = number(arguments, "job_id", 0)
        runs = [run for run in reversed(self._store.runs.values()) if job_id in (0, run.job_id)]
        if flag(arguments, "active_only"):
            runs = [run for run in runs if not run.terminal]
        if flag(arguments, "completed_only"):
            runs = [run for run in runs if run.terminal]
        page = self._page(runs, arguments, most=25)
        views = [self._view(run, run.tasks) for run in page.get("items", [])]
        if not flag(arguments, "expand_tasks"):
            for view in views:
                del view["tasks"]
        return renamed(page | {"items": views} if views else page, "runs")

    def cancel(self, arguments: Arguments) -> dict[str, Any]:
        self._runner.cancel(*self._find(arguments))
        return {}

    def cancel_all(self, arguments: Arguments) -> dict[str, Any]:
        job_id = number(arguments, "job_id")
        for run in [run for run in self._store.runs.values() if run.job_id == job_id]:
            self._runner.cancel(run)
        return {}

    def repair(self, arguments: Arguments) -> dict[str, Any]:
        """Rerun tasks of an ended run: the named ones, or all that failed or were skipped because of a failure."""
        run, task = self._find(arguments)
        if task is not None or not run.terminal:
            raise invalid(f"run_id: {arguments['run_id']} cannot be repaired: it is a task, or still active")
        latest = run.repairs[-1]["id"] if run.repairs else None
        if run.repairs and number(arguments, "latest_repair_id", 0) != latest:
            raise invalid(f"latest_repair_id: the run's latest repair is {latest}")
        again = self._tasks_to_repair(run, arguments)
        repaired = [self._attempt(task.spec, task.attempt + 1) for task in run.tasks if task.key in again]
        run.attempts += repaired
        run.parameters |= checked_parameters(arguments, "job_parameters")
        run.parameters |= checked_parameters(arguments, "notebook_params")
        run.state, run.result, run.message, run.end_time, run.canceled = "PENDING", "", "", 0, False
        repair = {"id": self._store.new_id(), "type": "REPAIR", "start_time": now()}
        run.repairs.append(repair | {"task_run_ids": [task.run_id for task in repaired]})
        self._runner.start(run)
        self._store.save()
        return {"repair_id": repair["id"]}

    def _tasks_to_repair(self, run: Run, arguments: Arguments) -> set[str]:
        named = set(arguments.get("rerun_tasks") or [])
        unknown = named - {task.key for task in run.tasks}
        if unknown:
            raise invalid(f"rerun_tasks: the run has no task {', '.join(sorted(unknown))}")
        if flag(arguments, "rerun_all_failed_tasks"):
            named |= {task.key for task in run.tasks if task.result not in ("SUCCESS", "EXCLUDED")}
        if flag(arguments, "rerun_dependent_tasks"):
            for _ in run.tasks:
                named |= {task.key for task in run.tasks if named & set(task.upstream)}
        if not named:
            raise invalid("rerun_tasks or rerun_all_failed_tasks: there is no task to run again")
        return named

    def delete_run(self, arguments: Arguments) -> dict[str, Any]:
        run, _ = self._find(arguments)
        if not run.terminal:
            raise invalid(f"Run {run.run_id} is still active; cancel it first")
        self._store.remove(run)
        self._store.save()
        return {}

    # views

    def _job(self, arguments: Arguments) -> dict[str, Any]:
        job_id = number(arguments, "job_id")
        if job_id not in self._store.jobs:
            raise missing(f"Job {job_id} does not exist.")
        return self._store.jobs[job_id]

    def _find(self, arguments: Arguments) -> tuple[Run, TaskRun | None]:
        run_id = number(arguments, "run_id")
        found = self._store.find(run_id)
        if found is None:
            raise missing(f"Run {run_id} does not exist.")
        return found

    def _page(self, items: Iterable[Any], arguments: Arguments, most: int) -> dict[str, Any]:
        limit = min(number(arguments, "limit", 20) or most, most)
        begin = number({"page_token": arguments.get("page_token") or 0}, "page_token", 0)
        rest = [*items][begin:]
        page: dict[str, Any] = {"items": rest[:limit]} if rest else {}
        if len(rest) > limit:
            page["next_page_token"] = str(begin + limit)
        return page

    def _view(self, run: Run, tasks: Iterable[TaskRun]) -> dict[str, Any]:
        return {
            "job_id": run.job_id,
            "run_id": run.run_id,
            "number_in_job": run.run_id,
            "original_attempt_run_id": run.run_id,
            "run_name": run.name,
            "run_type": run.run_type,
            "creator_user_name": "lab",
            "run_page_url": f"{self._address}/jobs/{run.job_id}/runs/{run.run_id}",
            "format": "MULTI_TASK",
            "start_time": run.start_time,
            "end_time": run.end_time,
            "run_duration": max(0, run.end_time - run.start_time),
            "overriding_parameters": {"notebook_params": run.parameters} if run.parameters else {},
            **state_view(run.state, run.result, run.message, status=True),
            "tasks": [self._task_view(run, task) for task in tasks],
        }

    def _task_view(self, run: Run, task: TaskRun) -> dict[str, Any]:
        return {
            **task.spec,
            "run_id": task.run_id,
            "job_run_id": run.run_id,
            "task_key": task.key,
            "attempt_number": task.attempt,
            "run_if": task.spec.get("run_if") or "ALL_SUCCESS",
            "run_page_url": f"{self._address}/jobs/{run.job_id}/runs/{task.run_id}",
            "start_time": task.start_time,
            "end_time": task.end_time,
            "execution_duration": max(0, task.end_time - task.start_time),
            **state_view(task.state, task.result, task.message, status=True, code=task.code),
        }


def state_view(state: str, result: str, message: str, status: bool = False, code: str = "") -> dict[str, Any]:
    """The ``state`` that all versions return and, with ``status``, the newer ``status`` beside it. ``code`` says why it
    ended; most results say it themselves."""
    view: dict[str, Any] = {"life_cycle_state": state, "state_message": message, "user_cancelled_or_timedout": False}
    if state in ("TERMINATED", "INTERNAL_ERROR", "SKIPPED"):
        view |= {"result_state": result, "user_cancelled_or_timedout": result in ("CANCELED", "TIMEDOUT")}
    if not status:
        return view
    newer: dict[str, Any] = {"state": STATUS.get(state, state)}
    if newer["state"] == "TERMINATED":
        usual, kind = TERMINATION.get(result, ("RUN_EXECUTION_ERROR", "CLIENT_ERROR"))
        kind = "INTERNAL_ERROR" if code in OF_THE_PLATFORM else kind
        newer["termination_details"] = {"code": code or usual, "type": kind, "message": message}
    return {"state": view, "status": newer}


def renamed(page: dict[str, Any], name: str) -> dict[str, Any]:
    return {name if key == "items" else key: value for key, value in page.items()}


def checked_parameters(arguments: Arguments, name: str) -> dict[str, str]:
    parameters = arguments.get(name) or {}
    wrong = [key for key, value in parameters.items() if isinstance(value, list | dict)]
    if wrong:
        raise invalid(f"{name}: the values of {', '.join(wrong)} are not text")
    return as_text(parameters)


def checked_settings(settings: dict[str, Any]) -> dict[str, Any]:
    """The settings of a job whose tasks can run here. Raises one error that lists everything wrong with them."""
    settings = {"name": "Untitled", "max_concurrent_runs": 1, **settings}
    settings["tasks"] = tasks = settings.get("tasks") or []
    keys = [task.get("task_key") for task in tasks]
    problems = [f"task {key!r}: task_key is missing or not unique" for key in keys if not key or keys.count(key) > 1]
    for task in tasks:
        problems += problems_of_task(task, keys)
    if not problems:
        try:
            graph = {task["task_key"]: [d["task_key"] for d in task.get("depends_on") or []] for task in tasks}
            TopologicalSorter(graph).prepare()
        except CycleError as error:
            problems.append(f"tasks depend on each other in a circle: {' -> '.join(error.args[1])}")
    if problems:
        raise invalid("; ".join(dict.fromkeys(problems)))
    return settings


def problems_of_task(task: dict[str, Any], keys: list[Any]) -> Iterable[str]:
    key = task.get("task_key")
    for dependency in task.get("depends_on") or []:
        if dependency.get("task_key") not in keys:
            yield f"task {key!r} depends on {dependency.get('task_key')!r}, which is not a task of this job"
    notebook = task.get("notebook_task")
    if notebook is None:
        yield f"task {key!r}: the lab runs notebook_task only"
        return
    if not str(notebook.get("notebook_path") or "").startswith("/"):
        yield f"task {key!r}: notebook_path {notebook.get('notebook_path')!r} is not an absolute workspace path"
    if (notebook.get("source") or "WORKSPACE") != "WORKSPACE":
        yield f"task {key!r}: source {notebook['source']!r}: the lab runs notebooks of the workspace only"
    for name, value in (notebook.get("base_parameters") or {}).items():
        if isinstance(value, list | dict):
            yield f"task {key!r}: base_parameters {name!r} is not text"

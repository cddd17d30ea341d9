"""Runs a job run's tasks in dependency order, in parallel where possible."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Awaitable
from typing import Any

from lab.cloud.databricks.runs import Run, RunStore, TaskRun, now
from lab.cloud.databricks.worker import POLL_SECONDS, Worker, WorkerGone

log = logging.getLogger("lab.cloud.databricks")

FAILED_MESSAGE = "Workload failed, see run output for details"
ABANDON_SECONDS = 60
FAILURES = ("FAILED", "TIMEDOUT", "UPSTREAM_FAILED")
CANCELS = ("CANCELED", "UPSTREAM_CANCELED")


class Canceled(Exception):
    """The user canceled the task before it started."""


class Active:
    """What a run in progress waits for: the end of each task, or a request to cancel one."""

    def __init__(self, run: Run) -> None:
        self.ended = {task.key: asyncio.Event() for task in run.tasks}
        self.cancel = {task.key: asyncio.Event() for task in run.tasks}
        for task in run.tasks:
            if task.terminal:
                self.ended[task.key].set()


class Runner:
    def __init__(self, store: RunStore, worker: Worker) -> None:
        self._store = store
        self._worker = worker
        self._active: dict[int, Active] = {}
        self._driving: set[asyncio.Task[None]] = set()

    def start(self, run: Run) -> None:
        """Start or resume a run. It is skipped or queued if its job already has as many runs as it may have."""
        if run.state == "PENDING" and self._is_full(run):
            if (run.settings.get("queue") or {}).get("enabled"):
                run.state = "QUEUED"
            else:
                run.state, run.result, run.end_time = "SKIPPED", "MAXIMUM_CONCURRENT_RUNS_REACHED", now()
                run.message = "Run was skipped: the job has reached its max_concurrent_runs."
            return
        run.state = "RUNNING"
        self._active[run.run_id] = Active(run)
        driving = asyncio.create_task(self._drive(run))
        self._driving.add(driving)
        driving.add_done_callback(self._driving.discard)

    def resume(self) -> None:
        """Resume what an earlier process left unfinished."""
        for run in list(self._store.runs.values()):
            if not run.terminal and run.state != "QUEUED":
                log.info("resuming run %d (%s)", run.run_id, run.name)
                self.start(run)
                if run.canceled:
                    self.cancel(run)
        self._start_queued()

    def cancel(self, run: Run, task: TaskRun | None = None) -> None:
        """Cancel the run, or one of its tasks. Returns at once; a run that has ended does not change."""
        if run.terminal:
            return
        if task is None:
            run.canceled = True
        if run.state == "QUEUED":
            run.state, run.result, run.end_time = "TERMINATED", "CANCELED", now()
        elif run.run_id in self._active:
            for key in [task.key] if task else [task.key for task in run.tasks]:
                self._active[run.run_id].cancel[key].set()
        self._store.save()

    async def close(self) -> None:
        """Stop watching. The worker continues, and ``resume`` picks its work up again."""
        for driving in list(self._driving):
            driving.cancel()
        await asyncio.gather(*self._driving, return_exceptions=True)

    def _is_full(self, run: Run) -> bool:
        if run.run_type != "JOB_RUN":
            return False
        others = [r for r in self._store.runs.values() if r.job_id == run.job_id and r is not run]
        most = int(run.settings.get("max_concurrent_runs", 1))
        return sum(not r.terminal and r.state != "QUEUED" for r in others) >= most

    def _start_queued(self) -> None:
        for run in list(self._store.runs.values()):
            if run.state == "QUEUED" and not self._is_full(run):
                run.state = "PENDING"
                self.start(run)

    async def _drive(self, run: Run) -> None:
        active = self._active[run.run_id]
        waiting = [task for task in run.tasks if not task.terminal]
        await asyncio.gather(*(self._run_task(run, task, active) for task in waiting))
        run.state, run.result, run.message = outcome(run)
        run.end_time = now()
        del self._active[run.run_id]
        self._start_queued()
        self._store.save()

    async def _run_task(self, run: Run, task: TaskRun, active: Active) -> None:
        cancel = active.cancel[task.key]
        try:
            await _unless(cancel, asyncio.gather(*(active.ended[key].wait() for key in task.upstream)))
            verdict = verdict_of_upstream(task, {other.key: other.result for other in run.tasks})
            if verdict is None:
                await self._execute(run, task, cancel)
            else:
                self._end(task, verdict, "")
        except Canceled:
            self._end(task, "CANCELED", "Run cancelled.")
        except WorkerGone as error:
            self._store.write_output(task, {"error": str(error)})
            self._end(task, "FAILED", str(error), state="INTERNAL_ERROR", code="DRIVER_ERROR")
        except Exception as error:
            log.exception("task %s of run %d", task.key, run.run_id)
            self._end(task, "FAILED", f"The stand-in failed: {error!r}", state="INTERNAL_ERROR", code="INTERNAL_ERROR")
        active.ended[task.key].set()

    async def _execute(self, run: Run, task: TaskRun, cancel: asyncio.Event) -> None:
        if not task.accepted:
            task.state, task.start_time = "PENDING", now()
            self._store.save()
            if not await self._worker.start("notebooks", notebook_request(run, task), given_up=cancel):
                raise Canceled
            task.accepted = True
        stopping = asyncio.create_task(self._stop(task, cancel))
        try:
            await self._follow(task)
        finally:
            stopping.cancel()

    async def _follow(self, task: TaskRun) -> None:
        view: dict[str, Any] = {"state": "PENDING"}
        terminating_since = 0
        while view["state"] in ("PENDING", "RUNNING"):
            if task.state != "TERMINATING":
                task.state = view["state"]
                self._store.save()
            elif now() - (terminating_since := terminating_since or now()) > ABANDON_SECONDS * 1000:
                view = {"state": "CANCELED", "abandoned": True}
                break
            wait = 1 if task.state == "TERMINATING" else POLL_SECONDS
            view = await self._worker.look(task.work, beyond=view["state"], wait=wait)
        self._keep(task, view)

    def _keep(self, task: TaskRun, view: dict[str, Any]) -> None:
        self._store.write_output(task, view)
        match view["state"]:
            case "CANCELED" if task.result == "TIMEDOUT":
                self._end(task, "TIMEDOUT", f"Timed out after {task.spec['timeout_seconds']} seconds.")
            case "CANCELED" if view.get("abandoned"):
                self._end(task, "CANCELED", "Run cancelled; it is still inside a call that cannot be interrupted.")
            case "CANCELED":
                self._end(task, "CANCELED", "Run cancelled.")
            case "FAILED" if "not_found" in view:
                self._end(task, "FAILED", view["not_found"], state="INTERNAL_ERROR", code="RESOURCE_NOT_FOUND")
            case "FAILED":
                self._end(task, "FAILED", FAILED_MESSAGE)
            case _:
                self._end(task, "SUCCESS", "")

    async def _stop(self, task: TaskRun, cancel: asyncio.Event) -> None:
        """Tell the worker once the user cancels or the task's time is up."""
        try:
            await asyncio.wait_for(cancel.wait(), task.spec.get("timeout_seconds") or None)
        except TimeoutError:
            task.result = "TIMEDOUT"
        task.state = "TERMINATING"
        self._store.save()
        await self._worker.cancel(task.work)

    def _end(self, task: TaskRun, result: str, message: str, state: str = "TERMINATED", code: str = "") -> None:
        task.state, task.result, task.message, task.code, task.end_time = state, result, message, code, now()
        self._store.save()


def notebook_request(run: Run, task: TaskRun) -> dict[str, Any]:
    notebook = task.spec["notebook_task"]
    return {
        "id": task.work,
        "path": notebook["notebook_path"],
        "parameters": as_text(notebook.get("base_parameters")) | run.parameters,
        "log": task.log,
    }


def as_text(parameters: dict[str, Any] | None) -> dict[str, str]:
    return {name: value if isinstance(value, str) else str(value) for name, value in (parameters or {}).items()}


def verdict_of_upstream(task: TaskRun, results: dict[str, str]) -> str | None:
    """None if the task is to run, else the result it ends with. ``run_if`` is interpreted as Databricks defines it."""
    upstream = [results[key] for key in task.upstream]
    failed = [result in FAILURES for result in upstream]
    succeeded = [result == "SUCCESS" for result in upstream]
    match task.spec.get("run_if") or "ALL_SUCCESS":
        case "ALL_DONE":
            return None
        case "NONE_FAILED" if not any(failed):
            return None
        case "AT_LEAST_ONE_SUCCESS" if any(succeeded) or not upstream:
            return None
        case "ALL_FAILED":
            return None if all(failed) else "EXCLUDED"
        case "AT_LEAST_ONE_FAILED":
            return None if any(failed) else "EXCLUDED"
        case "ALL_SUCCESS" if all(result in ("SUCCESS", "EXCLUDED") for result in upstream):
            return "EXCLUDED" if upstream and not any(succeeded) else None
    return "UPSTREAM_FAILED" if any(failed) else "UPSTREAM_CANCELED"


def outcome(run: Run) -> tuple[str, str, str]:
    """Life-cycle state, result and message of a run whose tasks have ended. The leaf tasks decide."""
    if run.canceled:
        return "TERMINATED", "CANCELED", "Run cancelled."
    inner = {key for task in run.tasks for key in task.upstream}
    leaves = [task for task in run.tasks if task.key not in inner]
    wrong = [task for task in run.tasks if task.result in ("FAILED", "TIMEDOUT")]
    if any(task.result in FAILURES for task in leaves):
        first = wrong[0]
        skipped = " This caused all downstream tasks to get skipped." if first not in leaves else ""
        message = f"Task {first.key} failed with message: {first.message.rstrip('.')}.{skipped}"
        return "INTERNAL_ERROR", "FAILED", message
    if any(task.result in CANCELS for task in leaves):
        return "TERMINATED", "CANCELED", "A task of the run was cancelled."
    return "TERMINATED", "SUCCESS_WITH_FAILURES" if wrong else "SUCCESS", ""


async def _unless(cancel: asyncio.Event, work: Awaitable[Any]) -> None:
    """Wait for ``work``; raise Canceled if ``cancel`` comes first."""
    working = asyncio.ensure_future(work)
    canceling = asyncio.create_task(cancel.wait())
    try:
        await asyncio.wait({working, canceling}, return_when=asyncio.FIRST_COMPLETED)
        if cancel.is_set():
            raise Canceled
        working.result()
    finally:
        working.cancel()
        canceling.cancel()

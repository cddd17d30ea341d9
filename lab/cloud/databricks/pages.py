"""Browser pages: all runs, and one run with its tasks, their output and their logs."""

from __future__ import annotations

import json
from collections.abc import Iterator
from datetime import UTC, datetime
from html import escape
from pathlib import Path

from aiohttp import web

from lab.cloud.databricks.runs import Run, RunStore, TaskRun, now

LOG_TAIL = 64 * 1024
COLOURS = {"SUCCESS": "#1a7f37", "FAILED": "#cf222e", "TIMEDOUT": "#cf222e", "UPSTREAM_FAILED": "#9a6700"}
STYLE = """
body{font:15px/1.5 system-ui,sans-serif;margin:2rem auto;max-width:64rem;padding:0 1rem;color:#1f2328}
table{border-collapse:collapse;width:100%}
td,th{text-align:left;padding:.35rem .75rem .35rem 0;border-bottom:1px solid #d1d9e0}
pre{background:#f6f8fa;padding:.75rem;overflow:auto;max-height:28rem;font-size:13px;white-space:pre-wrap}
a{color:#0969da;text-decoration:none}small{color:#59636e}
"""


class RunPages:
    def __init__(self, store: RunStore, logs: Path) -> None:
        self._store = store
        self._logs = logs

    def register(self, app: web.Application) -> None:
        app.router.add_get("/", self.all_runs)
        app.router.add_get(r"/jobs/{job_id:\d+}/runs/{run_id:\d+}", self.one_run)

    async def all_runs(self, _: web.Request) -> web.Response:
        rows = "".join(
            f"<tr><td><a href='/jobs/{run.job_id}/runs/{run.run_id}'>{run.run_id}</a></td><td>{escape(run.name)}</td>"
            f"<td>{_state(run)}</td><td>{_clock(run.start_time)}</td><td>{_duration(run)}</td></tr>"
            for run in reversed(self._store.runs.values())
        )
        heading = "<tr><th>Run</th><th>Job</th><th>State</th><th>Started (UTC)</th><th>Duration</th></tr>"
        return _page("Job runs", f"<table>{heading}{rows}</table>" if rows else "<p>No run yet.</p>", refresh=False)

    async def one_run(self, request: web.Request) -> web.Response:
        found = self._store.find(int(request.match_info["run_id"]))
        if found is None or str(found[0].job_id) != request.match_info["job_id"]:
            raise web.HTTPNotFound(text=f"There is no run {request.match_info['run_id']} (the last 200 are kept)")
        run, task = found
        tasks = [task] if task else run.tasks
        return _page(f"{run.name} · run {run.run_id}", "".join(self._run(run, tasks)), refresh=not run.terminal)

    def _run(self, run: Run, tasks: list[TaskRun]) -> Iterator[str]:
        yield f"<p>{_state(run)} <small>started {_clock(run.start_time)} UTC, {_duration(run)}</small></p>"
        yield f"<p>{escape(run.message)}</p>" if run.message else ""
        yield "<table><tr><th>Task</th><th>Notebook</th><th>After</th><th>State</th><th>Duration</th></tr>"
        for task in tasks:
            path = task.spec["notebook_task"]["notebook_path"]
            yield (
                f"<tr><td><a href='#{task.run_id}'>{escape(_title(task))}</a></td><td>{escape(path)}</td>"
                f"<td>{escape(', '.join(_short(key) for key in task.upstream))}</td>"
                f"<td>{_state(task)}</td><td>{_duration(task)}</td></tr>"
            )
        yield "</table>"
        if run.parameters:
            yield f"<h2>Parameters</h2><pre>{escape(json.dumps(run.parameters, indent=2))}</pre>"
        for task in tasks:
            yield from self._task(task)

    def _task(self, task: TaskRun) -> Iterator[str]:
        output = self._store.read_output(task)
        yield f"<h2 id='{task.run_id}'>{escape(_title(task))} {_state(task)}</h2>"
        if task.message:
            yield f"<p>{escape(task.message)}</p>"
        if output.get("error"):
            yield f"<h3>Error</h3><pre>{escape(output.get('error_trace') or output['error'])}</pre>"
        if output.get("result") is not None:
            yield f"<h3>Exit value</h3><pre>{escape(_readable(output['result']))}</pre>"
        log = self._logs / task.log
        if log.exists():
            with log.open("rb") as file:
                file.seek(max(0, log.stat().st_size - LOG_TAIL))
                text = file.read().decode(errors="replace")
            yield f"<h3>Log</h3><p><small>{escape(str(log))}</small></p><pre>{escape(text) or '(empty)'}</pre>"


def _page(title: str, body: str, refresh: bool) -> web.Response:
    again = "<meta http-equiv=refresh content=3>" if refresh else ""
    text = (
        f"<!doctype html><html lang=en><meta charset=utf-8><meta name=viewport content='width=device-width'>{again}"
        f"<title>{escape(title)}</title><style>{STYLE}</style>"
        f"<p><a href='/'>All runs</a></p><h1>{escape(title)}</h1>{body}"
    )
    return web.Response(text=text, content_type="text/html")


def _title(task: TaskRun) -> str:
    """The task's key, or its notebook's name if the key is a client's hash, which tells a reader nothing."""
    name = task.spec["notebook_task"]["notebook_path"].rsplit("/", 1)[-1]
    return name if _short(task.key) != task.key else task.key


def _short(key: str) -> str:
    hashed = len(key) == 32 and all(character in "0123456789abcdef" for character in key)
    return f"{key[:8]}…" if hashed else key


def _state(item: Run | TaskRun) -> str:
    word = item.result if item.terminal else item.state
    return f"<b style='color:{COLOURS.get(word, '#59636e')}'>{escape(word)}</b>"


def _clock(milliseconds: int) -> str:
    return datetime.fromtimestamp(milliseconds / 1000, UTC).strftime("%Y-%m-%d %H:%M:%S")


def _duration(item: Run | TaskRun) -> str:
    return f"{max(0, (item.end_time or now()) - item.start_time) / 1000:.1f} s"


def _readable(result: str) -> str:
    try:
        return json.dumps(json.loads(result), indent=2, ensure_ascii=False)
    except ValueError:
        return result

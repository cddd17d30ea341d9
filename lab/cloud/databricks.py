"""Databricks workspace stand-in: Jobs, Workspace and SQL Statement Execution, on the lab's resident Spark worker.

Covered (arguments in the query or in a JSON body, ``Authorization: Bearer`` with the lab's token):
- Jobs 2.1 and 2.2: create, reset, update, delete, get, list; run-now; runs: submit, get, get-output, list, cancel,
  cancel-all, repair, delete (``databricks_jobs``). Notebook tasks with ``depends_on`` and ``run_if``, in parallel.
- Workspace 2.0: mkdirs, import, export, get-status, list, delete (``databricks_workspace``).
- SQL 2.0: statements (inline JSON arrays), one warehouse called ``lab`` (``databricks_sql``).
- A page for every run, at its ``run_page_url``, for anybody on this machine: tasks, states, output, log.

Known differences:
- clusters are accepted and ignored: everything runs on the Spark worker, whose docstring lists how it differs;
- a run is never seen ended in its first two looks within five seconds: clients count on a cluster that takes a moment;
- ``max_retries``, schedules, notifications, dynamic value references and task types other than notebooks are not run;
- runs, their outputs and logs stay on disk, the last 200 runs. Runs go on when this process is killed and started
  again; when the worker is killed, the tasks it ran fail.

As on Databricks, a job at its ``max_concurrent_runs`` skips the next run, or queues it where its ``queue`` is enabled.
"""

from __future__ import annotations

from aiohttp import web

from lab.cloud.databricks_api import Routes, answer_errors, require_token
from lab.cloud.databricks_jobs import JobsApi
from lab.cloud.databricks_pages import RunPages
from lab.cloud.databricks_runner import Runner
from lab.cloud.databricks_runs import RunStore
from lab.cloud.databricks_sql import SqlApi
from lab.cloud.databricks_worker import Worker
from lab.cloud.databricks_workspace import WorkspaceApi
from lab.cloud.serving import serve
from lab.state import State

LARGEST_UPLOAD = 32 * 1024 * 1024


async def start(state: State) -> list[web.AppRunner]:
    token = state.secret("databricks_token")
    worker = Worker(state.port("spark"), token, state.log("spark"))
    store = RunStore(state.path("cloud"))
    runner = Runner(store, worker)
    routes = Routes()
    JobsApi(store, runner, f"http://127.0.0.1:{state.port('databricks')}").register(routes)
    WorkspaceApi(state.path("workspace")).register(routes)
    SqlApi(worker).register(routes)
    routes.add("GET", "2.0/preview/scim/v2/Me", lambda _: {"userName": "lab", "active": True})
    routes.add("GET", "2.1/clusters/spark-versions", lambda _: {"versions": [{"key": "lab", "name": "Spark 4.1"}]})

    async def no_metadata(_: web.Request) -> web.Response:
        return web.json_response({})

    app = web.Application(client_max_size=LARGEST_UPLOAD, middlewares=[answer_errors, require_token(token)])
    RunPages(store, state.path("logs", "databricks")).register(app)
    app.router.add_route("*", "/api/{path:.*}", routes.dispatch)
    app.router.add_get("/.well-known/databricks-config", no_metadata)

    async def close_worker(_: web.Application) -> None:
        await runner.close()
        await worker.close()

    app.on_cleanup.append(close_worker)
    server = await serve(state, "databricks", app)
    runner.resume()
    return [server]

"""The Databricks stand-in's server: its APIs, its pages, and the worker behind them."""

from __future__ import annotations

from aiohttp import web

from lab.cloud.databricks.api import Routes, answer_errors, require_token
from lab.cloud.databricks.jobs import JobsApi
from lab.cloud.databricks.pages import RunPages
from lab.cloud.databricks.runner import Runner
from lab.cloud.databricks.runs import RunStore
from lab.cloud.databricks.sql import SqlApi
from lab.cloud.databricks.unity_catalog import UnityCatalogApi
from lab.cloud.databricks.worker import Worker
from lab.cloud.databricks.workspace import WorkspaceApi
from lab.cloud.serving import serve
from lab.state import State

LARGEST_UPLOAD = 32 * 1024 * 1024
RUNTIMES = [{"key": "lab", "name": "Spark 4.1"}, {"key": "18.x-scala2.13", "name": "stands for the same"}]


async def start(state: State) -> list[web.AppRunner]:
    token = state.secret("databricks_token")
    worker = Worker(state.port("spark"), token, state.log("spark"))
    store = RunStore(state.path("cloud"))
    runner = Runner(store, worker)
    routes = Routes()
    JobsApi(store, runner, f"http://127.0.0.1:{state.port('databricks')}").register(routes)
    WorkspaceApi(state.path("workspace")).register(routes)
    SqlApi(worker).register(routes)
    UnityCatalogApi(state.path("lake", "warehouse")).register(routes)
    routes.add("GET", "2.0/preview/scim/v2/Me", lambda _: {"userName": "lab", "active": True})
    routes.add("GET", "2.1/clusters/spark-versions", lambda _: {"versions": RUNTIMES})

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

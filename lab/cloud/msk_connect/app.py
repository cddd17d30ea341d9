"""The MSK Connect stand-in's server: its routes, and errors in AWS's format."""

from __future__ import annotations

import re
from collections.abc import AsyncIterator, Callable
from typing import Any

from aiohttp import web
from aiohttp.typedefs import Handler

from lab.calls import Call, CallLog, access_key_of
from lab.cloud.msk_connect import worker as connect_worker
from lab.cloud.msk_connect.configurations import WorkerConfigurations
from lab.cloud.msk_connect.connectors import Connectors
from lab.cloud.msk_connect.logs import WorkerLogs
from lab.cloud.msk_connect.operations import Operations
from lab.cloud.msk_connect.plugins import CustomPlugins
from lab.cloud.msk_connect.resources import AwsError, Background, Resources, arn_of, not_found, read_object
from lab.cloud.msk_connect.worker import Worker
from lab.cloud.serving import serve
from lab.state import State

KINDS = {
    "custom-plugins": "CustomPlugin",
    "worker-configurations": "WorkerConfiguration",
    "connectors": "Connector",
}
TAG_OPERATIONS = {"GET": "ListTagsForResource", "POST": "TagResource", "DELETE": "UntagResource"}
LIST_OPERATIONS = re.compile(r"/v1/connectors/.+/operations$")
DESCRIBE_OPERATION = "/v1/connectorOperations/"
OPERATION_PATH = re.compile(rf"/v1/(?P<kind>{'|'.join(KINDS)}|tags)(?P<one>/.+)?$")


async def start(state: State) -> list[Any]:
    return [await serve(state, "msk_connect", application(state, connect_worker.restart))]


def application(state: State, restart_worker: Callable[[State], None]) -> web.Application:
    folder = state.path("cloud", "msk_connect")
    folder.mkdir(parents=True, exist_ok=True, mode=0o700)
    kept = {
        "plugins": Resources(folder / "custom_plugins.json", "custom-plugin", "name"),
        "configurations": Resources(folder / "worker_configurations.json", "worker-configuration", "name"),
        "connectors": Resources(folder / "connectors.json", "connector", "connectorName"),
    }
    background = Background()
    worker = Worker(state)
    operations = Operations(
        Resources(folder / "connector_operations.json", "connector-operation", "connectorOperationArn")
    )
    connectors = Connectors(
        kept["connectors"],
        kept["plugins"],
        kept["configurations"],
        operations,
        worker,
        WorkerLogs(state),
        background,
    )
    plugins = CustomPlugins(
        state, kept["plugins"], worker, background, restart_worker, user_of=connectors.user_of_plugin
    )
    configurations = WorkerConfigurations(kept["configurations"], user_of=connectors.user_of_configuration)

    async def lifetime(_: web.Application) -> AsyncIterator[None]:
        plugins.resume()
        connectors.resume()
        yield
        await background.close()
        await worker.close()

    app = web.Application(middlewares=[keep_calls(CallLog(state, "msk_connect")), errors_as_aws])
    app.cleanup_ctx.append(lifetime)
    app.router.add_get("/v1/connectors/{arn:.+}/operations", operations.list)
    app.router.add_get(f"{DESCRIBE_OPERATION}{{arn:.+}}", operations.describe)
    for path, resources in (
        ("/v1/custom-plugins", plugins),
        ("/v1/worker-configurations", configurations),
        ("/v1/connectors", connectors),
    ):
        app.router.add_post(path, resources.create)
        app.router.add_get(path, resources.list)
        app.router.add_get(f"{path}/{{arn:.+}}", resources.describe)
        app.router.add_delete(f"{path}/{{arn:.+}}", resources.delete)
    app.router.add_put("/v1/connectors/{arn:.+}", connectors.update)
    add_tag_operations(app, list(kept.values()))
    return app


def add_tag_operations(app: web.Application, kept: list[Resources]) -> None:
    def owner(arn: str) -> Resources:
        for resources in kept:
            if resources.has(arn):
                return resources
        raise not_found("resource", arn)

    async def show(request: web.Request) -> web.Response:
        arn = arn_of(request)
        return web.json_response({"tags": owner(arn).get(arn)["tags"]})

    async def tag(request: web.Request) -> web.Response:
        arn = arn_of(request)
        given = await read_object(request, "tags")
        owner(arn).update(arn, tags=owner(arn).get(arn)["tags"] | given["tags"])
        return web.json_response({})

    async def untag(request: web.Request) -> web.Response:
        arn = arn_of(request)
        removed = request.query.getall("tagKeys", [])
        kept_tags = {key: value for key, value in owner(arn).get(arn)["tags"].items() if key not in removed}
        owner(arn).update(arn, tags=kept_tags)
        return web.json_response({})

    app.router.add_get("/v1/tags/{arn:.+}", show)
    app.router.add_post("/v1/tags/{arn:.+}", tag)
    app.router.add_delete("/v1/tags/{arn:.+}", untag)


def keep_calls(log: CallLog) -> Any:
    """Note what the lab's programs ask for, in IAM's words."""

    @web.middleware
    async def noting(request: web.Request, handler: Handler) -> web.StreamResponse:
        caller = log.caller(access_key_of(request.headers.get("Authorization", "")))
        action = action_of(request)
        if caller is not None and action is not None:
            log.keep(Call(caller, f"kafkaconnect:{action}", request.match_info.get("arn", "*")))
        return await handler(request)

    return noting


def action_of(request: web.Request) -> str | None:
    """``DescribeConnector`` for a GET of a connector, and so on; None for a path that is no operation."""
    if request.path.startswith(DESCRIBE_OPERATION):
        return "DescribeConnectorOperation"
    if LIST_OPERATIONS.match(request.path):
        return "ListConnectorOperations"
    found = OPERATION_PATH.match(request.path)
    if found is None:
        return None
    if found["kind"] == "tags":
        return TAG_OPERATIONS.get(request.method)
    on_one = {"GET": "Describe", "PUT": "Update", "DELETE": "Delete"}
    on_all = {"GET": "List", "POST": "Create"}
    verb = (on_one if found["one"] else on_all).get(request.method)
    return verb and f"{verb}{KINDS[found['kind']]}{'s' if verb == 'List' else ''}"


@web.middleware
async def errors_as_aws(request: web.Request, handler: Handler) -> web.StreamResponse:
    try:
        return await handler(request)
    except AwsError as error:
        return error.response()
    except (web.HTTPNotFound, web.HTTPMethodNotAllowed):
        return AwsError(400, "UnknownOperationException", f"{request.method} {request.path} is not covered").response()

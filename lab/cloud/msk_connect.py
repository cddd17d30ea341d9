"""MSK Connect's API (boto3 ``kafkaconnect``) in front of the lab's Kafka Connect worker.

Covered: custom plugins, worker configurations and connectors: create, describe, list with prefix and pages, delete;
UpdateConnector with its version check; tags; AWS's error codes. A custom plugin's archive is fetched from S3 and
unpacked into the worker's plugin path; the worker is restarted, and the plugin is ACTIVE when the worker lists its
connectors. A connector's configuration goes to the worker unchanged. A connector is RUNNING when the worker says so of
it and of a task of it; FAILED with the task's trace; UPDATING while the worker is away. An update that the worker
refuses is rolled back. State is kept in ``state/cloud/msk_connect``, and what was under way goes on after a restart.

Known differences: all connectors share one worker, so that of two plugins with the same connector class the one made
last serves both, and a new plugin restarts all connectors; capacity, network, IAM, encryption, the cluster, log
delivery and worker configurations are kept and shown, not applied (the lab's worker reads the lab's broker without a
login, and is configured by ``lab/kafka.py``); creation takes seconds; an archive that is not there makes a plugin
CREATE_FAILED; connector operations cannot be listed.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable
from typing import Any

from aiohttp import web
from aiohttp.typedefs import Handler

from lab.cloud import msk_connect_worker
from lab.cloud.msk_connect_configurations import WorkerConfigurations
from lab.cloud.msk_connect_connectors import Connectors
from lab.cloud.msk_connect_plugins import CustomPlugins
from lab.cloud.msk_connect_resources import AwsError, Background, Resources, arn_of, not_found, read_object
from lab.cloud.msk_connect_worker import Worker
from lab.cloud.serving import serve
from lab.state import State


async def start(state: State) -> list[Any]:
    return [await serve(state, "msk_connect", application(state, msk_connect_worker.restart))]


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
    connectors = Connectors(kept["connectors"], kept["plugins"], kept["configurations"], worker, background)
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

    app = web.Application(middlewares=[errors_as_aws])
    app.cleanup_ctx.append(lifetime)
    for path, operations in (
        ("/v1/custom-plugins", plugins),
        ("/v1/worker-configurations", configurations),
        ("/v1/connectors", connectors),
    ):
        app.router.add_post(path, operations.create)
        app.router.add_get(path, operations.list)
        app.router.add_get(f"{path}/{{arn:.+}}", operations.describe)
        app.router.add_delete(f"{path}/{{arn:.+}}", operations.delete)
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


@web.middleware
async def errors_as_aws(request: web.Request, handler: Handler) -> web.StreamResponse:
    try:
        return await handler(request)
    except AwsError as error:
        return error.response()
    except (web.HTTPNotFound, web.HTTPMethodNotAllowed):
        return AwsError(400, "UnknownOperationException", f"{request.method} {request.path} is not covered").response()

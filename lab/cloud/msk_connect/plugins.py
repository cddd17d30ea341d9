"""Custom plugins of MSK Connect: from an archive in S3 to connectors that the worker lists."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable
from typing import Any

from aiohttp import web
from botocore.exceptions import BotoCoreError

from lab.cloud.msk_connect.archives import Archive, ArchiveError, PluginPath, fetch
from lab.cloud.msk_connect.resources import (
    Background,
    Resource,
    Resources,
    arn_of,
    bad_request,
    now,
    read_object,
    shown,
)
from lab.cloud.msk_connect.worker import RETRY_SECONDS, Worker
from lab.state import State

PLUGIN_SECONDS = 180

log = logging.getLogger("lab.msk_connect")


class CustomPlugins:
    """``user_of`` returns the connector that uses a plugin, if any."""

    def __init__(
        self,
        state: State,
        resources: Resources,
        worker: Worker,
        background: Background,
        restart_worker: Callable[[State], None],
        user_of: Callable[[str], str | None],
    ) -> None:
        self.state = state
        self.resources = resources
        self.worker = worker
        self.background = background
        self.restart_worker = restart_worker
        self.user_of = user_of
        self.plugin_path = PluginPath(state.path("connect", "plugins"))
        self.installing = asyncio.Lock()

    def resume(self) -> None:
        for plugin in self.resources.all():
            if plugin["customPluginState"] == "CREATING":
                self.background.start(self.install(plugin["customPluginArn"]))

    async def create(self, request: web.Request) -> web.Response:
        given = await read_object(request, "name", "contentType", "location")
        if given["contentType"] not in ("ZIP", "JAR"):
            raise bad_request(f"Invalid parameter contentType: {given['contentType']}, expected ZIP or JAR")
        arn = self.resources.new_arn(given["name"])
        created = now()
        plugin = {
            "customPluginArn": arn,
            "name": given["name"],
            "customPluginState": "CREATING",
            "creationTime": created,
            "latestRevision": {
                "contentType": given["contentType"],
                "creationTime": created,
                "location": given["location"],
                "revision": 1,
            },
        }
        if "description" in given:
            plugin["description"] = given["description"]
        self.resources.add(arn, plugin, given.get("tags", {}))
        self.background.start(self.install(arn))
        return web.json_response(
            {"customPluginArn": arn, "customPluginState": "CREATING", "name": given["name"], "revision": 1}
        )

    async def install(self, arn: str) -> None:
        """Move from CREATING to ACTIVE or CREATE_FAILED. One plugin at a time: each may restart the worker."""
        plugin = self.resources.get(arn)
        async with self.installing:
            try:
                async with asyncio.timeout(PLUGIN_SECONDS):
                    await self.load(plugin)
            except ArchiveError as error:
                self.fail(plugin, error.code, str(error))
            except TimeoutError:
                self.fail(plugin, "InternalError", f"The worker did not list the plugin within {PLUGIN_SECONDS} s")
            except OSError as error:
                self.fail(plugin, "InternalError", f"The plugin could not be passed to the worker: {error}")
            else:
                self.resources.update(arn, customPluginState="ACTIVE")

    async def load(self, plugin: Resource) -> None:
        archive = await self.fetched(plugin["latestRevision"])
        plugin["latestRevision"]["fileDescription"] = archive.description
        folder = folder_name(plugin)
        classes = await asyncio.to_thread(self.plugin_path.put, folder, archive)
        if not self.plugin_path.is_loaded(folder):
            await asyncio.to_thread(self.restart_worker, self.state)
            self.plugin_path.mark_loaded(folder)
        while not classes <= await self.worker.plugin_classes():
            await asyncio.sleep(RETRY_SECONDS)

    async def fetched(self, revision: Resource) -> Archive:
        location = revision["location"]["s3Location"]
        while True:
            try:
                return await asyncio.to_thread(fetch, self.state, location, revision["contentType"])
            except BotoCoreError as error:
                log.warning("S3 does not answer: %s", error)
                await asyncio.sleep(RETRY_SECONDS)

    def fail(self, plugin: Resource, code: str, message: str) -> None:
        log.warning("custom plugin %s: %s", plugin["name"], message)
        self.plugin_path.remove(folder_name(plugin))
        description = {"code": code, "message": message}
        self.resources.update(
            plugin["customPluginArn"], customPluginState="CREATE_FAILED", stateDescription=description
        )

    async def describe(self, request: web.Request) -> web.Response:
        return web.json_response(shown(self.resources.get(arn_of(request))))

    async def list(self, request: web.Request) -> web.Response:
        arns, token = self.resources.page(request.query, request.query.get("namePrefix", ""))
        return web.json_response({"customPlugins": [shown(self.resources.get(arn)) for arn in arns], **token})

    async def delete(self, request: web.Request) -> web.Response:
        arn = arn_of(request)
        plugin = self.resources.get(arn)
        if plugin["customPluginState"] == "CREATING":
            raise bad_request("The custom plugin is being created.")
        if user := self.user_of(arn):
            raise bad_request(f"The custom plugin is in use by connector {user}.")
        await asyncio.to_thread(self.plugin_path.remove, folder_name(plugin))
        self.resources.remove(arn)
        return web.json_response({"customPluginArn": arn, "customPluginState": "DELETING"})


def folder_name(plugin: dict[str, Any]) -> str:
    """The plugin's folder in the worker's plugin path."""
    return f"{plugin['name']}-{plugin['latestRevision']['revision']}"

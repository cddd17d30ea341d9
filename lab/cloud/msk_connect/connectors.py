"""Connectors of MSK Connect: what the API stores about them, and what the worker reports."""

from __future__ import annotations

import asyncio
import logging
from typing import Any

from aiohttp import web

from lab.cloud.msk_connect.logs import WorkerLogs
from lab.cloud.msk_connect.operations import Operations
from lab.cloud.msk_connect.resources import (
    Background,
    Resource,
    Resources,
    arn_of,
    bad_request,
    new_version,
    now,
    read_object,
    shown,
)
from lab.cloud.msk_connect.worker import RETRY_SECONDS, NotReadyError, RefusedError, Worker, live_state

REQUIRED_FIELDS = (
    "capacity",
    "connectorConfiguration",
    "connectorName",
    "kafkaCluster",
    "kafkaClusterClientAuthentication",
    "kafkaClusterEncryptionInTransit",
    "kafkaConnectVersion",
    "plugins",
    "serviceExecutionRoleArn",
)
OPTIONAL_FIELDS = ("connectorDescription", "logDelivery", "networkType", "workerConfiguration")
UNDER_WAY = ("CREATING", "UPDATING")
UNKNOWN_YET: dict[str, Any] = {"connector": {"state": "UNASSIGNED"}, "tasks": []}

log = logging.getLogger("lab.msk_connect")


class Connectors:
    """A connector is stored as CREATING, UPDATING, DELETING, FAILED (the worker rejected it) or RUNNING.

    For one stored as RUNNING, the worker's own report decides. ``wantedConfiguration`` and ``operation`` belong to an
    ongoing update.
    """

    def __init__(
        self,
        resources: Resources,
        plugins: Resources,
        configurations: Resources,
        operations: Operations,
        worker: Worker,
        logs: WorkerLogs,
        background: Background,
    ) -> None:
        self.operations = operations
        self.logs = logs
        self.resources = resources
        self.plugins = plugins
        self.configurations = configurations
        self.worker = worker
        self.background = background
        self.changing_worker = asyncio.Lock()

    def resume(self) -> None:
        for connector in self.resources.all():
            if connector["connectorState"] == "DELETING":
                self.background.start(self.withdraw(connector))
            elif connector["connectorState"] in UNDER_WAY:
                self.background.start(self.apply(connector))

    def user_of_plugin(self, arn: str) -> str | None:
        for connector in self.resources.all():
            if any(plugin["customPlugin"]["customPluginArn"] == arn for plugin in connector["plugins"]):
                return str(connector["connectorName"])
        return None

    def user_of_configuration(self, arn: str) -> str | None:
        for connector in self.resources.all():
            if connector.get("workerConfiguration", {}).get("workerConfigurationArn") == arn:
                return str(connector["connectorName"])
        return None

    async def create(self, request: web.Request) -> web.Response:
        given = await read_object(request, *REQUIRED_FIELDS)
        for plugin in given["plugins"]:
            found = self.plugins.get(plugin["customPlugin"]["customPluginArn"])
            if found["customPluginState"] != "ACTIVE":
                raise bad_request(f"The custom plugin {found['name']} is {found['customPluginState']}, not ACTIVE.")
        if "workerConfiguration" in given:
            self.configurations.get(given["workerConfiguration"]["workerConfigurationArn"])
        arn = self.resources.new_arn(given["connectorName"])
        connector = {
            "connectorArn": arn,
            "connectorState": "CREATING",
            "creationTime": now(),
            "currentVersion": new_version(),
            **{name: given[name] for name in (*REQUIRED_FIELDS, *OPTIONAL_FIELDS) if name in given},
        }
        connector = self.resources.add(arn, connector, given.get("tags", {}))
        self.background.start(self.apply(connector))
        return web.json_response(
            {"connectorArn": arn, "connectorName": given["connectorName"], "connectorState": "CREATING"}
        )

    async def apply(self, connector: Resource) -> None:
        """Send the worker the connector's configuration, and wait until it runs or fails with it."""
        wanted: dict[str, str] = connector.get("wantedConfiguration") or connector["connectorConfiguration"]
        try:
            async with self.changing_worker:
                if connector["connectorState"] not in UNDER_WAY:
                    return
                await self.worker.put_connector(connector["connectorName"], wanted | self.worker.leads_to(connector))
        except RefusedError as error:
            await self.logs.deliver(connector, str(error))
            self.refuse(connector, str(error))
            return
        while connector["connectorState"] in UNDER_WAY:
            state, reason = await self.settled(connector["connectorName"], wanted)
            if state is None:
                await asyncio.sleep(RETRY_SECONDS)
                continue
            if state == "FAILED":
                await self.logs.deliver(connector, reason)
            connector.pop("wantedConfiguration", None)
            self.operations.end(connector.pop("operation", ""))
            self.resources.update(connector["connectorArn"], connectorState="RUNNING", connectorConfiguration=wanted)

    async def settled(self, name: str, wanted: dict[str, str]) -> tuple[str | None, str]:
        """RUNNING with this configuration, FAILED with a reason, or None as long as it is neither."""
        try:
            state, reason = live_state((await self.worker.statuses()).get(name, UNKNOWN_YET))
            if state == "RUNNING" and not await self.worker.applied(name, wanted):
                return None, ""
        except NotReadyError:
            return None, ""
        return state, reason

    def refuse(self, connector: Resource, message: str) -> None:
        """A new connector becomes FAILED; an updated one keeps its previous configuration."""
        log.warning("connector %s: %s", connector["connectorName"], message)
        if connector.pop("wantedConfiguration", None) is not None:
            self.operations.end(connector.pop("operation", ""), message)
            self.resources.update(connector["connectorArn"], connectorState="RUNNING")
            return
        description = {
            "code": "InvalidInput.InvalidConnectorConfiguration",
            "message": f"The connector configuration is invalid. Message: {message}",
        }
        self.resources.update(connector["connectorArn"], connectorState="FAILED", stateDescription=description)

    async def describe(self, request: web.Request) -> web.Response:
        connector = self.resources.get(arn_of(request))
        return web.json_response(view(connector, await self.statuses()))

    async def list(self, request: web.Request) -> web.Response:
        statuses = await self.statuses()  # first: a connector may be gone after it
        arns, token = self.resources.page(request.query, request.query.get("connectorNamePrefix", ""))
        found = [view(self.resources.get(arn), statuses) for arn in arns]
        for connector in found:
            del connector["connectorConfiguration"]
            connector.pop("stateDescription", None)
        return web.json_response({"connectors": found, **token})

    async def statuses(self) -> dict[str, Any] | None:
        try:
            return await self.worker.statuses()
        except NotReadyError:
            return None

    async def update(self, request: web.Request) -> web.Response:
        connector = self.resources.get(arn_of(request))
        given = await read_object(request)
        check_version(connector, request.query.get("currentVersion", ""))
        state = view(connector, await self.statuses())["connectorState"]
        if state != "RUNNING":
            raise bad_request(f"The connector is {state}; only a RUNNING connector can be updated.")
        changed = [name for name in ("connectorConfiguration", "capacity") if name in given]
        if len(changed) != 1:
            raise bad_request("Specify only one parameter: either capacity or connectorConfiguration.")
        operation = self.operations.begin(connector["connectorArn"], changed[0])
        self.resources.update(
            connector["connectorArn"],
            connectorState="UPDATING",
            operation=operation,
            currentVersion=new_version(),
            capacity=given.get("capacity", connector["capacity"]),
            wantedConfiguration=given.get("connectorConfiguration", connector["connectorConfiguration"]),
        )
        self.background.start(self.apply(connector))
        answer = {"connectorArn": connector["connectorArn"], "connectorState": "UPDATING"}
        return web.json_response(answer | {"connectorOperationArn": operation})

    async def delete(self, request: web.Request) -> web.Response:
        connector = self.resources.get(arn_of(request))
        if "currentVersion" in request.query:
            check_version(connector, request.query["currentVersion"])
        if connector["connectorState"] != "DELETING":
            self.resources.update(connector["connectorArn"], connectorState="DELETING")
            self.background.start(self.withdraw(connector))
        return web.json_response({"connectorArn": connector["connectorArn"], "connectorState": "DELETING"})

    async def withdraw(self, connector: Resource) -> None:
        async with self.changing_worker:
            await self.worker.delete_connector(connector["connectorName"])
            await self.worker.forgets(connector["connectorName"])
        self.resources.remove(connector["connectorArn"])


def check_version(connector: Resource, version: str) -> None:
    if version != connector["currentVersion"]:
        raise bad_request(
            f"The current version is {connector['currentVersion']}, not {version!r}: describe the connector again."
        )


def view(connector: Resource, statuses: dict[str, Any] | None) -> Resource:
    """The connector as the API returns it. ``statuses`` are the worker's, None while it is away."""
    internal = ("wantedConfiguration", "operation")
    found = {name: value for name, value in shown(connector).items() if name not in internal}
    if connector["connectorState"] != "RUNNING":
        return found
    if statuses is None:
        return found | not_running("UPDATING", "the worker does not answer")
    state, reason = live_state(statuses.get(connector["connectorName"]))
    return found if state == "RUNNING" else found | not_running(state or "UPDATING", reason)


def not_running(state: str, reason: str) -> Resource:
    return {"connectorState": state, "stateDescription": {"code": "UnknownError.Unknown", "message": reason}}

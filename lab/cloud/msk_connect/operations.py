"""Operations on connectors: the updates, and how they ended."""

from __future__ import annotations

import uuid

from aiohttp import web

from lab.cloud.msk_connect.resources import Resource, Resources, arn_of, now, shown
from lab.state import ACCOUNT, REGION

TYPES = {"connectorConfiguration": "UPDATE_CONNECTOR_CONFIGURATION", "capacity": "UPDATE_WORKER_SETTING"}


class Operations:
    def __init__(self, resources: Resources) -> None:
        self.resources = resources

    def begin(self, connector_arn: str, changed: str) -> str:
        """:param changed: the argument of ``UpdateConnector``"""
        name, connector_id = connector_arn.split("/")[1:]
        owner = f"arn:aws:kafkaconnect:{REGION}:{ACCOUNT}"
        arn = f"{owner}:connector-operation/{name}/{connector_id}/{uuid.uuid4()}"
        operation = {
            "connectorArn": connector_arn,
            "connectorOperationArn": arn,
            "connectorOperationState": "UPDATE_IN_PROGRESS",
            "connectorOperationType": TYPES[changed],
            "operationSteps": steps(changed, "IN_PROGRESS"),
            "creationTime": now(),
        }
        self.resources.add(arn, operation, {})
        return arn

    def end(self, arn: str, error: str = "") -> None:
        """The update is complete; with an error, it has been rolled back."""
        if not self.resources.has(arn):
            return
        changed = next(
            name for name, kind in TYPES.items() if kind == self.resources.get(arn)["connectorOperationType"]
        )
        said: Resource = {"endTime": now()}
        if error:
            said["errorInfo"] = {"code": "InvalidInput.InvalidConnectorConfiguration", "message": error}
        self.resources.update(
            arn,
            connectorOperationState="ROLLBACK_COMPLETE" if error else "UPDATE_COMPLETE",
            operationSteps=steps(changed, "FAILED" if error else "COMPLETED"),
            **said,
        )

    async def describe(self, request: web.Request) -> web.Response:
        return web.json_response(shown(self.resources.get(arn_of(request))))

    async def list(self, request: web.Request) -> web.Response:
        """Those of a connector, the newest first."""
        arn = arn_of(request)
        found = [shown(one) for one in self.resources.all() if one["connectorArn"] == arn]
        return web.json_response({"connectorOperations": found[::-1]})


def steps(changed: str, state: str) -> list[dict[str, str]]:
    return [
        {"stepType": "INITIALIZE_UPDATE", "stepState": "COMPLETED"},
        {"stepType": TYPES[changed], "stepState": state},
    ]

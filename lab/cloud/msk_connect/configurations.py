"""Worker configurations of MSK Connect: stored and returned, not applied."""

from __future__ import annotations

import base64
import binascii
from collections.abc import Callable

from aiohttp import web

from lab.cloud.msk_connect.resources import Resource, Resources, arn_of, bad_request, now, read_object, shown


class WorkerConfigurations:
    """``user_of`` returns the connector that uses a worker configuration, if any."""

    def __init__(self, resources: Resources, user_of: Callable[[str], str | None]) -> None:
        self.resources = resources
        self.user_of = user_of

    async def create(self, request: web.Request) -> web.Response:
        given = await read_object(request, "name", "propertiesFileContent")
        try:
            base64.b64decode(given["propertiesFileContent"], validate=True).decode()
        except (binascii.Error, UnicodeDecodeError) as error:
            raise bad_request(f"Invalid parameter propertiesFileContent: not base64-encoded text ({error})") from error
        arn = self.resources.new_arn(given["name"])
        created = now()
        description = {"description": given["description"]} if "description" in given else {}
        configuration = {
            "workerConfigurationArn": arn,
            "name": given["name"],
            "workerConfigurationState": "ACTIVE",
            "creationTime": created,
            "latestRevision": {
                "creationTime": created,
                "revision": 1,
                "propertiesFileContent": given["propertiesFileContent"],
                **description,
            },
            **description,
        }
        self.resources.add(arn, configuration, given.get("tags", {}))
        return web.json_response(summary(configuration))

    async def describe(self, request: web.Request) -> web.Response:
        return web.json_response(shown(self.resources.get(arn_of(request))))

    async def list(self, request: web.Request) -> web.Response:
        arns, token = self.resources.page(request.query, request.query.get("namePrefix", ""))
        found = [summary(self.resources.get(arn)) for arn in arns]
        return web.json_response({"workerConfigurations": found, **token})

    async def delete(self, request: web.Request) -> web.Response:
        arn = arn_of(request)
        self.resources.get(arn)
        if user := self.user_of(arn):
            raise bad_request(f"The worker configuration is in use by connector {user}.")
        self.resources.remove(arn)
        return web.json_response({"workerConfigurationArn": arn, "workerConfigurationState": "DELETING"})


def summary(configuration: Resource) -> Resource:
    """The configuration without its properties."""
    revision = {k: v for k, v in configuration["latestRevision"].items() if k != "propertiesFileContent"}
    return {**shown(configuration), "latestRevision": revision}

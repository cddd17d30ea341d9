"""VPC links of REST APIs, which ministack lacks: ``/vpclinks``, made, shown, listed and deleted.

Integrations remember the VPC link that they name.

A link is PENDING when it is made, and AVAILABLE or FAILED from then on: it fails, as AWS' does, if its target is not a
Network Load Balancer of the account, or one that another link leads to. Links outlive the process.

Known differences: a link takes no time, does not change, and is deleted at once; the list has one page.
"""

from __future__ import annotations

import json
import secrets
from collections.abc import Callable
from pathlib import Path
from types import ModuleType
from typing import Any

from lab.state import write_private

PATH = "/vpclinks"
NO_SUCH_TARGET = "NLB ARN is malformed."
TAKEN = "NLB is already associated with another VPC Endpoint Service"

type Link = dict[str, Any]
type Answer = tuple[int, dict[str, Any]]


def install(service: ModuleType) -> None:
    """Have ministack's module for REST APIs keep the ``connectionId`` of an integration."""
    put: Callable[[str, str, str, dict[str, Any]], Any] = service._put_integration

    def put_with_link(api_id: str, resource_id: str, method: str, request: dict[str, Any]) -> Any:
        answer = put(api_id, resource_id, method, request)
        described = service._resources.get(api_id, {}).get(resource_id, {}).get("resourceMethods", {}).get(method, {})
        if "methodIntegration" in described and "connectionId" in request:
            described["methodIntegration"]["connectionId"] = request["connectionId"]
        return answer

    vars(service)["_put_integration"] = put_with_link


class VpcLinks:
    """:param file: where they are kept
    :param is_network: whether an ARN is that of a Network Load Balancer
    """

    def __init__(self, file: Path, is_network: Callable[[str], bool]) -> None:
        self.file = file
        self.is_network = is_network
        self.links: dict[str, Link] = json.loads(file.read_text()) if file.exists() else {}

    def to(self, load_balancer: str) -> int:
        """How many links lead to a load balancer."""
        return sum(link["targetArns"] == [load_balancer] for link in self.links.values() if link["status"] != "FAILED")

    def serve(self, method: str, path: str, body: bytes) -> Answer:
        link_id = path.removeprefix(PATH).strip("/")
        if method == "GET" and not link_id:
            return 200, {"item": list(self.links.values())}
        if method == "POST" and not link_id:
            return self.create(json.loads(body))
        if link_id not in self.links:
            return 404, {"__type": "NotFoundException", "message": "Invalid Vpc Link identifier specified"}
        if method == "DELETE":
            del self.links[link_id]
            self.keep()
            return 202, {}
        return 200, self.links[link_id]

    def create(self, request: dict[str, Any]) -> Answer:
        targets = request.get("targetArns") or []
        if len(targets) != 1 or not request.get("name"):
            return 400, {"__type": "BadRequestException", "message": "A VPC link has a name and one target ARN"}
        link = {"id": secrets.token_hex(3), **request, "status": "AVAILABLE"}
        problem = "" if self.is_network(targets[0]) else NO_SUCH_TARGET
        problem = problem or (TAKEN if self.to(targets[0]) else "")
        if problem:
            link |= {"status": "FAILED", "statusMessage": problem}
        self.links[link["id"]] = link
        self.keep()
        return 202, {"id": link["id"], **request, "status": "PENDING"}

    def keep(self) -> None:
        write_private(self.file, json.dumps(self.links))

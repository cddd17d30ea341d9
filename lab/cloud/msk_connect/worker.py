"""The Kafka Connect worker behind the MSK Connect API: a client for its REST API."""

from __future__ import annotations

import asyncio
import logging
from typing import Any
from urllib.parse import quote
from xmlrpc.client import Fault

from aiohttp import ClientError, ClientSession, ClientTimeout

from lab.state import State
from lab.supervision import Supervisor

RETRY_SECONDS = 0.5
CALL_SECONDS = 30
SHOWN_CHARACTERS = 1000

log = logging.getLogger("lab.msk_connect")


class RefusedError(Exception):
    """The worker rejects the request for good; the message is the worker's."""


class NotReadyError(Exception):
    """The worker does not answer, or is busy rebalancing."""


def restart(state: State) -> None:
    """Replace the worker's process; the new one is not ready yet. Raises OSError if that fails."""
    supervisor = Supervisor(state)
    try:
        supervisor.stop("connect")
        supervisor.start("connect")
    except Fault as fault:
        raise OSError(f"supervisor did not restart the worker: {fault.faultString}") from fault


class Worker:
    def __init__(self, state: State) -> None:
        self._url = f"http://127.0.0.1:{state.port('connect')}"
        self._broker = f"127.0.0.1:{state.port('kafka')}"
        self._session: ClientSession | None = None

    async def close(self) -> None:
        if self._session:
            await self._session.close()

    def leads_to(self, connector: dict[str, Any]) -> dict[str, str]:
        """Properties by which a connector reads from its own cluster where that is another broker on this machine."""
        servers = connector["kafkaCluster"]["apacheKafkaCluster"]["bootstrapServers"]
        if servers == self._broker or not servers.startswith("127.0.0.1:"):
            return {}
        return {f"{client}.override.bootstrap.servers": servers for client in ("consumer", "producer", "admin")}

    async def put_connector(self, name: str, configuration: dict[str, str]) -> None:
        await self._patiently("PUT", f"/connectors/{quote(name, safe='')}/config", configuration)

    async def delete_connector(self, name: str) -> None:
        await self._patiently("DELETE", f"/connectors/{quote(name, safe='')}")

    async def forgets(self, name: str) -> None:
        """Wait until the deleted connector's tasks have stopped too, which happens after the worker has answered."""
        while await self._patiently("GET", f"/connectors/{quote(name, safe='')}/status") is not None:
            await asyncio.sleep(RETRY_SECONDS)

    async def plugin_classes(self) -> set[str]:
        """The connector classes. Empty while the worker starts: it answers 404 before its resources are loaded."""
        found = await self._patiently("GET", "/connector-plugins")
        return {plugin["class"] for plugin in found or []}

    async def statuses(self) -> dict[str, dict[str, Any]]:
        """Every connector's status, by name. Raises NotReadyError."""
        found = await self._call("GET", "/connectors?expand=status")
        return {name: entry["status"] for name, entry in found.items()}

    async def applied(self, name: str, configuration: dict[str, str]) -> bool:
        """Whether the connector's tasks run with this configuration."""
        tasks = await self._call("GET", f"/connectors/{quote(name, safe='')}/tasks")
        given = [task["config"] for task in tasks or []]
        return bool(given) and all(
            config[key] == configuration[key] for config in given for key in config.keys() & configuration.keys()
        )

    async def _patiently(self, method: str, path: str, body: Any = None) -> Any:
        """Retry until the worker answers. Raises RefusedError."""
        while True:
            try:
                return await self._call(method, path, body)
            except NotReadyError as error:
                log.debug("%s %s: %s", method, path, error)
                await asyncio.sleep(RETRY_SECONDS)

    async def _call(self, method: str, path: str, body: Any = None) -> Any:
        """The answer's JSON; None if there is no content or no such connector.

        A worker that is starting answers 404 as well, but not in the format of its errors.
        """
        if self._session is None:
            self._session = ClientSession(timeout=ClientTimeout(total=CALL_SECONDS), trust_env=False)
        try:
            async with self._session.request(method, f"{self._url}{path}", json=body) as answer:
                content = await answer.json(content_type=None) if answer.status != 204 else None
        except (ClientError, TimeoutError, ValueError) as error:
            raise NotReadyError(f"{type(error).__name__} {error}") from error
        is_own_error = isinstance(content, dict) and "error_code" in content
        if answer.status == 404 and is_own_error:
            return None
        if answer.status in (404, 409) or answer.status >= 500:
            raise NotReadyError(f"{answer.status} {content}")
        if answer.status >= 400:
            raise RefusedError(content["message"] if isinstance(content, dict) and is_own_error else str(content))
        return content


def live_state(status: dict[str, Any] | None) -> tuple[str | None, str]:
    """RUNNING, FAILED or None (neither yet), and the reason in the worker's words."""
    if status is None:
        return "FAILED", "the worker does not know the connector"
    parts = [status["connector"], *status["tasks"]]
    for part in parts:
        if part["state"] == "FAILED":
            return "FAILED", part.get("trace", "")[:SHOWN_CHARACTERS]
    if status["connector"]["state"] == "RUNNING" and any(task["state"] == "RUNNING" for task in status["tasks"]):
        return "RUNNING", ""
    return None, ", ".join(part["state"] for part in parts)

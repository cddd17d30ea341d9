"""A client for the Spark worker's API."""

from __future__ import annotations

import asyncio
from pathlib import Path
from typing import Any

import aiohttp

POLL_SECONDS = 20
RETRY_SECONDS = 0.5
START_TIMEOUT = 180


class WorkerGone(Exception):
    """The worker does not answer, or is no longer the process that took the work. The message is for the user."""


class Worker:
    def __init__(self, port: int, token: str, log: Path) -> None:
        self._url = f"http://127.0.0.1:{port}"
        self._headers = {"Authorization": f"Bearer {token}"}
        self._log = log
        self._http: aiohttp.ClientSession | None = None

    async def start(
        self,
        kind: str,
        request: dict[str, Any],
        timeout: float = START_TIMEOUT,
        given_up: asyncio.Event | None = None,
    ) -> bool:
        """Submit work; the worker may still be starting. Submitting the same id again does nothing.

        False: ``given_up`` was set, and the worker could not be reached or did not answer in time. A call in progress
        is not cut short, since it would then be unknown whether the work runs.
        """
        deadline = asyncio.get_running_loop().time() + timeout
        while True:
            try:
                answer = await self._call("POST", f"/{kind}", request)
                break
            except (aiohttp.ClientError, TimeoutError) as error:
                if given_up is not None and given_up.is_set():
                    return False
                if asyncio.get_running_loop().time() > deadline:
                    raise WorkerGone(f"The Spark worker at {self._url} does not answer; see {self._log}") from error
                await asyncio.sleep(RETRY_SECONDS)
        if "error" in answer:
            raise WorkerGone(f"The Spark worker refused the work: {answer['error']}")
        return True

    async def look(self, id: str, beyond: str, wait: float = POLL_SECONDS) -> dict[str, Any]:
        """The work's view, once its state differs from ``beyond`` or after ``wait`` seconds."""
        while True:
            try:
                view = await self._call("GET", f"/executions/{id}?wait={wait}&beyond={beyond}")
            except aiohttp.ClientConnectorError as error:
                raise self._lost() from error
            except (aiohttp.ClientError, TimeoutError):
                await asyncio.sleep(RETRY_SECONDS)
                continue
            if "state" not in view:
                raise self._lost()
            return view

    async def cancel(self, id: str) -> None:
        try:
            await self._call("POST", f"/executions/{id}/cancel")
        except (aiohttp.ClientError, TimeoutError):
            return  # a worker that is gone has nothing left to cancel

    async def close(self) -> None:
        if self._http is not None:
            await self._http.close()

    def _lost(self) -> WorkerGone:
        return WorkerGone(
            "The Spark worker ended or was restarted while this ran. Tables keep what was committed; run it again. "
            f"The worker's log: {self._log}"
        )

    async def _call(self, method: str, path: str, body: dict[str, Any] | None = None) -> dict[str, Any]:
        if self._http is None:
            self._http = aiohttp.ClientSession(
                self._url,
                headers=self._headers,
                connector=aiohttp.TCPConnector(limit=0),
                timeout=aiohttp.ClientTimeout(total=POLL_SECONDS + 40, connect=5),
            )
        async with self._http.request(method, path, json=body) as response:
            answer: dict[str, Any] = await response.json()
            return answer

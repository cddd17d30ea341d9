"""SQL Statement Execution API 2.0: inline JSON arrays from the one warehouse, ``lab``; no parameters."""

from __future__ import annotations

import re
import uuid
from typing import Any

from lab.cloud.databricks.api import ApiError, Arguments, Routes, invalid, missing, number, required
from lab.cloud.databricks.worker import Worker, WorkerGone

WAREHOUSE = {"id": "lab", "name": "lab", "state": "RUNNING", "cluster_size": "2X-Small", "num_clusters": 1}
STATES = {"SUCCESS": "SUCCEEDED"}
WORKER_TIMEOUT = 45


class SqlApi:
    def __init__(self, worker: Worker) -> None:
        self._worker = worker

    def register(self, routes: Routes) -> None:
        routes.add("POST", "2.0/sql/statements", self.execute)
        routes.add("GET", "2.0/sql/statements/{statement_id}", self.get)
        routes.add("GET", "2.0/sql/statements/{statement_id}/result/chunks/{chunk_index}", self.get_chunk)
        routes.add("POST", "2.0/sql/statements/{statement_id}/cancel", self.cancel)
        routes.add("GET", "2.0/sql/warehouses", lambda _: {"warehouses": [WAREHOUSE]})
        routes.add("GET", "2.0/sql/warehouses/{id}", self.get_warehouse)

    def get_warehouse(self, arguments: Arguments) -> dict[str, Any]:
        if arguments["id"] != WAREHOUSE["id"]:
            raise missing(f"SQL warehouse {arguments['id']} does not exist; the lab has {WAREHOUSE['id']!r}")
        return WAREHOUSE

    async def execute(self, arguments: Arguments) -> dict[str, Any]:
        self.get_warehouse({"id": required(arguments, "warehouse_id")})
        for name, only in (("disposition", "INLINE"), ("format", "JSON_ARRAY")):
            if arguments.get(name, only) != only:
                raise invalid(f"{name}: {arguments[name]!r}: the lab answers {only} only")
        if arguments.get("parameters"):
            raise invalid("parameters: Delta's SQL parser binds none outside Databricks; write the values as literals")
        wait = seconds_to_wait(arguments.get("wait_timeout", "10s"))
        statement_id = str(uuid.uuid4())
        request = {
            "id": statement_id,
            "statement": required(arguments, "statement"),
            "catalog": arguments.get("catalog"),
            "schema": arguments.get("schema"),
            "row_limit": number(arguments, "row_limit") if arguments.get("row_limit") else None,
        }
        try:
            await self._worker.start("statements", request, timeout=WORKER_TIMEOUT)
            view = await self._until_ended(statement_id, wait)
            if view["state"] in ("PENDING", "RUNNING") and arguments.get("on_wait_timeout") == "CANCEL":
                await self._worker.cancel(statement_id)
                view = await self._until_ended(statement_id, WORKER_TIMEOUT)
        except WorkerGone as error:
            raise ApiError(503, "TEMPORARILY_UNAVAILABLE", str(error)) from error
        return answer(statement_id, view)

    async def _until_ended(self, statement_id: str, seconds: float) -> dict[str, Any]:
        view = await self._worker.look(statement_id, "PENDING", wait=seconds)
        return await self._worker.look(statement_id, "RUNNING", wait=seconds) if view["state"] == "RUNNING" else view

    async def get(self, arguments: Arguments) -> dict[str, Any]:
        return answer(arguments["statement_id"], await self._look(arguments))

    async def get_chunk(self, arguments: Arguments) -> dict[str, Any]:
        if arguments["chunk_index"] != "0":
            raise missing(f"chunk_index: {arguments['chunk_index']}: a result has one chunk, 0")
        chunk: dict[str, Any] = answer(arguments["statement_id"], await self._look(arguments)).get("result", {})
        return chunk

    async def cancel(self, arguments: Arguments) -> dict[str, Any]:
        await self._look(arguments)
        await self._worker.cancel(arguments["statement_id"])
        return {}

    async def _look(self, arguments: Arguments) -> dict[str, Any]:
        try:
            return await self._worker.look(arguments["statement_id"], "PENDING", wait=0)
        except WorkerGone as error:
            raise missing(f"The statement {arguments['statement_id']} was not found. {error}") from error


def seconds_to_wait(text: str) -> int:
    found = re.fullmatch(r"(\d+)s", str(text))
    seconds = int(found[1]) if found else -1
    if seconds != 0 and not 5 <= seconds <= 50:
        raise invalid(f"wait_timeout: {text!r} is not 0s or between 5s and 50s")
    return seconds


def answer(statement_id: str, view: dict[str, Any]) -> dict[str, Any]:
    state = STATES.get(view["state"], view["state"])
    status: dict[str, Any] = {"state": state}
    if state == "FAILED":
        status["error"] = {"error_code": "BAD_REQUEST", "message": view["error"]}
    if state != "SUCCEEDED":
        return {"statement_id": statement_id, "status": status}
    rows = view["rows"]
    chunk = {"chunk_index": 0, "row_offset": 0, "row_count": len(rows)}
    return {
        "statement_id": statement_id,
        "status": status,
        "manifest": {
            "format": "JSON_ARRAY",
            "schema": {"column_count": len(view["columns"]), "columns": view["columns"]},
            "total_chunk_count": 1,
            "total_row_count": len(rows),
            "truncated": view["truncated"],
            "chunks": [chunk],
        },
        "result": chunk | {"data_array": rows},
    }

"""SQL on a Databricks warehouse."""

from __future__ import annotations

import re
import time
from typing import Any

from include.faults import LastingError
from pinterest.hooks.databricks_api import DatabricksApiHook

STATEMENTS = "2.0/sql/statements"

WAIT_SECONDS = 30
POLL_SECONDS = 1

LASTING = re.compile(r"\bSQLSTATE: 42")  # syntax error or access rule violation


class SqlError(RuntimeError):
    """A statement did not return its rows. The message holds the warehouse's own."""


class StatementError(LastingError, SqlError):
    """The statement cannot be run as it is: a name it uses is not there, or may not be read, or it is too large."""


class DatabricksWarehouseHook(DatabricksApiHook):
    """Runs statements through the REST API, which needs no driver."""

    def query(self, statement: str, *, warehouse_id: str | None = None, timeout: float = 300) -> list[list[str | None]]:
        """Return the rows of a statement, every value as the warehouse prints it.

        Raises SqlError if the statement fails, is still running after ``timeout`` seconds, or has more rows than a
        warehouse returns.

        :param warehouse_id: the workspace's first warehouse if None
        """
        request = {
            "warehouse_id": warehouse_id or self._first_warehouse(),
            "statement": statement,
            "wait_timeout": f"{WAIT_SECONDS}s",
            "on_wait_timeout": "CONTINUE",
            "disposition": "INLINE",
            "format": "JSON_ARRAY",
        }
        deadline = time.monotonic() + timeout
        answer = self.call("POST", STATEMENTS, request)
        while answer["status"]["state"] in ("PENDING", "RUNNING"):
            if time.monotonic() > deadline:
                self.cancel_sql_statement(answer["statement_id"])
                raise SqlError(f"No answer within {timeout:g} s, cancelled: {statement}")
            time.sleep(POLL_SECONDS)
            answer = self.call("GET", f"{STATEMENTS}/{answer['statement_id']}")
        status = answer["status"]
        if status["state"] != "SUCCEEDED":
            reason = status.get("error", {}).get("message") or "the warehouse gave no reason"
            failed = StatementError if LASTING.search(reason) else SqlError
            raise failed(f"{status['state']}: {reason}: {statement}")
        if answer["manifest"].get("truncated"):
            raise StatementError(f"More rows than the warehouse hands out: {statement}")
        return self._all_chunks(answer)

    def _all_chunks(self, answer: dict[str, Any]) -> list[list[str | None]]:
        chunk = answer.get("result") or {}
        rows: list[list[str | None]] = chunk.get("data_array") or []
        while chunk.get("next_chunk_index") is not None:
            address = f"{STATEMENTS}/{answer['statement_id']}/result/chunks/{chunk['next_chunk_index']}"
            chunk = self.call("GET", address)
            rows += chunk.get("data_array") or []
        return rows

    def _first_warehouse(self) -> str:
        warehouses = self.call("GET", "2.0/sql/warehouses").get("warehouses") or []
        if not warehouses:
            raise StatementError("The workspace has no SQL warehouse: make one, or set databricks.warehouse_id")
        return str(warehouses[0]["id"])

"""The worker's API, for the Databricks stand-in. It runs any code, so it listens on loopback and demands a token.

- ``POST /notebooks {id, path, parameters, log}``, ``POST /statements {id, statement, catalog, schema, row_limit}``:
  start work; the same id again is the same work.
- ``GET /executions/{id}?wait=seconds&beyond=state``: the result, as soon as the state is no longer ``beyond`` and after
  ``wait`` seconds at the latest. ``POST /executions/{id}/cancel``: returns at once.
- ``GET /_lab/health`` needs no token.
"""

from __future__ import annotations

import hmac
import json
import os
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from urllib.parse import parse_qs, urlsplit

from pyspark.sql import SparkSession

from lab.spark_worker.code_folders import CodeFolders
from lab.spark_worker.notebook_task import NotebookTask
from lab.spark_worker.statement import Statement
from lab.spark_worker.work import Work
from lab.state import State

KEPT = 200


class Desk:
    """All work, running and finished. The results of the last ``KEPT`` finished pieces remain available."""

    def __init__(self, state: State, session: SparkSession) -> None:
        self._state = state
        self._session = session
        self._folders = CodeFolders(state.path("workspace"))
        self._folders.install()
        self._work: dict[str, Work] = {}
        self._lock = threading.Lock()

    def start(self, kind: str, request: dict[str, Any]) -> Work:
        with self._lock:
            work = self._work.get(request["id"])
            if work is None:
                work = self._make(kind, **request)
                self._work[work.id] = work
                work.start()
                ended = [id for id, work in self._work.items() if work.terminal]
                for id in ended[:-KEPT]:
                    del self._work[id]
        return work

    def _make(self, kind: str, **request: Any) -> Work:
        if kind == "notebooks":
            return NotebookTask(base=self._session, state=self._state, folders=self._folders, **request)
        return Statement(base=self._session, **request)

    def find(self, id: str) -> Work | None:
        return self._work.get(id)


class Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    server: Server

    def do_GET(self) -> None:
        url = urlsplit(self.path)
        if url.path == "/_lab/health":
            return self._answer(200, {"service": "spark", "pid": os.getpid()})
        if not self._allowed():
            return None
        work = self._work(url.path)
        if work is not None:
            query = parse_qs(url.query)
            if "wait" in query:
                work.wait(float(query["wait"][0]), query.get("beyond", [work.state])[0])
            self._answer(200, work.view())
        return None

    def do_POST(self) -> None:
        body = self.rfile.read(int(self.headers.get("Content-Length") or 0))
        if not self._allowed():
            return
        path = urlsplit(self.path).path
        if path in ("/notebooks", "/statements"):
            try:
                work = self.server.desk.start(path.strip("/"), json.loads(body))
            except (KeyError, TypeError, ValueError) as error:
                return self._answer(400, {"error": f"{type(error).__name__}: {error}"})
            return self._answer(200, {"state": work.state})
        canceled = self._work(path.removesuffix("/cancel"))
        if canceled is not None:
            canceled.cancel()
            self._answer(200, {"state": canceled.state})

    def _work(self, path: str) -> Work | None:
        work = self.server.desk.find(path.removeprefix("/executions/"))
        if work is None:
            self._answer(404, {"error": f"no work at {path}"})
        return work

    def _allowed(self) -> bool:
        given = self.headers.get("Authorization", "")
        if hmac.compare_digest(given.encode(), f"Bearer {self.server.token}".encode()):
            return True
        self._answer(403, {"error": "Authorization: the stand-in's token is required"})
        return False

    def _answer(self, status: int, body: dict[str, Any]) -> None:
        content = json.dumps(body).encode()
        self.send_response(status)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(content)))
        self.end_headers()
        self.wfile.write(content)

    def log_message(self, format: str, *args: object) -> None:
        pass


class Server(ThreadingHTTPServer):
    daemon_threads = True

    def __init__(self, state: State, session: SparkSession) -> None:
        self.desk = Desk(state, session)
        self.token = state.secret("databricks_token")
        super().__init__(("127.0.0.1", state.port("spark")), Handler)

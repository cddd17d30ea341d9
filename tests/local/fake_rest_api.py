"""A REST API with a Kafka REST proxy behind it, in this process: keeps what it is sent, fails when it is told to."""

from __future__ import annotations

import contextlib
import json
import socket
import struct
import threading
from collections.abc import Callable
from dataclasses import dataclass
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

API_KEY = "the-key-nobody-may-see-0123456789"
PARTITIONS = 3


@dataclass
class Fault:
    """One request's mishap. ``kept`` stores the records first: the effect is there, the answer is lost or wrong."""

    status: int | None = None
    body: bytes = b'{"message": "injected"}'
    headers: tuple[tuple[str, str], ...] = ()
    reset: bool = False
    hang: bool = False
    kept: bool = False


@dataclass
class Stored:
    key: Any
    value: dict[str, Any]
    partition: int
    offset: int


@dataclass
class Request:
    path: str
    headers: dict[str, str]
    records: list[dict[str, Any]]
    size: int
    client: tuple[str, int]


class FakeRestApi:
    """Topics keep records in partition ``key % 3``. ``record_error`` may refuse single records inside a 200."""

    def __init__(self) -> None:
        self.topics: dict[str, list[Stored]] = {}
        self.requests: list[Request] = []
        self.faults: list[Fault | None] = []
        self.fault_for: Callable[[Request], Fault | None] = lambda request: None
        self.record_error: Callable[[Request, dict[str, Any]], tuple[int, str] | None] = lambda request, record: None
        self.before: Callable[[Request], None] = lambda request: None
        self.released = threading.Event()
        self._lock = threading.Lock()
        self._server = ThreadingHTTPServer(("127.0.0.1", 0), self._handler())
        self._server.daemon_threads = True
        self._thread = threading.Thread(target=self._server.serve_forever, kwargs={"poll_interval": 0.01}, daemon=True)

    def __enter__(self) -> FakeRestApi:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self.released.set()
        self._server.shutdown()
        self._server.server_close()

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self._server.server_address[1]}/prod"

    def keys(self, topic: str) -> list[int]:
        return [stored.key for stored in self.topics.get(topic, [])]

    def store(self, request: Request) -> list[dict[str, Any]]:
        answers = []
        with self._lock:
            topic = self.topics.setdefault(request.path.rsplit("/", 1)[1], [])
            for record in request.records:
                error = self.record_error(request, record)
                if error is not None:
                    answers.append({"partition": None, "offset": None, "error_code": error[0], "error": error[1]})
                    continue
                partition = record["key"] % PARTITIONS
                offset = sum(stored.partition == partition for stored in topic)
                topic.append(Stored(record["key"], record["value"], partition, offset))
                answers.append({"partition": partition, "offset": offset, "error_code": None, "error": None})
        return answers

    def next_fault(self, request: Request) -> Fault | None:
        with self._lock:
            self.requests.append(request)
            if self.faults:
                return self.faults.pop(0)
        return self.fault_for(request)

    def _handler(api) -> type[BaseHTTPRequestHandler]:
        class Handler(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"
            disable_nagle_algorithm = True

            def do_POST(self) -> None:
                body = self.rfile.read(int(self.headers["Content-Length"]))
                request = Request(
                    self.path, dict(self.headers), json.loads(body)["records"], len(body), self.client_address
                )
                fault = api.next_fault(request)
                api.before(request)
                if fault is None or fault.kept:
                    offsets = api.store(request)
                if fault is None:
                    answer = {"offsets": offsets, "key_schema_id": None, "value_schema_id": None}
                    self.answer(200, json.dumps(answer).encode())
                elif fault.hang:
                    api.released.wait(30)
                    self.close_connection = True
                elif fault.reset:
                    self.connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
                    self.connection.close()
                    self.close_connection = True
                else:
                    self.answer(fault.status or 200, fault.body, fault.headers)

            def answer(self, status: int, body: bytes, headers: tuple[tuple[str, str], ...] = ()) -> None:
                self.send_response(status)
                for name, value in headers:
                    self.send_header(name, value)
                self.send_header("Content-Length", str(len(body)))
                self.end_headers()
                self.wfile.write(body)

            def finish(self) -> None:
                with contextlib.suppress(OSError, ValueError):
                    super().finish()

            def log_message(self, *_: object) -> None:
                pass

        return Handler

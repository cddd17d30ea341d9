"""An HTTP server that keeps every request as it came and answers as a test tells it."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from email.message import Message
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

LONGEST_WAIT = 30


@dataclass
class Received:
    method: str
    path: str
    headers: Message
    body: bytes
    connection: tuple[str, int]


@dataclass
class Backend:
    """``answering`` is set; a test that clears it leaves every caller without an answer until it is set again."""

    url: str = ""
    status: int = 200
    headers: list[tuple[str, str]] = field(default_factory=lambda: [("Content-Type", "application/json")])
    body: bytes = b"{}"
    requests: list[Received] = field(default_factory=list)
    answering: threading.Event = field(default_factory=threading.Event)


@contextmanager
def running_backend() -> Iterator[Backend]:
    backend = Backend()
    backend.answering.set()

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def answer(self) -> None:
            body = self.rfile.read(int(self.headers.get("Content-Length", 0)))
            backend.requests.append(Received(self.command, self.path, self.headers, body, self.client_address))
            backend.answering.wait(LONGEST_WAIT)
            self.send_response(backend.status)
            for name, value in backend.headers:
                self.send_header(name, value)
            self.send_header("Content-Length", str(len(backend.body)))
            self.end_headers()
            self.wfile.write(backend.body)

        do_GET = do_POST = do_PUT = do_PATCH = do_DELETE = answer

        def log_message(self, *_args: object) -> None:
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    server.daemon_threads = True
    backend.url = f"http://127.0.0.1:{server.server_port}"
    threading.Thread(target=server.serve_forever, args=(0.05,), daemon=True).start()
    try:
        yield backend
    finally:
        backend.answering.set()
        server.shutdown()
        server.server_close()

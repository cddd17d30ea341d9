"""A source that answers with a refusal, or not at all."""

from __future__ import annotations

import socket
import socketserver
import struct
import threading

import pytest

from include.posting.source_connection import SourceError, source_engine
from include.posting.source_tables import SourceTables

PASSWORD = "s3cret-of-the-reader"


@pytest.fixture
def refusing_server():
    """A MySQL server that answers every client with error 1045, in MySQL's own protocol."""

    class Refuse(socketserver.BaseRequestHandler):
        def handle(self) -> None:
            text = b"\xff" + struct.pack("<H", 1045) + b"#28000Access denied for user 'project_user'@'localhost'"
            self.request.sendall(struct.pack("<I", len(text))[:3] + b"\x00" + text)

    with socketserver.ThreadingTCPServer(("127.0.0.1", 0), Refuse) as server:
        threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01}, daemon=True).start()
        yield server.server_address[1]
        server.shutdown()


def mysql(port: int) -> SourceTables:
    engine = source_engine(
        host="127.0.0.1", port=port, login="project_user", password=PASSWORD, schema="pinterest_data"
    )
    return SourceTables(engine, connection_id="pinterest_source")


def everything_said(error: BaseException) -> str:
    said = []
    current: BaseException | None = error
    while current is not None:
        said += [str(current), repr(current)]
        current = current.__cause__
    return " ".join(said)


def test_a_wrong_password_names_the_connection_and_never_the_password(refusing_server):
    with mysql(refusing_server) as source, pytest.raises(SourceError) as error:
        source.read("pin", [1])

    assert "Connection 'pinterest_source'" in str(error.value)
    assert f"project_user@127.0.0.1:{refusing_server}/pinterest_data" in str(error.value)
    assert "Access denied" in str(error.value)
    assert "correct the login and password" in str(error.value)
    assert PASSWORD not in everything_said(error.value)


def test_a_server_that_is_not_there_is_named():
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]

    with mysql(port) as source, pytest.raises(SourceError, match="host and port") as error:
        source.read("user", [1])
    assert "user_data" in str(error.value)
    assert PASSWORD not in everything_said(error.value)

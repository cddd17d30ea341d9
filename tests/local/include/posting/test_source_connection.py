"""A source that answers with a refusal, or not at all."""

from __future__ import annotations

import socket
import socketserver
import struct
import threading
import time

import pytest

from include.faults import LastingError
from include.posting.source_connection import SourceError, source_engine
from include.posting.source_tables import SourceTables

PASSWORD = "s3cret-of-the-reader"
TLS_OFFERED = 0x0800


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


@pytest.fixture
def server_without_tls():
    """A MySQL server that offers no TLS, in MySQL's own protocol: (its port, what clients said to it)."""
    heard = []

    class Greet(socketserver.BaseRequestHandler):
        def handle(self) -> None:
            offered = 0x0008_A200 & ~TLS_OFFERED  # logins as of MySQL 4.1, with the plugin named
            greeting = b"\x0a8.0.36\x00" + struct.pack("<I", 1) + b"saltsalt\x00" + struct.pack("<H", offered & 0xFFFF)
            greeting += struct.pack("<BHHB", 45, 2, offered >> 16, 21) + bytes(10) + b"saltsaltsalt\x00"
            greeting += b"mysql_native_password\x00"
            self.request.sendall(struct.pack("<I", len(greeting))[:3] + b"\x00" + greeting)
            heard.append(self.request.recv(1000))

    with socketserver.ThreadingTCPServer(("127.0.0.1", 0), Greet) as server:
        threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01}, daemon=True).start()
        yield server.server_address[1], heard
        server.shutdown()


def mysql(port: int, extra=None) -> SourceTables:
    engine = source_engine(
        host="127.0.0.1", port=port, login="project_user", password=PASSWORD, schema="pinterest_data", extra=extra
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
    assert "may have to use TLS" in str(error.value)
    assert isinstance(error.value, LastingError)
    assert PASSWORD not in everything_said(error.value)


def test_a_server_that_is_not_there_is_named():
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]

    with mysql(port) as source, pytest.raises(SourceError, match="host and port") as error:
        source.read("user", [1])
    assert not isinstance(error.value, LastingError)
    assert "user_data" in str(error.value)
    assert PASSWORD not in everything_said(error.value)


@pytest.mark.parametrize("extra", [{"ssl_mode": "REQUIRED"}, {"ssl_mode": "VERIFY_IDENTITY"}, {"ssl": True}])
def test_a_server_without_tls_gets_no_login_where_tls_is_required(server_without_tls, extra):
    port, heard = server_without_tls
    with mysql(port, extra) as source, pytest.raises(SourceError) as error:
        source.read("pin", [1])

    assert "TLS is required, and the server does not offer it" in str(error.value)
    assert isinstance(error.value, LastingError)
    wait_until_closed(heard)
    assert heard == [b""]


@pytest.mark.parametrize("extra", [None, {"ssl_mode": "PREFERRED"}, {"ssl_mode": "DISABLED"}])
def test_a_server_without_tls_is_used_where_tls_is_not_required(server_without_tls, extra):
    port, heard = server_without_tls
    with mysql(port, extra) as source, pytest.raises(SourceError, match="Lost connection"):
        source.read("pin", [1])

    assert b"project_user" in heard[0]


def wait_until_closed(heard):
    end = time.monotonic() + 10
    while not heard:
        assert time.monotonic() < end, "the client keeps the connection open"
        time.sleep(0.01)

"""Unit tests open no sockets."""

from __future__ import annotations

import socket

import pytest

from tests.isolated_airflow import isolate_airflow

isolate_airflow()


@pytest.fixture(scope="module", autouse=True)
def no_sockets():
    """A unit test that listens or connects fails, also where the code under test would only log the error."""
    refused: list[str] = []

    def refuse(_self: socket.socket, address: object) -> None:
        refused.append(str(address))
        raise AssertionError(f"a unit test opens a socket to {address}: it belongs in tests/local")

    with pytest.MonkeyPatch.context() as patch:
        for name in ("bind", "connect", "connect_ex"):
            patch.setattr(socket.socket, name, refuse)
        yield refused


@pytest.fixture(autouse=True)
def _no_socket_was_refused(no_sockets):
    no_sockets.clear()
    yield
    assert not no_sockets, f"sockets to {', '.join(no_sockets)}: this test belongs in tests/local"

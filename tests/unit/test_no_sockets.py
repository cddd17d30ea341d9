"""The guard of this folder, without which a test could reach the network unseen."""

from __future__ import annotations

import contextlib
import socket

import pytest


@pytest.mark.parametrize(
    "use",
    [
        pytest.param(lambda: socket.create_server(("127.0.0.1", 0)), id="listen"),
        pytest.param(lambda: socket.create_connection(("127.0.0.1", 9)), id="connect"),
        pytest.param(lambda: socket.socket().connect_ex(("127.0.0.1", 9)), id="look for a listener"),
    ],
)
def test_a_socket_is_refused_and_remembered_where_the_refusal_is_swallowed(no_sockets, use):
    with pytest.raises(AssertionError, match="belongs in tests/local"):
        use()
    with contextlib.suppress(AssertionError):
        use()

    assert len(no_sockets) == 2
    no_sockets.clear()

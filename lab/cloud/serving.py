"""How a stand-in serves its port: loopback only, with a health check and faults on demand."""

from __future__ import annotations

import os
from typing import Any

from aiohttp import web

from lab.cloud.faults import install_faults
from lab.state import State

HOST = "127.0.0.1"


async def serve(state: State, name: str, app: web.Application, *, auto_decompress: bool = True) -> web.AppRunner:
    """Serve ``app`` on the port that the state keeps for ``name``.

    ``GET /_lab/health`` answers with the name and this process's id, so a starter can tell our answer from another
    program's. ``faults`` describes ``/_lab/faults``.
    """

    async def health(_: web.Request) -> web.Response:
        return web.json_response({"service": name, "pid": os.getpid()})

    app.router.add_get("/_lab/health", health)
    install_faults(app)
    runner = web.AppRunner(app, access_log=None, shutdown_timeout=2, auto_decompress=auto_decompress)
    await runner.setup()
    try:
        await web.TCPSite(runner, HOST, state.port(name)).start()
    except OSError as error:
        await runner.cleanup()
        raise PortTakenError(state, name) from error
    return runner


async def close(server: Any) -> None:
    """Close what a stand-in's ``start`` returned: an aiohttp runner, or anything with ``close``/``wait_closed``."""
    if isinstance(server, web.AppRunner):
        await server.cleanup()
        return
    server.close()
    if hasattr(server, "wait_closed"):
        await server.wait_closed()


class PortTakenError(RuntimeError):
    def __init__(self, state: State, name: str) -> None:
        super().__init__(
            f"{name}: port {state.port(name)} on {HOST} is taken by another program. Stop it; or delete the port's "
            f"line in {state.path('ports.json')} and start the lab again: it chooses another"
        )

"""``python -m lab.cloud [STAND-IN ...]``: start them (default: all), print ``ready``, serve until SIGTERM."""

from __future__ import annotations

import asyncio
import contextlib
import importlib
import logging
import signal
import sys
from typing import Any

from lab.cloud.serving import PortTakenError, close
from lab.state import State

STAND_INS = ("gateway", "msk_connect", "databricks", "ssh_host", "mirror")

log = logging.getLogger("lab.cloud")


async def main(names: list[str]) -> None:
    state = State.open()
    stop = asyncio.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        asyncio.get_running_loop().add_signal_handler(number, stop.set)
    servers: list[Any] = []
    try:
        for name in names or STAND_INS:
            servers += await importlib.import_module(f"lab.cloud.{name}").start(state)
        print("ready", flush=True)
        await stop.wait()
    finally:
        for server in reversed(servers):
            with contextlib.suppress(TimeoutError):
                await asyncio.wait_for(close(server), timeout=5)


if __name__ == "__main__":
    logging.basicConfig(level=logging.INFO, format="%(asctime)s %(levelname)s %(name)s: %(message)s")
    unknown = set(sys.argv[1:]) - set(STAND_INS)
    if unknown:
        sys.exit(f"no such stand-in: {', '.join(sorted(unknown))}; there are {', '.join(STAND_INS)}")
    try:
        asyncio.run(main(sys.argv[1:]))
    except PortTakenError as error:
        sys.exit(str(error))

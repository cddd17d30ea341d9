"""``python -m rest_proxy kafka-rest.properties``: serve until SIGTERM."""

from __future__ import annotations

import asyncio
import logging
import signal
import sys
from pathlib import Path

from aiohttp import web

from .api import application
from .properties import Configuration, PropertiesError

log = logging.getLogger("rest_proxy")


async def serve(configuration: Configuration) -> None:
    stop = asyncio.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        asyncio.get_running_loop().add_signal_handler(number, stop.set)
    runner = web.AppRunner(application(configuration), access_log=None, shutdown_timeout=25)
    await runner.setup()
    try:
        await web.TCPSite(runner, configuration.host, configuration.port).start()
        log.info("Server started, listening for requests at http://%s:%d", configuration.host, configuration.port)
        await stop.wait()
        log.info("Shutting down")
    finally:
        await runner.cleanup()


def main(arguments: list[str]) -> None:
    if len(arguments) != 1:
        sys.exit("USAGE: kafka-rest-start kafka-rest.properties")
    logging.basicConfig(level=logging.INFO, format="[%(asctime)s] %(levelname)s %(message)s (%(name)s)")
    [file] = arguments
    try:
        asyncio.run(serve(Configuration.read(Path(file))))
    except (PropertiesError, OSError) as error:
        sys.exit(f"{file}: {error}")


if __name__ == "__main__":
    main(sys.argv[1:])

"""``python -m lab.spark_worker``: start Spark, serve on the lab's Spark port until SIGTERM."""

from __future__ import annotations

import logging
import os
import signal
import sys
import threading
import time

from lab.spark_worker.output import route_output
from lab.spark_worker.server import Server
from lab.spark_worker.session import close_session, open_session
from lab.spark_worker.streaming import route_batches
from lab.spark_worker.warm_up import warm_up
from lab.state import State

log = logging.getLogger("lab.spark_worker")


def main() -> None:
    began = time.monotonic()
    sys.dont_write_bytecode = True  # bytecode would show up in the workspace folders of uploaded modules
    route_output()
    logging.basicConfig(level=logging.INFO, format="%(asctime)s %(levelname)s %(name)s: %(message)s", stream=sys.stderr)
    for name in ("py4j", "SQLQueryContextLogger", "DataFrameQueryContextLogger"):
        logging.getLogger(name).setLevel(logging.CRITICAL + 1)  # a notebook's error reaches its caller anyway
    state = State.open()
    session = open_session(state)
    route_batches(session)
    server = Server(state, session)
    signal.signal(signal.SIGTERM, lambda *_: threading.Thread(target=server.shutdown).start())
    threading.Thread(target=warm_up, args=(session, state.path("lake", "scratch")), daemon=True).start()
    log.info("ready after %.1f s on port %d", time.monotonic() - began, state.port("spark"))
    try:
        server.serve_forever(poll_interval=0.2)
    finally:
        server.server_close()
        close_session(session)
    logging.shutdown()
    os._exit(0)  # notebooks' own threads must not keep a stopped worker alive


if __name__ == "__main__":
    main()

"""Airflow's command line in processes that are forked from one that has loaded it, each started in a second."""

from __future__ import annotations

import atexit
import multiprocessing
import os
import signal
import sys
from multiprocessing import forkserver
from multiprocessing.context import ForkServerContext
from pathlib import Path
from typing import Any
from unittest import mock

from lab.state import CHECKOUT

PRELOADED = "preloaded_airflow"


class AirflowProcess:
    """One call of ``airflow``, the leader of a process group, its output in a file."""

    def __init__(self, context: ForkServerContext, arguments: list[str], changes: dict[str, str], log: Path) -> None:
        log.write_bytes(b"")
        self._process = context.Process(target=call, args=(arguments, changes, log))
        self._process.start()

    def poll(self) -> int | None:
        """The exit code, or None while it runs."""
        return self._process.exitcode

    def wait(self, timeout: float | None = None) -> int:
        self._process.join(timeout)
        if self._process.exitcode is None:
            raise TimeoutError(f"airflow still runs after {timeout} s")
        return self._process.exitcode

    def kill(self) -> None:
        """SIGKILL it and all that it has started; return when it has ended."""
        assert self._process.pid
        if self.poll() is None:
            os.killpg(self._process.pid, signal.SIGKILL)
        self._process.join()


class AirflowServer:
    """The process that has Airflow in memory. It loads Airflow in the background, and once for a session of tests.

    :param environment: what ``bin/airflow`` would read from its file
    """

    def __init__(self, environment: dict[str, str]) -> None:
        self._context: Any = multiprocessing.get_context("forkserver")
        self._context.set_forkserver_preload([PRELOADED])
        search = [str(CHECKOUT), str(Path(__file__).parent)]
        with mock.patch.dict(os.environ, {**environment, "PYTHONPATH": os.pathsep.join(search)}):
            forkserver.ensure_running()

    def start(self, arguments: list[str], log: Path, **changes: str) -> AirflowProcess:
        """``airflow`` with these arguments; ``changes`` are variables that it sees in place of the lab's."""
        return AirflowProcess(self._context, arguments, changes, log)


def call(arguments: list[str], changes: dict[str, str], log: Path) -> None:
    """Runs in the forked process."""
    os.setsid()
    with log.open("wb") as output:
        for stream in (sys.stdout, sys.stderr):
            os.dup2(output.fileno(), stream.fileno())
    assert PRELOADED in sys.modules, f"{PRELOADED} could not be imported in the process that this is forked from"
    from airflow.__main__ import main

    os.environ |= changes
    sys.argv = ["airflow", *arguments]
    try:
        main()
    finally:
        atexit._run_exitfuncs()  # a forked process skips them

"""The services under ``supervisor``: its configuration, and a client for its Unix socket.

supervisord restarts a program that dies. It knows nothing of order or readiness: ``lifecycle`` starts the programs one
by one.
"""

from __future__ import annotations

import os
import shlex
import signal
import subprocess
import sys
import time
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from xmlrpc.client import Fault, ServerProxy

from supervisor.xmlrpc import SupervisorTransport

from lab.processes import MARK
from lab.progress import StepError
from lab.state import State, write_private

STARTED = ("RUNNING", "STARTING", "BACKOFF")
ALIVE = (*STARTED, "STOPPING")
KEPT_VARIABLES = ("HOME", "PATH", "USER", "LOGNAME", "TMPDIR")

DAEMON = """[supervisord]
nodaemon=true
logfile={log}
logfile_maxbytes=5MB
logfile_backups=1
pidfile={folder}/supervisord.pid
childlogdir={folder}/logs
identifier=lab
umask=077

[unix_http_server]
file={socket}
chmod=0700

[rpcinterface:supervisor]
supervisor.rpcinterface_factory=supervisor.rpcinterface:make_main_rpcinterface
"""

PROGRAM = """
[program:{name}]
command={command}
directory={folder}
environment={environment}
autostart=false
autorestart=true
startsecs=5
startretries=3
stopwaitsecs={seconds_to_stop}
stopasgroup=true
killasgroup=true
redirect_stderr=true
stdout_logfile={log}
stdout_logfile_maxbytes=20MB
stdout_logfile_backups=1
"""


@dataclass(frozen=True)
class Program:
    """What supervisord needs to know about a service."""

    name: str
    command: Sequence[str]
    environment: dict[str, str]
    seconds_to_stop: int = 15


@dataclass(frozen=True)
class Process:
    """What supervisord reports about a program. ``state`` is its term: RUNNING, STARTING, BACKOFF, FATAL, STOPPED…"""

    name: str
    state: str
    pid: int
    started: float
    message: str


class Supervisor:
    """One supervisord per state folder."""

    def __init__(self, state: State) -> None:
        self.state = state
        self.socket = state.socket("supervisor")
        self.configuration = state.path("supervisord.conf")

    @property
    def rpc(self) -> Any:
        transport = SupervisorTransport(None, None, f"unix://{self.socket}")
        return ServerProxy("http://127.0.0.1", transport=transport).supervisor

    def is_alive(self) -> bool:
        try:
            return bool(self.rpc.getState()["statename"] == "RUNNING")
        except (OSError, Fault):
            return False

    def configure(self, programs: Sequence[Program]) -> None:
        """Write the configuration. A running supervisord adopts the changes, which stops the changed programs."""
        text = configuration(self.state, self.socket, programs)
        if self.configuration.exists() and self.configuration.read_text() == text:
            return
        write_private(self.configuration, text)
        if self.is_alive():
            [[added, changed, removed]] = self.rpc.reloadConfig()
            for name in (*changed, *removed):
                self.rpc.stopProcessGroup(name)
                self.rpc.removeProcessGroup(name)
            for name in (*added, *changed):
                self.rpc.addProcessGroup(name)

    def start_daemon(self) -> None:
        """Start supervisord so that it outlives this process and never receives the terminal's Ctrl-C."""
        with self.state.log("supervisord-start").open("w") as log:
            process = subprocess.Popen(
                [sys.executable, "-m", "supervisor.supervisord", "--configuration", str(self.configuration)],
                stdin=subprocess.DEVNULL,
                stdout=subprocess.DEVNULL,
                stderr=log,
                cwd=self.state.root,
                env=clean_environment(),
                start_new_session=True,
            )
        deadline = time.monotonic() + 15
        while not self.is_alive():
            if process.poll() is not None or time.monotonic() > deadline:
                said = Path(log.name).read_text().strip()
                raise StepError(
                    f"supervisord, which runs the lab's services, did not start: {said}",
                    f"read {self.state.log('supervisord')}; then run the same command again",
                )
            time.sleep(0.05)

    def start(self, name: str) -> None:
        if self.process(name).state not in STARTED:
            self.rpc.startProcess(name, False)

    def stop(self, *names: str) -> None:
        """Stop the programs in parallel and wait until they have ended."""
        for process in self.processes():
            if process.name in names and process.state in ALIVE:
                with suppress(Fault):  # it exited on its own in the meantime
                    self.rpc.stopProcess(process.name, False)
        while any(process.name in names and process.state in ALIVE for process in self.processes()):
            time.sleep(0.1)

    def process(self, name: str) -> Process:
        return view(self.rpc.getProcessInfo(name))

    def processes(self) -> list[Process]:
        return [view(info) for info in self.rpc.getAllProcessInfo()] if self.is_alive() else []

    def pid(self) -> int:
        return int(self.rpc.getPID())

    def stop_daemon(self) -> None:
        """Stop every program, then supervisord itself."""
        pid = self.pid()
        self.stop(*(process.name for process in self.processes()))
        os.kill(pid, signal.SIGTERM)


def view(info: dict[str, Any]) -> Process:
    return Process(info["name"], info["statename"], info["pid"], info["start"], info["spawnerr"] or info["description"])


def configuration(state: State, socket: Path, programs: Sequence[Program]) -> str:
    daemon = DAEMON.format(log=escape(state.log("supervisord")), folder=escape(state.root), socket=escape(socket))
    return daemon + "".join(
        PROGRAM.format(
            name=program.name,
            command=escape(shlex.join(program.command)),
            folder=escape(state.root),
            environment=",".join(
                f'{name}="{escape(value)}"'
                for name, value in {**program.environment, **state.environment(), MARK: str(state.root)}.items()
            ),
            seconds_to_stop=program.seconds_to_stop,
            log=escape(state.log(program.name)),
        )
        for program in programs
    )


def escape(value: object) -> str:
    """supervisord expands %(…)s in every value."""
    return str(value).replace("%", "%%")


def clean_environment() -> dict[str, str]:
    """The part of the caller's environment that services inherit: nothing that could redirect them."""
    kept = {name: os.environ[name] for name in KEPT_VARIABLES if name in os.environ}
    return kept | {"LANG": "C.UTF-8", "TZ": "UTC"}

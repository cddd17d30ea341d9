"""The processes of one lab, recognized by their environment, including those no longer supervised."""

from __future__ import annotations

import socket
from collections.abc import Iterable
from dataclasses import dataclass

import psutil

from lab.state import State

MARK = "LAB_SUPERVISED"


@dataclass(frozen=True)
class Holder:
    """Who listens on a port. ``pid`` is None for another user's process, which cannot be inspected."""

    port: int
    pid: int | None
    program: str


def of_lab(state: State) -> list[psutil.Process]:
    """Everything that a supervisor of this lab or its client machine started, child processes included."""
    root, home = str(state.root), str(state.path("client_machine", "home"))
    return [
        process
        for process in psutil.process_iter()
        if (environment := environment_of(process)).get(MARK) == root or environment.get("HOME") == home
    ]


def environment_of(process: psutil.Process) -> dict[str, str]:
    try:
        environment: dict[str, str] = process.environ()
    except (psutil.Error, OSError):
        return {}
    return environment


def children(pid: int) -> list[psutil.Process]:
    try:
        found: list[psutil.Process] = psutil.Process(pid).children(recursive=True)
    except psutil.Error:
        return []
    return found


def end(processes: Iterable[psutil.Process], seconds: float = 10) -> None:
    """Terminate the processes; kill those still alive after ``seconds``."""
    processes = list(processes)
    for process in processes:
        try:
            process.terminate()
        except psutil.NoSuchProcess:
            continue
    _, alive = psutil.wait_procs(processes, timeout=seconds)
    for process in alive:
        try:
            process.kill()
        except psutil.NoSuchProcess:
            continue
    psutil.wait_procs(alive, timeout=30)  # killed is not yet gone: a loaded machine takes its time


def holder_of(port: int) -> Holder | None:
    """Who holds the port on the loopback address, if anyone."""
    with socket.socket() as candidate:
        candidate.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)  # as a restarting server would
        try:
            candidate.bind(("127.0.0.1", port))
        except OSError:
            return Holder(port, *listener_at(port))
    return None


def listener_at(port: int) -> tuple[int | None, str]:
    for process in psutil.process_iter():
        try:
            for connection in process.net_connections("tcp"):
                if connection.laddr and connection.laddr.port == port:
                    return process.pid, " ".join(process.cmdline())[:120] or process.name()
        except (psutil.Error, OSError):
            continue
    return None, "a program of another user"


def memory(pid: int) -> int:
    """Bytes used by a process and its children. On Linux, shared pages count once."""
    total = 0
    for process in [psutil.Process(pid), *children(pid)] if psutil.pid_exists(pid) else []:
        try:
            held = process.memory_full_info() if psutil.LINUX else process.memory_info()
            total += getattr(held, "pss", 0) or held.rss
        except psutil.Error:
            continue
    return total


def started(pid: int) -> float | None:
    """When a process started (seconds since the epoch), or None if there is no such process."""
    try:
        return float(psutil.Process(pid).create_time())
    except psutil.Error:
        return None

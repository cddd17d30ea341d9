"""The lab's services as a table."""

from __future__ import annotations

import time
from collections.abc import Sequence

from lab import airflow_ui, processes
from lab.services import services
from lab.state import State
from lab.supervision import Process, Supervisor

TITLES = ("service", "state", "pid", "port", "memory", "uptime", "log file")


def table(state: State) -> str:
    supervisor = Supervisor(state)
    known = {process.name: process for process in supervisor.processes()}
    ports = {service.name: [state.port(name) for name in service.ports] for service in services(state)}
    ports |= {name: [state.port("airflow")] if name == airflow_ui.API_SERVER else [] for name in airflow_ui.COMPONENTS}
    wanted = [name for name in ports if name not in airflow_ui.COMPONENTS or (name in known and known[name].pid)]
    rows = [row(state, name, known.get(name), ports[name]) for name in wanted]
    if proxy := rest_proxy(state):
        rows.append(proxy)
    return layout([TITLES, *rows])


def row(state: State, name: str, process: Process | None, ports: list[int]) -> tuple[str, ...]:
    listed = ",".join(map(str, ports)) or "-"
    if process is None or not process.pid:
        said = process.state.lower() if process else "stopped"
        return name, said, "-", listed, "-", "-", str(state.log(name))
    memory = f"{processes.memory(process.pid) / 2**20:.0f} MB"
    uptime = duration(time.time() - process.started)
    return name, process.state.lower(), str(process.pid), listed, memory, uptime, str(state.log(name))


def rest_proxy(state: State) -> tuple[str, ...] | None:
    """The process that the DAG started on the client machine: shown while it runs, but not supervised by the lab."""
    folder = state.path("client_machine", "home", "kafka-rest")
    try:
        pid = int((folder / "kafka-rest.pid").read_text())
        started = processes.started(pid)
    except (OSError, ValueError):
        return None
    if started is None:
        return None
    memory = f"{processes.memory(pid) / 2**20:.0f} MB"
    log = str(folder / "kafka-rest.log")
    return (
        "rest proxy*",
        "running",
        str(pid),
        str(state.port("rest_proxy")),
        memory,
        duration(time.time() - started),
        log,
    )


def duration(seconds: float) -> str:
    minutes, seconds = divmod(int(seconds), 60)
    hours, minutes = divmod(minutes, 60)
    return f"{hours}:{minutes:02d}:{seconds:02d}"


def layout(rows: Sequence[tuple[str, ...]]) -> str:
    widths = [max(len(row[column]) for row in rows) for column in range(len(rows[0]))]
    return "\n".join(
        "  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)).rstrip() for row in rows
    )

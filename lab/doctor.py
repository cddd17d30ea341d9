"""Everything that is missing or wrong, all at once, each with its fix."""

from __future__ import annotations

import os
import shutil
import sys
from collections.abc import Iterator
from dataclasses import dataclass

import psutil

from lab import processes
from lab.services import services
from lab.setup import mariadb, steps
from lab.setup.platforms import why_unsupported
from lab.state import CHECKOUT, State
from lab.supervision import Supervisor

DISK_NEEDED = 4 * 2**30
MEMORY_NEEDED = 5 * 2**30


@dataclass(frozen=True)
class Finding:
    problem: str
    fix: str


def report(state: State) -> int:
    """Print the findings; exit code 1 if there are any."""
    found = list(findings(state))
    for number, finding in enumerate(found, 1):
        print(f"{number}. {finding.problem}\n   fix: {finding.fix}")
    if not found:
        print("Nothing is missing or wrong.")
    return 1 if found else 0


def findings(state: State) -> Iterator[Finding]:
    yield from of_the_machine(state)
    yield from of_the_installation(state)
    yield from of_the_services(state)


def of_the_machine(state: State) -> Iterator[Finding]:
    if sentence := why_unsupported():
        yield Finding(sentence, "Use a supported machine or a virtual machine.")
    if sys.version_info[:2] != (3, 12):
        yield Finding(
            f"Python is {sys.version.split()[0]}, not 3.12", "Install Python 3.12, delete .venv, run `make lab`."
        )
    for program in ("make", "curl", "bash"):
        if not shutil.which(program):
            yield Finding(f"{program} is not on PATH", f"Install the package {program}.")
    if not mariadb.can_be_had():
        yield Finding("no MariaDB server is available here", mariadb.INSTALL_IT)
    free = shutil.disk_usage(CHECKOUT).free
    if free < DISK_NEEDED:
        yield Finding(
            f"{free / 2**30:.1f} GB of disk space is free; the lab needs {DISK_NEEDED / 2**30:.0f}", "Free some space."
        )
    memory = psutil.virtual_memory().total
    if memory < MEMORY_NEEDED:
        yield Finding(
            f"the machine has {memory / 2**30:.1f} GB of memory; the demo peaks at 3.6", "Close other programs."
        )
    for folder in (state.root, state.install):
        if folder.exists() and not os.access(folder, os.W_OK):
            yield Finding(f"{folder} is not writable", f"sudo chown -R {os.getuid()} '{folder}'")


def of_the_installation(state: State) -> Iterator[Finding]:
    if state.install.exists():
        for name in steps.missing_parts(state):
            yield Finding(f"not installed or out of date: {name}", "Run `make lab`.")
    else:
        yield Finding("nothing is installed yet", "Run `make lab`.")


def of_the_services(state: State) -> Iterator[Finding]:
    supervisor = Supervisor(state)
    if not supervisor.is_alive():
        if leftovers := processes.of_lab(state):
            pids = " ".join(str(process.pid) for process in leftovers)
            yield Finding(f"processes of this lab are running without a supervisor: {pids}", "Run `make lab-down`.")
        else:
            for service in services(state) if mariadb.description(state).exists() else []:
                for name in service.ports:
                    if holder := processes.holder_of(state.port(name)):
                        yield Finding(
                            f"{service.name}'s port {holder.port} is taken by {holder.program} (pid {holder.pid})",
                            f"Stop it, or delete the port's line in {state.path('ports.json')}.",
                        )
        return
    for service in services(state):
        process = supervisor.process(service.name)
        if process.state != "RUNNING":
            yield Finding(
                f"{service.name} is {process.state.lower()}", f"Run `make lab`; its log: {state.log(service.name)}"
            )
        elif not service.answers(state, process.pid):
            yield Finding(
                f"{service.name} is running (pid {process.pid}) but does not answer",
                f"Read {state.log(service.name)}; then run `kill {process.pid}`; the supervisor restarts it.",
            )

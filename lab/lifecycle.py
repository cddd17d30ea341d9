"""Start, stop and wipe a lab. A start ends when every service has answered, a stop when no process is left."""

from __future__ import annotations

import functools
import shutil
import signal
from collections.abc import Iterator
from contextlib import contextmanager, suppress

import psutil

from lab import account, airflow_database, airflow_ui, processes
from lab.progress import Reporter, Step, StepError, Work, run_steps
from lab.services import Service, services
from lab.setup import steps
from lab.state import State
from lab.supervision import STARTED, Program, Supervisor

MOST_STARTS = 4


def up(state: State, reporter: Reporter) -> None:
    """Install what is missing, start what is down, and wait until every service is ready for use.

    If this fails or is interrupted, whatever this call started is stopped again.
    """
    steps.install(state, reporter)
    with steps.turn(state.path("lab.lock"), reporter):
        supervisor = Supervisor(state)
        table = services(state)
        was_alive = supervisor.is_alive()
        if not was_alive:
            end_leftovers(state, reporter)
        running = {process.name for process in supervisor.processes() if process.state in STARTED}
        check_ports(state, [service for service in table if service.name not in running])
        supervisor.configure([program(service) for service in table] + airflow_ui.programs(state))
        if not was_alive:
            supervisor.start_daemon()
        with undo(state, supervisor, None if not was_alive else running):
            run_steps(start_steps(state, supervisor, table), state.log, reporter)


def program(service: Service) -> Program:
    return Program(service.name, service.command, service.environment, service.seconds_to_stop)


def start_steps(state: State, supervisor: Supervisor, table: list[Service]) -> list[Step]:
    start = [
        Step(service.name, functools.partial(start_service, state, supervisor, service), service.after)
        for service in table
    ]
    return [
        *start,
        Step("account", lambda _: account.prepare(state), after=("aws", "cloud")),
        Step("airflow", functools.partial(airflow_database.migrate, state), after=("account",)),
    ]


def start_service(state: State, supervisor: Supervisor, service: Service, work: Work) -> None:
    """Return once the service's own process has answered and holds the data it needs."""
    service.prepare(state, work)
    supervisor.start(service.name)
    work.note = "waiting for it to answer"
    pids: set[int] = set()
    work.until(
        lambda: is_ready(state, supervisor, service, pids),
        service.seconds_to_start,
        f"an answer of {service.name}",
        pause=0.3,
    )
    service.complete(state, work)


def is_ready(state: State, supervisor: Supervisor, service: Service, pids: set[int]) -> bool:
    """``pids`` collects the processes seen so far: a service that keeps restarting will never answer."""
    process = supervisor.process(service.name)
    pids.add(process.pid)
    if process.state == "FATAL" or len(pids) > MOST_STARTS:
        supervisor.stop(service.name)
        raise StepError("it keeps exiting soon after it starts")
    return process.pid != 0 and service.answers(state, process.pid)


def check_ports(state: State, table: list[Service]) -> None:
    """Fail before anything starts if other programs hold ports of ours, and name all of them."""
    taken = [
        f"{service.name}: port {holder.port} is taken by {holder.program} (pid {holder.pid or 'unknown'})"
        for service in table
        for name in service.ports
        if (holder := processes.holder_of(state.port(name)))
    ]
    if taken:
        raise StepError(
            "\n".join(taken),
            f"Stop that program; or delete the port's line in {state.path('ports.json')}, and the lab chooses another.",
        )


def end_leftovers(state: State, reporter: Reporter) -> None:
    """Services outlive a supervisor that was killed: nothing would restart them, and they hold the ports."""
    if leftovers := processes.of_lab(state):
        reporter.say(f"stopping {len(leftovers)} processes left behind by an earlier lab")
        processes.end(leftovers)


@contextmanager
def undo(state: State, supervisor: Supervisor, keep: set[str] | None) -> Iterator[None]:
    """On failure, stop what was started: everything, or all but the services in ``keep``."""
    try:
        yield
    except BaseException:
        signal.signal(signal.SIGINT, signal.SIG_IGN)  # a second Ctrl-C must not leave half of it running
        if keep is None:
            stop_everything(state, supervisor)
        else:
            supervisor.stop(*(process.name for process in supervisor.processes() if process.name not in keep))
        raise


def down(state: State, reporter: Reporter) -> None:
    """Stop every process of this lab, including those on its client machine and leftovers. The data stays."""
    with steps.turn(state.path("lab.lock"), reporter):
        stop_everything(state, Supervisor(state))


def stop_everything(state: State, supervisor: Supervisor) -> None:
    if supervisor.is_alive():
        pid = supervisor.pid()
        supervisor.stop_daemon()
        with suppress(psutil.NoSuchProcess):
            psutil.Process(pid).wait(timeout=10)
    processes.end(processes.of_lab(state))


def reset(state: State, reporter: Reporter) -> None:
    """Stop the lab and delete all its data, ports and secrets. The installation stays."""
    down(state, reporter)
    shutil.rmtree(state.root)
    socket_folder = state.socket("supervisor").parent
    if socket_folder != state.root:
        shutil.rmtree(socket_folder)

"""The Airflow UI on the lab: Airflow's four processes, for as long as the UI is wanted."""

from __future__ import annotations

import functools
import time

import requests

from lab import airflow_environment, processes
from lab.progress import Reporter, Step, StepError, Work, run_steps
from lab.readiness import get_json
from lab.state import State, choose_ports
from lab.supervision import Program, Supervisor

DAG = "pinterest_pipeline"  # has no schedule and starts paused; a run triggered in the UI must start
API_SERVER = "airflow-api-server"
COMPONENTS = {  # log servers would listen on every interface, and the UI reads the log files itself
    API_SERVER: ("api-server",),
    "airflow-scheduler": ("scheduler", "--skip-serve-logs"),
    "airflow-dag-processor": ("dag-processor",),
    "airflow-triggerer": ("triggerer", "--skip-serve-logs"),
}
HEALTH_KEYS = {
    "airflow-scheduler": "scheduler",
    "airflow-dag-processor": "dag_processor",
    "airflow-triggerer": "triggerer",
}


def programs(state: State) -> list[Program]:
    environment = {**airflow_environment.env_file(state), "AIRFLOW__CORE__EXECUTOR": "LocalExecutor"}
    return [
        Program(name, airflow_environment.command(*arguments), environment, seconds_to_stop=20)
        for name, arguments in COMPONENTS.items()
    ]


def serve(state: State, reporter: Reporter) -> None:
    """Run the UI until Ctrl-C. The lab must be up; it stays up."""
    supervisor = Supervisor(state)
    if not all(process.state == "RUNNING" for process in supervisor.processes() if process.name in COMPONENTS):
        choose_port(state)
    steps = [
        Step(name, functools.partial(start, state, supervisor), () if name == API_SERVER else (API_SERVER,))
        for name in COMPONENTS
    ]
    steps.append(Step(f"DAG {DAG}", functools.partial(unpause, state), tuple(COMPONENTS)))
    try:
        run_steps(steps, state.log, reporter)
        reporter.say(
            f"Airflow: http://127.0.0.1:{state.port('airflow')} (no login; Ctrl-C stops it and leaves the lab up)"
        )
        while supervisor.is_alive():
            time.sleep(2)
    except KeyboardInterrupt:
        reporter.say("stopping Airflow")
    finally:
        if supervisor.is_alive():
            supervisor.stop(*COMPONENTS)


def choose_port(state: State) -> None:
    """Keep the last port if it is free, else choose another: only Airflow depends on it."""
    if processes.holder_of(state.port("airflow")):
        state.ports |= choose_ports(["airflow"], taken=set(state.ports.values()))
        state.save()
        airflow_environment.write(state)


def start(state: State, supervisor: Supervisor, work: Work) -> None:
    supervisor.start(work.name)
    work.note = "waiting for it to answer"
    work.until(lambda: is_ready(state, supervisor, work.name), 120, f"an answer of {work.name}", pause=0.5)


def is_ready(state: State, supervisor: Supervisor, name: str) -> bool:
    """Airflow's own monitor decides: a component is healthy once its heartbeat is in the database."""
    if supervisor.process(name).state == "FATAL":
        raise StepError("it keeps exiting right after it starts")
    try:
        health = get_json(f"{address(state)}/api/v2/monitor/health")
    except (OSError, ValueError):
        return False
    assert isinstance(health, dict)
    return name == API_SERVER or health[HEALTH_KEYS[name]]["status"] == "healthy"


def address(state: State) -> str:
    return f"http://127.0.0.1:{state.port('airflow')}"


def unpause(state: State, work: Work) -> None:
    """Wait until Airflow has parsed the DAG, then unpause it: a run of a paused DAG would stay queued."""
    work.note = "waiting for Airflow to parse the DAG"
    work.until(lambda: is_unpaused(state), 120, f"parsing of {DAG}", pause=1)


def is_unpaused(state: State) -> bool:
    session = requests.Session()
    session.trust_env = False
    token = session.get(f"{address(state)}/auth/token", timeout=10).json()["access_token"]
    answer = session.patch(
        f"{address(state)}/api/v2/dags/{DAG}",
        params={"update_mask": "is_paused"},
        json={"is_paused": False},
        headers={"Authorization": f"Bearer {token}"},
        timeout=10,
    )
    return answer.ok

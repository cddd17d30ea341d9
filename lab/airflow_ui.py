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

DAG = "pinterest_pipeline"  # the one that only runs when it is asked to: a run triggered in the UI must start
API_SERVER = "airflow-api-server"
COMPONENTS = {  # the log servers would listen on every interface; the UI reads the files itself
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
            f"Airflow: http://127.0.0.1:{state.port('airflow')} (no log-in; Ctrl-C stops it, the lab stays up)"
        )
        while supervisor.is_alive():
            time.sleep(2)
    except KeyboardInterrupt:
        reporter.say("stopping Airflow")
    finally:
        if supervisor.is_alive():
            supervisor.stop(*COMPONENTS)


def choose_port(state: State) -> None:
    """Keep the port of last time if it is free, else take the next free one: nothing but Airflow knows it."""
    if processes.holder_of(state.port("airflow")):
        state.ports |= choose_ports(["airflow"], taken=set(state.ports.values()))
        state.save()
        airflow_environment.write(state)


def start(state: State, supervisor: Supervisor, work: Work) -> None:
    supervisor.start(work.name)
    work.note = "waiting for its answer"
    work.until(lambda: is_ready(state, supervisor, work.name), 120, f"an answer of {work.name}", pause=0.5)


def is_ready(state: State, supervisor: Supervisor, name: str) -> bool:
    """What Airflow's own monitor says: a component is healthy once its heartbeat is in the database."""
    if supervisor.process(name).state == "FATAL":
        raise StepError("it ended again and again as soon as it was started")
    try:
        health = get_json(f"{address(state)}/api/v2/monitor/health")
    except (OSError, ValueError):
        return False
    assert isinstance(health, dict)
    return name == API_SERVER or health[HEALTH_KEYS[name]]["status"] == "healthy"


def address(state: State) -> str:
    return f"http://127.0.0.1:{state.port('airflow')}"


def unpause(state: State, work: Work) -> None:
    """A paused DAG would take a run and never start it. Waits until the DAG has been read."""
    work.note = "waiting for the DAG to be read"
    work.until(lambda: is_unpaused(state), 120, f"Airflow's reading of {DAG}", pause=1)


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

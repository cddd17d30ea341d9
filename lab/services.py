"""The lab's services: how each is started, what must run before it, and what proves it ready."""

from __future__ import annotations

import sys
from collections.abc import Callable
from dataclasses import dataclass, field

from lab import kafka
from lab.calls import access_key
from lab.progress import Work
from lab.readiness import Answers, health, listens
from lab.source import database
from lab.state import CHECKOUT, REGION, State


def nothing_to_prepare(state: State, work: Work) -> None:
    """The service creates its own folders."""


def nothing_to_add(state: State, work: Work) -> None:
    """The service is usable as soon as it answers."""


@dataclass(frozen=True)
class Service:
    """``answers(state, pid)`` is true once the very process with that pid answers as this lab's service.

    ``prepare`` runs before a start, ``complete`` once the service answers. Running either again changes nothing.
    """

    name: str
    command: list[str]
    ports: tuple[str, ...]
    answers: Answers
    environment: dict[str, str] = field(default_factory=dict)
    prepare: Callable[[State, Work], None] = nothing_to_prepare
    complete: Callable[[State, Work], None] = nothing_to_add
    after: tuple[str, ...] = ()
    seconds_to_start: float = 180
    seconds_to_stop: int = 15


def worker_role(state: State) -> dict[str, str]:
    """Stands for the connector's role on AWS: the SDK's default chain finds these; no configuration contains them."""
    return {
        "AWS_ACCESS_KEY_ID": access_key(state, "s3_sink"),
        "AWS_SECRET_ACCESS_KEY": state.secret("aws_secret_access_key"),
        "AWS_REGION": REGION,
    }


def services(state: State) -> list[Service]:
    ours = {"PYTHONPATH": str(CHECKOUT), "PYTHONUNBUFFERED": "1"}
    environments = state.install / "envs"
    return [
        Service(
            "mariadb",
            database.command(state),
            ("mariadb",),
            database.answers,
            database.environment(state),
            prepare=database.prepare,
            complete=database.load_source,
        ),
        Service(
            "kafka",
            kafka.broker_command(state),
            ("kafka", "kafka_controller"),
            lambda state, pid: listens(pid, state.port("kafka")) and kafka.broker_answers(state),
            prepare=kafka.prepare_broker,
        ),
        Service(
            "connect",
            kafka.connect_command(state),
            ("connect",),
            lambda state, pid: listens(pid, state.port("connect")) and kafka.connect_answers(state),
            worker_role(state),
            prepare=kafka.prepare_connect,
            after=("kafka",),
        ),
        Service(
            "aws",
            [str(environments / "ministack" / "bin" / "python"), "-m", "lab.aws.server"],
            ("aws",),
            health("aws"),
            ours,
        ),
        Service(
            "cloud",
            [sys.executable, "-m", "lab.cloud"],
            ("gateway", "msk_connect", "databricks", "mirror", "ssh"),
            lambda state, pid: (
                all(health(name)(state, pid) for name in ("gateway", "msk_connect", "databricks", "mirror"))
                and listens(pid, state.port("ssh"))
            ),
            ours,
            after=("aws",),
        ),
        Service(
            "spark",
            [str(environments / "spark" / "bin" / "python"), "-m", "lab.spark_worker"],
            ("spark",),
            health("spark"),
            ours,
            after=("aws",),
        ),
    ]

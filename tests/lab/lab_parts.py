"""Parts of the lab as real processes, with a state folder of their own, against the installed environments."""

from __future__ import annotations

import os
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager

import boto3
import psutil
import requests

from lab.state import CHECKOUT, State

DEADLINE = 30


def wait_until(condition: Callable[[], object], what: str, deadline: float = DEADLINE) -> None:
    """Look again until it is so; fail with ``what`` after the deadline."""
    end = time.monotonic() + deadline
    while not condition():
        assert time.monotonic() < end, f"after {deadline} s still not: {what}"
        time.sleep(0.02)


def is_alive(pid: int) -> bool:
    """Whether a process runs. One that has ended, and that its parent has not yet taken note of, does not."""
    try:
        return psutil.Process(pid).status() != psutil.STATUS_ZOMBIE
    except psutil.NoSuchProcess:
        return False


class Part:
    """A process of the lab, started as the lab starts it, and ready."""

    def __init__(self, state: State, arguments: list[str], health: str | None, deadline: float = DEADLINE) -> None:
        self.state = state
        self.log = state.log(arguments[-1])
        self.earlier = self.log.stat().st_size if self.log.exists() else 0
        with self.log.open("ab") as log:
            self.process = subprocess.Popen(
                arguments,
                stdout=log,
                stderr=log,
                cwd=state.root,
                env={"PATH": os.environ["PATH"], "PYTHONPATH": str(CHECKOUT), **state.environment()},
            )
        try:
            wait_until(lambda: self.answers(health), f"{' '.join(arguments)} answers", deadline)
        except AssertionError:
            self.process.kill()
            raise

    def answers(self, health: str | None) -> bool:
        assert self.process.poll() is None, f"ended with {self.process.returncode}: {self.log.read_text()[-2000:]}"
        if health is None:
            return b"ready" in self.log.read_bytes()[self.earlier :]
        try:
            return requests.get(health, timeout=2).json()["pid"] == self.process.pid
        except requests.ConnectionError:
            return False

    def stop(self) -> int:
        self.process.terminate()
        return self.process.wait(timeout=DEADLINE)

    def kill(self) -> None:
        self.process.kill()
        self.process.wait(timeout=DEADLINE)


def start_aws(state: State) -> Part:
    python = state.install / "envs" / "ministack" / "bin" / "python"
    assert python.exists(), f"{python} is missing; run: .venv/bin/python -m lab setup"
    return Part(state, [str(python), "-m", "lab.aws.server"], f"http://127.0.0.1:{state.port('aws')}/_lab/health")


def start_cloud(state: State, stand_in: str) -> Part:
    return Part(state, [sys.executable, "-m", "lab.cloud", stand_in], None)


@contextmanager
def running(part: Part) -> Iterator[Part]:
    try:
        yield part
    finally:
        if part.process.poll() is None:
            part.stop()


def client(state: State, service: str, access_key: str = "anything"):
    """boto3 as a user would make it."""
    return boto3.client(
        service,
        endpoint_url=f"http://127.0.0.1:{state.port('aws')}",
        region_name="us-east-1",
        aws_access_key_id=access_key,
        aws_secret_access_key="anything",
    )

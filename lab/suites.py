"""What ``make test`` and ``make bench`` run: each suite in the environment that it needs."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Mapping
from dataclasses import dataclass, field
from tempfile import TemporaryFile
from typing import IO

from lab import lifecycle
from lab.progress import Reporter
from lab.setup import steps
from lab.state import CHECKOUT, State

TEST_STATE = CHECKOUT / ".lab" / "test-state"


@dataclass(frozen=True)
class Suite:
    name: str
    command: list[str]
    environment: Mapping[str, str] = field(default_factory=dict)


def test(state: State, reporter: Reporter) -> int:
    """Every test. The lab tests start a lab of their own; it is stopped whatever happens."""
    steps.install(state, reporter)
    spark = state.install / "envs" / "spark" / "bin" / "python"
    java_home = {"JAVA_HOME": str(state.install / "java"), "LAB_INSTALL": str(state.install)}
    own_lab = {"LAB_STATE": str(TEST_STATE), "LAB_INSTALL": str(state.install)}
    plain = Suite("tests without a lab", [sys.executable, "-m", "pytest", "tests/unit", "tests/dags", "tests/local"])
    of_spark = Suite("Spark tests", [str(spark), "-m", "pytest", "tests/spark"], java_home)
    try:
        return run(
            [plain, Suite("lab tests", [sys.executable, "-m", "pytest", "tests/lab"], own_lab)],
            reporter,
            beside=of_spark,
        )
    finally:
        lifecycle.down(State.open(TEST_STATE, state.install), reporter)


def bench(state: State, reporter: Reporter) -> int:
    """Each benchmark prints a table and ends with a line of JSON. The lab is up for those that post."""
    lifecycle.up(state, reporter)
    spark = state.install / "envs" / "spark" / "bin" / "python"
    java_home = {"JAVA_HOME": str(state.install / "java"), "LAB_INSTALL": str(state.install)}
    suites = [
        Suite("posting", [sys.executable, "benchmarks/posting.py"], state.environment()),
        Suite("posting to Kinesis", [sys.executable, "benchmarks/posting_stream.py"], state.environment()),
        Suite("lake", [str(spark), "-m", "benchmarks.lake"], java_home),
        Suite("stream", [str(spark), "-m", "benchmarks.stream"], java_home),
    ]
    return run(suites, reporter)


def bench_demo(reporter: Reporter) -> int:
    return run([Suite("demo", [sys.executable, "benchmarks/demo.py"])], reporter)


def run(suites: list[Suite], reporter: Reporter, *, beside: Suite | None = None) -> int:
    """Run all, also after a failure, and say at the end which failed.

    ``beside`` runs at the same time as the others, on the core that they leave idle, and is shown when all have ended.
    """
    failed: list[str] = []
    running: list[subprocess.Popen[bytes]] = []

    def await_end(process: subprocess.Popen[bytes], suite: Suite) -> None:
        if process.wait() != 0:
            failed.append(suite.name)

    try:
        with TemporaryFile("w+") as shown_later:
            if beside:
                running.append(start(beside, reporter, shown_later))
            for suite in suites:
                running.append(start(suite, reporter))
                await_end(running[-1], suite)
            if beside:
                await_end(running[0], beside)
                shown_later.seek(0)
                print(f"{beside.name}:\n{shown_later.read()}", flush=True)
    finally:
        for process in running:
            if process.poll() is None:
                process.terminate()
                process.wait()
    reporter.say(f"failed: {', '.join(failed)}" if failed else "all passed")
    return 1 if failed else 0


def start(suite: Suite, reporter: Reporter, output: IO[str] | None = None) -> subprocess.Popen[bytes]:
    reporter.say(f"{suite.name}: {' '.join(suite.command[1:])}")
    environment = {**os.environ, "PYTHONPATH": str(CHECKOUT), **suite.environment}
    return subprocess.Popen(suite.command, cwd=CHECKOUT, env=environment, stdout=output, stderr=output)

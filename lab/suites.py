"""What ``make test``, ``make check`` and ``make bench`` run: each suite in the environment that it needs."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

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
    suites = [
        Suite("tests without a lab", [sys.executable, "-m", "pytest", "tests/unit", "tests/dags", "tests/local"]),
        Suite("Spark tests", [str(spark), "-m", "pytest", "tests/spark"], java_home),
        Suite("lab tests", [sys.executable, "-m", "pytest", "tests/lab"], own_lab),
    ]
    try:
        return run(suites, reporter)
    finally:
        lifecycle.down(State.open(TEST_STATE, state.install), reporter)


def check(reporter: Reporter) -> int:
    programs = Path(sys.executable).parent
    return run(
        [
            Suite("lint", [str(programs / "ruff"), "check"]),
            Suite("format", [str(programs / "ruff"), "format", "--check"]),
            Suite("types", [str(programs / "mypy")]),
        ],
        reporter,
    )


def bench(state: State, reporter: Reporter) -> int:
    """Both benchmarks print a table and end with a line of JSON. The lab must be up for them."""
    lifecycle.up(state, reporter)
    spark = state.install / "envs" / "spark" / "bin" / "python"
    java_home = {"JAVA_HOME": str(state.install / "java"), "LAB_INSTALL": str(state.install)}
    suites = [
        Suite("posting", [sys.executable, "benchmarks/posting.py"], state.environment()),
        Suite("lake", [str(spark), "benchmarks/lake.py"], java_home),
    ]
    return run(suites, reporter)


def bench_demo(reporter: Reporter) -> int:
    return run([Suite("demo", [sys.executable, "benchmarks/demo.py"])], reporter)


def run(suites: list[Suite], reporter: Reporter) -> int:
    """Run all, also after a failure, and say at the end which failed."""
    failed = []
    for suite in suites:
        reporter.say(f"{suite.name}: {' '.join(suite.command[1:])}")
        environment = {**os.environ, "PYTHONPATH": str(CHECKOUT), **suite.environment}
        if subprocess.run(suite.command, cwd=CHECKOUT, env=environment).returncode != 0:
            failed.append(suite.name)
    reporter.say(f"failed: {', '.join(failed)}" if failed else "all passed")
    return 1 if failed else 0

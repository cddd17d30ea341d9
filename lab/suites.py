"""Suites of commands, each in the environment that it needs, and what ``make bench`` runs."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Mapping
from dataclasses import dataclass, field

from lab import lifecycle
from lab.progress import Reporter
from lab.state import CHECKOUT, State


@dataclass(frozen=True)
class Suite:
    name: str
    command: list[str]
    environment: Mapping[str, str] = field(default_factory=dict)


def bench(state: State, reporter: Reporter) -> int:
    """Each benchmark prints a table and ends with a line of JSON. The lab is up for those that post."""
    lifecycle.up(state, reporter)
    spark = state.install / "envs" / "spark" / "bin" / "python"
    java_home = {"JAVA_HOME": str(state.install / "java"), "LAB_INSTALL": str(state.install)}
    suites = [
        Suite("posting", [sys.executable, "-m", "benchmarks.posting"], state.environment()),
        Suite("posting to Kinesis", [sys.executable, "-m", "benchmarks.posting_stream"], state.environment()),
        Suite("lake", [str(spark), "-m", "benchmarks.lake"], java_home),
        Suite("stream", [str(spark), "-m", "benchmarks.stream"], java_home),
    ]
    return run(suites, reporter)


def bench_demo(reporter: Reporter) -> int:
    return run([Suite("demo", [sys.executable, "benchmarks/demo.py"])], reporter)


def run(suites: list[Suite], reporter: Reporter) -> int:
    """Run all, also after a failure, and say at the end which failed."""
    failed: list[str] = []
    for suite in suites:
        reporter.say(f"{suite.name}: {' '.join(suite.command[1:])}")
        environment = {**os.environ, "PYTHONPATH": str(CHECKOUT), **suite.environment}
        if subprocess.run(suite.command, cwd=CHECKOUT, env=environment).returncode != 0:
            failed.append(suite.name)
    reporter.say(f"failed: {', '.join(failed)}" if failed else "all passed")
    return 1 if failed else 0

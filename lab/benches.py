"""What ``make bench`` and ``make bench-demo`` run: each benchmark in the environment that it needs."""

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
class Benchmark:
    name: str
    command: list[str]
    environment: Mapping[str, str] = field(default_factory=dict)


def bench(state: State, reporter: Reporter) -> int:
    """Each benchmark prints a table and ends with a line of JSON. The lab is up for those that post."""
    lifecycle.up(state, reporter)
    spark = state.install / "envs" / "spark" / "bin" / "python"
    java_home = {"JAVA_HOME": str(state.install / "java"), "LAB_INSTALL": str(state.install)}
    benchmarks = [
        Benchmark("posting", [sys.executable, "-m", "benchmarks.posting"], state.environment()),
        Benchmark("posting to Kinesis", [sys.executable, "-m", "benchmarks.posting_stream"], state.environment()),
        Benchmark("lake", [str(spark), "-m", "benchmarks.lake"], java_home),
        Benchmark("the lake, day by day", [str(spark), "-m", "benchmarks.lake_days"], java_home),
        Benchmark("stream", [str(spark), "-m", "benchmarks.stream"], java_home),
    ]
    return run(benchmarks, reporter)


def bench_demo(reporter: Reporter) -> int:
    return run([Benchmark("demo", [sys.executable, "benchmarks/demo.py"])], reporter)


def run(benchmarks: list[Benchmark], reporter: Reporter) -> int:
    """Run all, also after a failure, and say at the end which failed."""
    failed: list[str] = []
    for benchmark in benchmarks:
        reporter.say(f"{benchmark.name}: {' '.join(benchmark.command[1:])}")
        environment = {**os.environ, "PYTHONPATH": str(CHECKOUT), **benchmark.environment}
        if subprocess.run(benchmark.command, cwd=CHECKOUT, env=environment).returncode != 0:
            failed.append(benchmark.name)
    reporter.say(f"failed: {', '.join(failed)}" if failed else "all passed")
    return 1 if failed else 0

"""``make test``, ``make test-fast``, ``make bench-tests``: each suite in the environment that it needs, two at a time.

Two suites run at the same time, one a core, the longest first; what a suite printed is shown when it has ended. The
tests in ``tests/lab`` are two suites: those that share one whole lab, and those that start the parts they need.
"""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import threading
from collections.abc import Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field, replace
from pathlib import Path
from tempfile import TemporaryDirectory, TemporaryFile

from lab import lifecycle
from lab.progress import Reporter, end_group, poll
from lab.setup import steps
from lab.state import CHECKOUT, State
from lab.suite_costs import MEASURE, cost_tables

TEST_STATE = CHECKOUT / ".lab" / "test-state"
AT_A_TIME = 2
SECONDS_TO_STOP = 60


@dataclass(frozen=True)
class Suite:
    """A call of pytest."""

    name: str
    python: Path
    arguments: tuple[str, ...]
    environment: Mapping[str, str] = field(default_factory=dict)
    meter: tuple[str, ...] = ()

    @property
    def command(self) -> list[str]:
        return [*self.meter, str(self.python), "-m", "pytest", *self.arguments]


def without_lab() -> list[Suite]:
    """The longest first."""
    python = Path(sys.executable)
    return [
        Suite("unit", python, ("tests/unit",)),
        Suite("local", python, ("tests/local",)),
        Suite("DAGs", python, ("tests/dags",)),
    ]


def all_suites(state: State) -> list[Suite]:
    """The longest first."""
    install = {"LAB_INSTALL": str(state.install)}
    own_lab = {"LAB_STATE": str(TEST_STATE), **install}
    spark = state.install / "envs" / "spark" / "bin" / "python"
    python = Path(sys.executable)
    return [
        Suite("whole lab", python, ("tests/lab", "-m", "whole_lab"), own_lab),
        Suite("Spark", spark, ("tests/spark",), {"JAVA_HOME": str(state.install / "java"), **install}),
        Suite("parts of the lab", python, ("tests/lab", "-m", "not whole_lab"), own_lab),
        *without_lab(),
    ]


def test(state: State, reporter: Reporter) -> int:
    """Every test. They start a lab of their own; it is stopped whatever happens."""
    steps.install(state, reporter)
    return run_all(state, all_suites(state), reporter)


def test_fast(reporter: Reporter) -> int:
    """The tests that need no lab and no Java, but those marked ``slow``."""
    quick = [replace(suite, arguments=(*suite.arguments, "-m", "not slow")) for suite in without_lab()]
    return Runner(reporter).run(quick)


def bench_tests(state: State, reporter: Reporter) -> int:
    """Every test; at the end what each suite and the slowest tests cost."""
    steps.install(state, reporter)
    with TemporaryDirectory() as folder:
        suites = [measured(suite, Path(folder)) for suite in all_suites(state)]
        exit_code = run_all(state, suites, reporter)
        print(cost_tables(Path(folder)))
    return exit_code


def measured(suite: Suite, folder: Path) -> Suite:
    """The suite, with its tests' times and its own cost left in the folder."""
    tests = (f"--junitxml={folder / suite.name}.xml", "-o", "junit_duration_report=total")
    meter = (sys.executable, str(MEASURE), str(folder / f"{suite.name}.json"))
    return replace(suite, arguments=(*suite.arguments, *tests), meter=meter)


def run_all(state: State, suites: Sequence[Suite], reporter: Reporter) -> int:
    """Whole runs count on a lab that has no data yet."""
    lifecycle.reset(State.open(TEST_STATE, state.install), reporter)
    try:
        return Runner(reporter).run(suites)
    finally:
        lifecycle.down(State.open(TEST_STATE, state.install), reporter)


class Runner:
    """Runs suites, also after one has failed. Ctrl-C ends those that run."""

    def __init__(self, reporter: Reporter) -> None:
        self._reporter = reporter
        self._running: list[subprocess.Popen[bytes]] = []
        self._printing = threading.Lock()
        self._interrupted = threading.Event()

    def run(self, suites: Sequence[Suite]) -> int:
        """0 when all have passed."""
        with ThreadPoolExecutor(AT_A_TIME) as lanes:
            ended = [lanes.submit(self._run, suite) for suite in suites]
            try:
                codes = [one.result() for one in ended]
            except BaseException:
                self._interrupted.set()
                for process in self._running:
                    interrupt(process)
                raise
        failed = [suite.name for suite, code in zip(suites, codes, strict=True) if code != 0]
        self._reporter.say(f"failed: {', '.join(failed)}" if failed else "all passed")
        return 1 if failed else 0

    def _run(self, suite: Suite) -> int:
        if self._interrupted.is_set():
            return 1
        self._reporter.say(f"{suite.name}: pytest {' '.join(suite.arguments)}")
        with TemporaryFile("w+") as output:
            process = subprocess.Popen(
                suite.command,
                cwd=CHECKOUT,
                env={**os.environ, "PYTHONPATH": str(CHECKOUT), **suite.environment},
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=subprocess.STDOUT,
                start_new_session=True,
            )
            self._running.append(process)
            code = process.wait()
            output.seek(0)
            with self._printing:
                self._reporter.say(f"{suite.name}: {'passed' if code == 0 else 'failed'}")
                print(output.read(), flush=True)
        return code


def interrupt(process: subprocess.Popen[bytes]) -> None:
    """As Ctrl-C does: pytest then ends what its tests have started."""
    if process.poll() is None:
        os.killpg(process.pid, signal.SIGINT)
        poll(process, SECONDS_TO_STOP)
        end_group(process)

"""The lab's command line: ``python -m lab up|down|status|reset|…`` (``--help`` lists all)."""

from __future__ import annotations

import argparse
import signal
import sys

from lab import benches, checks, demo, doctor, lifecycle, status, tests
from lab.airflow_ui import serve
from lab.progress import Reporter, StepError
from lab.setup import steps
from lab.state import State


def main() -> int:
    parser = argparse.ArgumentParser(prog="lab", description="The cloud on one machine.")
    commands = parser.add_subparsers(dest="command", required=True)
    for name, text in (
        ("up", "install what is missing, start what is down, wait until every service answers"),
        ("down", "stop everything, keep the data"),
        ("status", "a table of the services"),
        ("reset", "stop everything, forget all data, ports and secrets"),
        ("setup", "install what is missing, start nothing"),
        ("doctor", "list what is missing or wrong, each with its fix"),
        ("ui", "start the lab and the Airflow UI; Ctrl-C stops the UI"),
        ("demo", "start the lab, run the pipeline, print its ledger"),
        ("test", "run every test"),
        ("test-fast", "run the quick tests: no lab, no Java, no download"),
        ("bench-tests", "run every test, and show what the suites and the slowest tests cost"),
        ("bench", "benchmarks of posting, the lake and the stream"),
        ("bench-demo", "what the demo costs in a fresh clone"),
    ):
        commands.add_parser(name, help=text, description=text)
    check = commands.add_parser("check", help="lint, format, types and shell scripts, or some of them")
    check.add_argument("names", nargs="*", metavar="|".join(checks.CHECKS), help="what to check; by default all")
    for number in (signal.SIGTERM, signal.SIGHUP):
        if signal.getsignal(number) is not signal.SIG_IGN:  # nohup
            signal.signal(number, signal.default_int_handler)
    try:
        return run(parser.parse_args())
    except StepError as error:
        print(f"\n{error}" + (f"\n  do:   {error.advice}" if error.advice else ""), file=sys.stderr)
        return 1
    except KeyboardInterrupt:
        print("\ninterrupted", file=sys.stderr)
        return 130


def run(arguments: argparse.Namespace) -> int:
    state, reporter = State.open(), Reporter()
    match arguments.command:
        case "up":
            lifecycle.up(state, reporter)
            print(status.table(state))
        case "down":
            lifecycle.down(state, reporter)
        case "status":
            print(status.table(state))
        case "reset":
            lifecycle.reset(state, reporter)
        case "setup":
            steps.install(state, reporter)
        case "doctor":
            return doctor.report(state)
        case "ui":
            lifecycle.up(state, reporter)
            serve(state, reporter)
        case "demo":
            return demo.run(state, reporter)
        case "test":
            return tests.test(state, reporter)
        case "test-fast":
            return tests.test_fast(reporter)
        case "bench-tests":
            return tests.bench_tests(state, reporter)
        case "check":
            return checks.run(arguments.names, state, reporter)
        case "bench":
            return benches.bench(state, reporter)
        case "bench-demo":
            return benches.bench_demo(reporter)
    return 0


if __name__ == "__main__":
    sys.exit(main())

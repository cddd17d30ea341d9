"""``make demo``: run the pipeline once on the lab, print its ledger as a table, download its report."""

from __future__ import annotations

import os
import re
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

from lab import airflow_environment, lifecycle
from lab.account import BUCKET
from lab.aws.client import aws
from lab.progress import Reporter, StepError, end_group, tail
from lab.state import CHECKOUT, State, read_object
from lab.status import layout

DAG = "pinterest_pipeline"
REPORTS = f"reports/{DAG}/"
TARGET = CHECKOUT / "build" / "report"
TASK_STARTS = re.compile(r"\[DAG TEST\] starting task_id=(\S+)")
TASK_FAILS = "Task failed with exception"
EXCEPTION = re.compile(r"^(?:\w+\.)*\w*(?:Error|Exception|Failed\w*): ")
SILENCE = 15
TRY_NEXT = [
    ("", "bin/query 'select * from popular_category_by_year'", "# SQL on the lake"),
    ("", f"bin/aws s3 ls --recursive s3://{BUCKET}/topics/", "# the records that Kafka Connect wrote"),
    ("", "make ui", "# the DAG and its tasks in Airflow's UI"),
]


def run(state: State, reporter: Reporter) -> int:
    """Exit code 0 only if the run succeeded and its verdict is ``reconciled``."""
    lifecycle.up(state, reporter)
    before = run_ids(state)
    reporter.say(f"running {DAG}; its log: {state.log('demo')}")
    exit_code, failures = run_dag(state, reporter)
    new = run_ids(state) - before
    if not new:
        reason = told(failures) or tail(state.log("demo"))
        raise StepError(
            f"{DAG} ended with exit code {exit_code} before it wrote a report\n{reason}",
            f"Read {state.log('demo')}; then run `make demo` again: finished work is kept, and posting resumes.",
        )
    ledger = fetch_report(state, max(new))
    report = TARGET.relative_to(CHECKOUT)
    print(ledger_table())
    print(f"report:  {report / 'index.html'}\nledger:  {report / 'ledger.json'}")
    if exit_code:
        print(f"\nThe run failed; its log: {state.log('demo')}\n{told(failures)}")
    if exit_code or ledger["verdict"]["status"] != "reconciled":
        return 1
    print(f"\nTry next:\n{layout(TRY_NEXT)}")
    return 0


def run_dag(state: State, reporter: Reporter) -> tuple[int, dict[str, str]]:
    """Run the DAG in its own process, which ends when this one does, and name each task as it starts.

    Returns the exit code, and the error of each task whose last try failed.
    """
    log = state.log("demo")
    with log.open("w") as file:
        process = subprocess.Popen(
            airflow_environment.command("dags", "test", DAG),
            stdin=subprocess.DEVNULL,
            stdout=file,
            stderr=subprocess.STDOUT,
            env={**os.environ, **airflow_environment.env_file(state)},
            start_new_session=True,
        )
    try:
        failures = follow(process, log, reporter)
    finally:
        end_group(process)
    return process.returncode, failures


def told(failures: dict[str, str]) -> str:
    return "\n".join(f"  {task}: {error[:500]}" for task, error in failures.items())


def follow(process: subprocess.Popen[bytes], log: Path, reporter: Reporter) -> dict[str, str]:
    """Report which task is running, and regularly that it still is. Returns the errors of the failed tasks."""
    task, since, said = "starting Airflow", time.monotonic(), time.monotonic()
    failures: dict[str, str] = {}
    with log.open() as lines:
        while True:
            ended = process.poll() is not None
            for line in lines:
                if found := TASK_STARTS.search(line):
                    failures.pop(found[1], None)
                    if found[1] != task:
                        task, since, said = found[1], time.monotonic(), time.monotonic()
                        reporter.say(task)
                elif TASK_FAILS in line:
                    failures[task] = "see the log"
                    reporter.say(f"{task}: failed")
                elif task in failures and EXCEPTION.match(line):
                    failures[task] = line.strip()
            if ended:
                return failures
            if time.monotonic() - said > SILENCE:
                said = time.monotonic()
                reporter.say(f"{task}: still running ({said - since:.0f} s)")
            time.sleep(0.2)


def run_ids(state: State) -> set[str]:
    """The runs that have a report in the bucket."""
    s3 = aws(state, "s3")
    pages = s3.get_paginator("list_objects_v2").paginate(Bucket=BUCKET, Prefix=REPORTS)
    try:
        keys = [item["Key"] for page in pages for item in page.get("Contents", [])]
    except s3.exceptions.NoSuchBucket:  # the first run makes it
        keys = []
    return {key.removeprefix(REPORTS).split("/")[0] for key in keys if key.endswith("/ledger.json")}


def fetch_report(state: State, run_id: str) -> dict[str, Any]:
    """Download both files to ``build/report`` and return the ledger."""
    TARGET.mkdir(parents=True, exist_ok=True)
    for name in ("index.html", "ledger.json"):
        aws(state, "s3").download_file(BUCKET, f"{REPORTS}{run_id}/{name}", str(TARGET / name))
    return read_object(TARGET / "ledger.json")


def ledger_table() -> str:
    """The downloaded ledger as the same table that is in the run's log."""
    command = [sys.executable, "-m", "include.ledger.table", str(TARGET / "ledger.json")]
    printed = subprocess.run(
        command, cwd=CHECKOUT, env={**os.environ, "PYTHONPATH": str(CHECKOUT)}, capture_output=True, text=True
    )
    if printed.returncode:
        raise StepError(f"{TARGET / 'ledger.json'} is not a ledger\n{printed.stderr.strip()}")
    return printed.stdout

"""``make demo``: the pipeline, once, on the lab; then its ledger as a table, and the report on this machine."""

from __future__ import annotations

import json
import os
import subprocess
import time
from pathlib import Path
from typing import Any

from lab import lifecycle
from lab.account import BUCKET, aws
from lab.airflow_ui import command
from lab.progress import Reporter, StepError
from lab.state import CHECKOUT, State
from lab.status import layout

DAG = "pinterest_pipeline"
REPORT = CHECKOUT / "build" / "report"
FILES = ("ledger.json", "index.html")
COLUMNS = ("stream", "hop", "records_in", "extra", "records_out", "duplicates", "quarantined", "refused", "verdict")


def run(state: State, reporter: Reporter) -> int:
    """0 only when the run succeeded and its verdict is ``reconciled``."""
    lifecycle.up(state, reporter)
    before = run_ids(state)
    reporter.say(f"running {DAG}; its log: {state.log('demo')}")
    exit_code = run_dag(state, reporter)
    new = sorted(run_ids(state) - before)
    if not new:
        raise StepError(
            f"{DAG} ended with exit code {exit_code} and left no report",
            f"Read {state.log('demo')}; then run `make demo` again: it goes on where this run stopped.",
        )
    ledger = fetch_report(state, new[-1])
    print(ledger_table(ledger))
    verdict = ledger["verdict"]
    print(f"\nverdict: {verdict}\nreport:  {REPORT / 'index.html'}\nledger:  {REPORT / 'ledger.json'}")
    if exit_code:
        print(f"The run failed; its log: {state.log('demo')}")
    return 0 if exit_code == 0 and verdict == "reconciled" else 1

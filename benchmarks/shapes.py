"""Shapes of one benchmark, measured one after the other, each in a process of its own."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import time
from collections.abc import Callable, Mapping
from typing import Any

from benchmarks import ROOT


def measure_apart(module: str, shape: str, *arguments: str) -> dict[str, Any]:
    """Run ``python -m <module> --measure <shape> <arguments>``; return the JSON object on its last line."""
    done = subprocess.run(
        [sys.executable, "-m", module, "--measure", shape, *arguments],
        cwd=ROOT,
        env={**os.environ, "PYTHONPATH": str(ROOT)},
        capture_output=True,
        text=True,
    )
    if done.returncode:
        raise SystemExit(f"{shape} failed:\n{done.stderr[-4000:]}")
    return json.loads(done.stdout.splitlines()[-1])


def timed(step: Callable[[], object]) -> float:
    """Seconds by the clock."""
    began = time.monotonic()
    step()
    return time.monotonic() - began


class Table:
    """A table printed row by row. ``columns``: heading to format, as in an f-string (``>8.1f``)."""

    def __init__(self, columns: Mapping[str, str]) -> None:
        self._columns = columns
        self._print(f"{name:{form.split('.')[0]}}" for name, form in columns.items())

    def row(self, *values: object) -> None:
        self._print(f"{value:{form}}" for value, form in zip(values, self._columns.values(), strict=True))

    def _print(self, cells) -> None:
        print(" ".join(cells), flush=True)

"""What a suite of tests costs: the seconds it takes, the CPU seconds of all its processes, and its slowest tests.

As a script (``suite_costs.py FILE COMMAND ...``) it runs a command and leaves what that cost in the file.
"""

from __future__ import annotations

import ctypes
import json
import os
import resource
import subprocess
import sys
import time
import xml.etree.ElementTree as ElementTree
from contextlib import suppress
from pathlib import Path

import psutil

MEASURE = Path(__file__)
SLOWEST = 20
PR_SET_CHILD_SUBREAPER = 36


def main() -> int:
    """Returns the command's exit code. Also what the command has left running, such as a lab's services, counts."""
    file, command = Path(sys.argv[1]), sys.argv[2:]
    if sys.platform == "linux":
        ctypes.CDLL(None).prctl(PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0)  # orphans become ours, with what they have used
    began = time.monotonic()
    process = subprocess.Popen(command)
    code = process.wait()
    wall = time.monotonic() - began
    with suppress(ChildProcessError):
        while os.waitpid(-1, os.WNOHANG)[0]:
            pass
    used = resource.getrusage(resource.RUSAGE_CHILDREN)
    cpu = used.ru_utime + used.ru_stime + sum(map(cpu_seconds, psutil.Process().children(recursive=True)))
    file.write_text(json.dumps({"wall": wall, "cpu": cpu}))
    return code


def cpu_seconds(process: psutil.Process) -> float:
    """Of the process and of those of its children that have ended."""
    with suppress(psutil.Error):
        times = process.cpu_times()
        return float(sum(times[:4]))
    return 0.0


def cost_tables(folder: Path) -> str:
    """A table of the suites and one of the slowest tests, from the files that the suites have left in the folder."""
    costs = {path.stem: json.loads(path.read_text()) for path in folder.glob("*.json")}
    tests = sorted(
        ((seconds, suite, name) for suite in costs for name, seconds in test_seconds(folder / f"{suite}.xml")),
        reverse=True,
    )
    counts = {suite: sum(of == suite for _, of, _ in tests) for suite in costs}
    lines = [f"{'suite':<24}{'tests':>7}{'seconds':>9}{'CPU seconds':>13}"]
    for suite, cost in sorted(costs.items(), key=lambda item: -item[1]["wall"]):
        lines.append(f"{suite:<24}{counts[suite]:>7}{cost['wall']:>9.0f}{cost['cpu']:>13.0f}")
    lines += ["", f"the {SLOWEST} slowest tests, fixtures included", ""]
    lines += [f"{seconds:>7.1f}  {name}" for seconds, _, name in tests[:SLOWEST]]
    return "\n".join(lines)


def test_seconds(report: Path) -> list[tuple[str, float]]:
    """Every test of a JUnit report and its seconds."""
    if not report.exists():
        return []
    cases = ElementTree.parse(report).iter("testcase")
    return [(f"{case.get('classname')}::{case.get('name')}", float(case.get("time") or 0)) for case in cases]


if __name__ == "__main__":
    sys.exit(main())

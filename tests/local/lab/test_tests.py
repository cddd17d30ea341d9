"""How ``make test`` runs its suites: two at a time, all of them, and none is left when it is interrupted."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import psutil
import pytest

from lab.progress import Reporter
from lab.tests import Runner, Suite

pytestmark = pytest.mark.slow


def suite(folder: Path, name: str, body: str) -> Suite:
    file = folder / f"test_{name}.py"
    file.write_text(f"import os, pathlib, time\nfolder = pathlib.Path({str(folder)!r})\n\n\ndef test():\n    {body}\n")
    return Suite(name, Path(sys.executable), (str(file), "-p", "no:cacheprovider", "--rootdir", str(folder)))


def meets(other: str, name: str) -> str:
    """A test that passes only while another one runs."""
    return f"(folder / {name!r}).touch()\n    while not (folder / {other!r}).exists(): time.sleep(0.01)"


def test_two_suites_run_at_the_same_time_and_a_third_after_a_failure(tmp_path, capfd):
    suites = [
        suite(tmp_path, "one", meets("second", "first")),
        suite(tmp_path, "two", f"{meets('first', 'second')}\n    assert False, 'told'"),
        suite(tmp_path, "three", "(folder / 'third').touch()"),
    ]

    assert Runner(Reporter()).run(suites) == 1

    assert (tmp_path / "third").exists()
    output, progress = capfd.readouterr()
    assert "AssertionError: told" in output
    assert progress.rstrip().endswith("failed: two")


def test_suites_that_pass_are_said_to(tmp_path, capfd):
    assert Runner(Reporter()).run([suite(tmp_path, "one", "pass")]) == 0

    assert "all passed" in capfd.readouterr().err


def test_an_interrupt_ends_the_suites_and_what_they_started(tmp_path):
    child = suite(tmp_path, "endless", "(folder / 'pid').write_text(str(os.getpid()))\n    time.sleep(600)")
    program = (
        "import signal; signal.signal(signal.SIGINT, signal.default_int_handler)\n"  # or ours may be ignored: nohup
        "from pathlib import Path; from lab.progress import Reporter; from lab.tests import Runner, Suite\n"
        f"Runner(Reporter()).run([Suite('endless', Path({str(child.python)!r}), {child.arguments!r})])"
    )
    process = subprocess.Popen([sys.executable, "-c", program], stderr=subprocess.DEVNULL, stdout=subprocess.DEVNULL)
    pid = tmp_path / "pid"
    while not (pid.exists() and pid.read_text()):
        assert process.poll() is None
        time.sleep(0.02)

    os.kill(process.pid, signal.SIGINT)

    assert process.wait(60) != 0
    assert not psutil.pid_exists(int(pid.read_text()))

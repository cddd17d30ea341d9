"""What ``make bench-tests`` says a suite costs."""

from __future__ import annotations

import json
import subprocess
import sys

import pytest

from lab.suite_costs import MEASURE, cost_tables

pytestmark = pytest.mark.slow

BURN = "import time; end = time.process_time() + 0.3\nwhile time.process_time() < end: pass"
LEAVE = f"import subprocess, sys; subprocess.Popen([sys.executable, '-c', {BURN!r}], start_new_session=True)"


def measure(tmp_path, program: str) -> tuple[int, dict[str, float]]:
    file = tmp_path / "cost.json"
    ended = subprocess.run([sys.executable, str(MEASURE), str(file), sys.executable, "-c", program])
    return ended.returncode, json.loads(file.read_text())


def test_a_command_costs_what_it_uses_and_keeps_its_exit_code(tmp_path):
    code, cost = measure(tmp_path, f"{BURN}\nraise SystemExit(3)")

    assert code == 3
    assert cost["cpu"] >= 0.3
    assert cost["wall"] >= 0.3


def test_what_its_children_use_counts_too(tmp_path):
    _, cost = measure(tmp_path, f"{LEAVE}.wait()")

    assert cost["cpu"] >= 0.3


def test_the_tables_show_suites_and_the_slowest_tests(tmp_path):
    for suite, seconds in (("Spark", [2.5]), ("whole lab", [10.0, 0.5])):
        (tmp_path / f"{suite}.json").write_text(json.dumps({"wall": 2 * sum(seconds), "cpu": sum(seconds)}))
        cases = "".join(f'<testcase classname="tests.t" name="n{n}" time="{n}"/>' for n in seconds)
        (tmp_path / f"{suite}.xml").write_text(f"<testsuites><testsuite>{cases}</testsuite></testsuites>")

    lines = cost_tables(tmp_path).splitlines()

    assert [line.split() for line in lines[:3]] == [
        ["suite", "tests", "seconds", "CPU", "seconds"],
        ["whole", "lab", "2", "21", "10"],
        ["Spark", "1", "5", "2"],
    ]
    assert [line.split() for line in lines[-3:]] == [
        ["10.0", "tests.t::n10.0"],
        ["2.5", "tests.t::n2.5"],
        ["0.5", "tests.t::n0.5"],
    ]

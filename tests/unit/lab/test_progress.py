"""Steps run in order or side by side, and a failure says what is needed to go on."""

from __future__ import annotations

import os
import sys
import threading
import time

import pytest

from lab.progress import Reporter, Step, StepError, Work, run_steps

QUIET = Reporter(quiet=True)


@pytest.fixture
def log_of(tmp_path):
    return lambda name: tmp_path / f"{name}.log"


def test_a_step_runs_after_those_it_names(log_of):
    done = []
    steps = [
        Step("last", lambda work: done.append(work.name), after=("first", "second")),
        Step("second", lambda work: done.append(work.name), after=("first",)),
        Step("first", lambda work: done.append(work.name)),
    ]

    run_steps(steps, log_of, QUIET)

    assert done == ["first", "second", "last"]


def test_independent_steps_run_at_the_same_time(log_of):
    together = threading.Barrier(3)

    run_steps([Step(str(n), lambda work: together.wait(10)) for n in range(3)], log_of, QUIET)

    assert not together.broken


def test_a_failed_command_shows_the_end_of_its_log_where_it_is_and_what_to_do(log_of):
    def build(work: Work) -> None:
        script = "print('\\n'.join(f'line {n}' for n in range(100))); print('no space left'); raise SystemExit(3)"
        work.command(sys.executable, "-c", script, advice="Make room.")

    with pytest.raises(StepError) as failure:
        run_steps([Step("build", build)], log_of, QUIET)

    text = str(failure.value)
    assert "build failed" in text
    assert "exit code 3" in text
    assert "| no space left" in text
    assert "line 99" in text
    assert "line 5\n" not in text
    assert str(log_of("build")) in text
    assert "Make room." in text


def test_a_failure_ends_what_the_other_steps_run(log_of, tmp_path):
    pid_file = tmp_path / "pid"

    def endless(work: Work) -> None:
        script = f"import os, time; open({str(pid_file)!r}, 'w').write(str(os.getpid())); time.sleep(600)"
        work.command(sys.executable, "-c", script)

    def fails(work: Work) -> None:
        work.until(lambda: pid_file.exists() and pid_file.read_text() != "", 20, "the other step's start")
        raise StepError("no")

    with pytest.raises(StepError, match="fails failed: no"):
        run_steps([Step("endless", endless), Step("fails", fails)], log_of, QUIET)

    with pytest.raises(ProcessLookupError):
        os.kill(int(pid_file.read_text()), 0)


def test_nothing_new_is_started_after_a_failure(log_of):
    started = []

    def fails(work: Work) -> None:
        raise ValueError("wrong")

    with pytest.raises(StepError, match="ValueError: wrong"):
        run_steps([Step("fails", fails), Step("next", started.append, after=("fails",))], log_of, QUIET)

    assert started == []


def test_waiting_has_an_end_that_names_what_did_not_happen(tmp_path):
    work = Work("wait", tmp_path / "log", threading.Event())
    started = time.monotonic()

    with pytest.raises(StepError, match=r"an answer of kafka did not happen within 0\.2 s"):
        work.until(lambda: False, 0.2, "an answer of kafka", pause=0.01)

    assert time.monotonic() - started < 5


def test_steps_that_wait_for_each_other_are_refused(log_of):
    with pytest.raises(StepError, match="circular"):
        run_steps(
            [Step("a", lambda work: None, after=("b",)), Step("b", lambda work: None, after=("a",))], log_of, QUIET
        )


def test_long_work_is_reported_while_it_goes_on(log_of, capsys, monkeypatch):
    monkeypatch.setattr("lab.progress.HEARTBEAT", 0.05)
    seen = threading.Event()

    def slow(work: Work) -> None:
        work.note = "41 of 206 jars"
        work.until(seen.is_set, 20, "a report")

    class Listening(Reporter):
        def say(self, text: str) -> None:
            super().say(text)
            if "41 of 206 jars" in text:
                seen.set()

    run_steps([Step("jars", slow)], log_of, Listening())

    output = capsys.readouterr().err
    assert "jars: 41 of 206 jars" in output
    assert "jars: ready (1 of 1" in output

"""Named steps: independent ones run in parallel, and the terminal shows their progress.

Every step has a log file. When a step fails, the report shows the end of its log, the log's path and what to do; the
other steps are stopped. Nothing here knows what the steps do: set-up and the start of the services both use it.
"""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterable, Mapping
from concurrent.futures import FIRST_COMPLETED, Future, ThreadPoolExecutor, wait
from dataclasses import dataclass, field
from pathlib import Path

HEARTBEAT = 10.0
TAIL = 20


class StepError(Exception):
    """A step failed. ``advice`` is a sentence that says what to do about it."""

    def __init__(self, problem: str, advice: str = "") -> None:
        super().__init__(problem)
        self.advice = advice


class Cancelled(Exception):
    """Another step failed or the user pressed Ctrl-C, so this step stops."""


@dataclass(frozen=True)
class Step:
    """``run`` does the work; ``after`` names the steps that must succeed first."""

    name: str
    run: Callable[[Work], None]
    after: tuple[str, ...] = ()


@dataclass
class Work:
    """A running step's context: its log, a note on its progress, and commands that end when the step ends."""

    name: str
    log: Path
    cancelled: threading.Event
    started: float = field(default_factory=time.monotonic)
    note: str = ""

    def write(self, text: str) -> None:
        with self.log.open("a") as file:
            file.write(text.rstrip("\n") + "\n")

    def check_cancelled(self) -> None:
        if self.cancelled.is_set():
            raise Cancelled

    def command(
        self,
        *argv: str | Path,
        environment: Mapping[str, str] | None = None,
        folder: Path | None = None,
        advice: str = "",
    ) -> None:
        """Run a program with its output in the log. It is stopped with the step; failure raises StepError."""
        self.check_cancelled()
        self.write("$ " + " ".join(map(str, argv)))
        with self.log.open("a") as file:
            process = subprocess.Popen(
                list(map(str, argv)),
                stdin=subprocess.DEVNULL,
                stdout=file,
                stderr=subprocess.STDOUT,
                cwd=folder,
                env={**os.environ, **(environment or {})},
                start_new_session=True,
            )
            try:
                while (exit_code := poll(process, 0.2)) is None:
                    self.check_cancelled()
            finally:
                end_group(process)
        if exit_code != 0:
            raise StepError(f"`{Path(argv[0]).name}` ended with exit code {exit_code}", advice)

    def until(self, condition: Callable[[], bool], seconds: float, what: str, pause: float = 0.1) -> None:
        """Wait for a condition; after ``seconds``, raise a StepError that names ``what``."""
        deadline = time.monotonic() + seconds
        while not condition():
            self.check_cancelled()
            if time.monotonic() > deadline:
                raise StepError(f"{what} did not happen within {seconds:g} s")
            time.sleep(pause)


def poll(process: subprocess.Popen[bytes], seconds: float) -> int | None:
    try:
        return process.wait(seconds)
    except subprocess.TimeoutExpired:
        return None


def end_group(process: subprocess.Popen[bytes]) -> None:
    """End a process that leads its own session, and everything it started."""
    if process.poll() is None:
        os.killpg(process.pid, signal.SIGTERM)
        if poll(process, 5) is None:
            os.killpg(process.pid, signal.SIGKILL)
            process.wait()


class Reporter:
    """Writes one line per event to standard error, from any thread, prefixed with the seconds since the start."""

    def __init__(self, quiet: bool = False) -> None:
        self.started = time.monotonic()
        self.quiet = quiet

    def say(self, text: str) -> None:
        if not self.quiet:
            print(f"[{time.monotonic() - self.started:6.1f} s] {text}", file=sys.stderr, flush=True)


def run_steps(steps: Iterable[Step], log_of: Callable[[str], Path], reporter: Reporter) -> None:
    """Run every step as soon as the steps it depends on are done. Raises the first failure as a StepError."""
    waiting = {step.name: step for step in steps}
    total = len(waiting)
    cancelled = threading.Event()
    running: dict[Future[None], Work] = {}
    done: set[str] = set()
    with ThreadPoolExecutor(max_workers=max(total, 1)) as pool:
        try:
            while waiting or running:
                for step in [step for step in waiting.values() if done.issuperset(step.after)]:
                    del waiting[step.name]
                    work = Work(step.name, log_of(step.name), cancelled)
                    running[pool.submit(step.run, work)] = work
                if not running:
                    raise StepError(f"nothing can run before {', '.join(waiting)}: their `after` names are circular")
                finished, _ = wait(running, timeout=HEARTBEAT, return_when=FIRST_COMPLETED)
                for future in finished:
                    work = running.pop(future)
                    report_end(future, work)
                    done.add(work.name)
                    reporter.say(f"{work.name}: ready ({len(done)} of {total}, took {elapsed(work)})")
                if not finished:
                    for work in running.values():
                        reporter.say(f"{work.name}: {work.note or 'working'} ({elapsed(work)})")
        except BaseException:
            cancelled.set()
            raise


def elapsed(work: Work) -> str:
    return f"{time.monotonic() - work.started:.1f} s"


def report_end(future: Future[None], work: Work) -> None:
    """Re-raise a failed step's exception with the end of its log, the log's path and the advice."""
    try:
        future.result()
    except Cancelled:
        raise
    except Exception as error:
        advice = getattr(error, "advice", "") or "Read the log; then run the same command again: finished work is kept."
        text = str(error) if isinstance(error, StepError) else f"{type(error).__name__}: {error}"
        raise StepError(
            f"{work.name} failed: {text}\n{tail(work.log)}\n  log:  {work.log}\n  do:   {advice}"
        ) from error


def tail(log: Path, lines: int = TAIL) -> str:
    """The last lines of a log, indented."""
    try:
        with log.open("rb") as file:
            file.seek(max(log.stat().st_size - 20_000, 0))
            text = file.read().decode(errors="replace")
    except FileNotFoundError:
        return "  (it wrote no log)"
    return "\n".join(f"  | {line[:300]}" for line in text.splitlines()[-lines:]) or "  (its log is empty)"

"""One piece of work (a notebook or a statement) in its own thread and Spark session, which can be canceled."""

from __future__ import annotations

import ctypes
import threading
import time
from abc import ABC, abstractmethod
from contextlib import AbstractContextManager, nullcontext
from typing import Any

from pyspark.sql import SparkSession

from lab.spark_worker.session import java

PENDING, RUNNING = "PENDING", "RUNNING"
SUCCESS, FAILED, CANCELED = "SUCCESS", "FAILED", "CANCELED"
INTERRUPT_EVERY = 0.5


class Canceled(BaseException):
    """Raised inside the work's thread. Not an Exception, so that the work's own handlers cannot swallow it."""


class Work(ABC):
    """``state`` goes from PENDING through RUNNING to SUCCESS, FAILED or CANCELED, and stays there."""

    def __init__(self, id: str, base: SparkSession) -> None:
        self.id = id
        self.state = PENDING
        self.started: float | None = None
        self.ended: float | None = None
        self._base = base
        self._session: SparkSession | None = None
        self._cancel = False
        self._interruptible = True
        self._changed = threading.Condition()
        self._thread = threading.Thread(target=self._run, name=f"work-{id}", daemon=True)

    def start(self) -> None:
        self._thread.start()

    @property
    def terminal(self) -> bool:
        return self.state not in (PENDING, RUNNING)

    def wait(self, seconds: float, beyond: str) -> None:
        """Return when the work has ended, when its state differs from ``beyond``, or after ``seconds``."""
        with self._changed:
            self._changed.wait_for(lambda: self.terminal or self.state != beyond, seconds)

    def cancel(self) -> None:
        """Ask the thread to stop, and keep interrupting its Spark jobs until it has. Returns at once.

        A job that the thread has requested but Spark has not started would outlive both and occupy a core, so future
        jobs of the work's group are canceled too.
        """
        with self._changed:
            if self._cancel or self.terminal:
                return
            self._cancel = True
            if self._interruptible:
                _raise_in(self._thread, Canceled)
        threading.Thread(target=self._interrupt, daemon=True).start()

    def _interrupt(self) -> None:
        self._base._jsc.sc().cancelJobGroupAndFutureJobs(self.id)
        while not self.terminal:
            session = self._session
            if session is not None:
                self.interrupt(session)
            self._thread.join(INTERRUPT_EVERY)

    def _run(self) -> None:
        try:
            try:
                self._work()
                state = SUCCESS
            finally:
                with self._changed:
                    self._interruptible = False
                _raise_in(threading.current_thread(), None)
        except Canceled:
            state = CANCELED
        except BaseException as error:
            state = CANCELED if self._cancel else FAILED
            if state == FAILED:
                self.failed(error)
                self._forget_storage_without_keys(error)
        self._become(state)

    def _work(self) -> None:
        with self.surroundings():
            self._session = self._base.newSession()
            java(self._session).SparkSession.setActiveSession(self._session._jsparkSession)
            self._session.sparkContext.setJobGroup(self.id, type(self).__name__)
            self._become(RUNNING)
            self.execute(self._session)

    def _forget_storage_without_keys(self, error: BaseException) -> None:
        """Hadoop keeps one client per bucket: one opened by work without keys would make all later work fail."""
        if "NoAwsCredentialsException" in str(error):
            java(self._base).org.apache.hadoop.fs.FileSystem.closeAll()

    def _become(self, state: str) -> None:
        with self._changed:
            self.state = state
            if state == RUNNING:
                self.started = time.time()
            else:
                self.ended = time.time()
                self._session = None
            self._changed.notify_all()

    def surroundings(self) -> AbstractContextManager[None]:
        """The context that the work needs; entering it may wait while the work is PENDING."""
        return nullcontext()

    def interrupt(self, session: SparkSession) -> None:
        """Stop what the work does in Spark. Called repeatedly until the work has ended."""
        session.interruptAll()

    @abstractmethod
    def execute(self, session: SparkSession) -> None:
        """Do the work and keep its result."""

    @abstractmethod
    def failed(self, error: BaseException) -> None:
        """Keep the error."""

    @abstractmethod
    def view(self) -> dict[str, Any]:
        """The result as the API returns it."""


def _raise_in(thread: threading.Thread, error: type[BaseException] | None) -> None:
    """Make ``thread`` raise ``error`` at its next bytecode; None withdraws an error not raised yet."""
    raised = ctypes.py_object(error) if error else None
    ctypes.pythonapi.PyThreadState_SetAsyncExc(ctypes.c_ulong(thread.ident or 0), raised)

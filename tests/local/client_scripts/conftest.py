"""The client machine's scripts, run by bash in a home of their own against a file server on loopback."""

from __future__ import annotations

import os
import subprocess
import sys
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest

from pinterest.hooks.kafka_client import MARKER, _stdin
from tests.local.client_scripts.client_machine import FileServer, render


@pytest.fixture(scope="package", autouse=True)
def _python(tmp_path_factory) -> Iterator[None]:
    """The tools that stand in for Kafka's run by this Python: a version manager's ``python3`` takes ten times as long
    to start."""
    folder = tmp_path_factory.mktemp("bin")
    (folder / "python3").symlink_to(Path(sys.executable).resolve())
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("PATH", f"{folder}{os.pathsep}{os.environ['PATH']}")
        yield


@pytest.fixture
def web():
    server = FileServer()
    thread = threading.Thread(target=server.http.serve_forever, kwargs={"poll_interval": 0.01})
    thread.start()
    yield server
    server.http.shutdown()
    thread.join()
    server.http.server_close()


@pytest.fixture
def home(tmp_path) -> Path:
    (tmp_path / "home").mkdir()
    return tmp_path / "home"


@pytest.fixture
def run(home):
    """Run a template as the hook does. Gives (exit code, last line of stdout, stderr).

    ``stdout`` is a list that takes all lines of stdout, without the hook's own first line.
    """

    def run(
        name: str, environment=None, secrets=None, path: str | None = None, sections=None, template=None, stdout=None
    ):
        text = template or render(name, **(sections or {}))
        done = subprocess.run(
            ["bash", "-s"],
            input=_stdin(text, environment or {}, secrets or {}),
            env={"HOME": str(home), "PATH": path or os.environ["PATH"]},
            cwd=home,
            capture_output=True,
            text=True,
            timeout=60,
        )
        assert [p.name for p in home.iterdir() if p.name.startswith(".pinterest-pipeline")] == []
        if stdout is not None:
            stdout += [line for line in done.stdout.splitlines() if not line.startswith(MARKER)]
        return done.returncode, (done.stdout.strip().splitlines() or [""])[-1], done.stderr

    return run


@pytest.fixture
def kafka(home) -> Path:
    for folder in ("bin", "libs"):
        (home / "kafka" / folder).mkdir(parents=True)
    return home / "kafka"

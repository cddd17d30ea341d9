"""The Python environments beside ``.venv``, each from its lock file: hashes checked, bytecode compiled once."""

from __future__ import annotations

import platform
import sys
from pathlib import Path

from lab.progress import Work
from lab.state import CHECKOUT, State

UV = Path(sys.executable).with_name("uv")


def lock_file(name: str) -> Path:
    return CHECKOUT / "requirements" / f"{name}.lock"


def install(state: State, name: str, work: Work) -> None:
    """Make the environment match its lock file exactly."""
    folder = state.install / "envs" / name
    work.note = f"installing {lock_file(name).read_text().count('==')} packages"
    if not (folder / "bin" / "python").exists():
        work.command(UV, "venv", "--quiet", "--clear", "--python", sys.executable, folder)
    work.command(
        *(UV, "pip", "sync", "--require-hashes", "--compile-bytecode"),
        *("--python", folder / "bin" / "python", lock_file(name)),
        advice="Check the network (uv reads HTTPS_PROXY and SSL_CERT_FILE); then run the same command again.",
    )


def what_it_depends_on(name: str) -> tuple[str, ...]:
    return (lock_file(name).read_text(), platform.python_version(), platform.machine(), sys.executable)

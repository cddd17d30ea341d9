"""Where the lab keeps things: its folders, the ports it chose, the secrets it generated.

There are two folders. ``install`` holds what is downloaded and built (environments, jars, archives); several labs can
share it. The state's ``root`` holds everything of one lab: data, logs, keys, ports. Both come from the environment:
``LAB_INSTALL`` (default ``<checkout>/.lab/install``) and ``LAB_STATE`` (default ``<checkout>/.lab/state``).
"""

from __future__ import annotations

import fcntl
import hashlib
import json
import os
import secrets
import socket
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

CHECKOUT = Path(__file__).resolve().parents[1]

USER_ID = "0e36c8cd403d"
REGION = "us-east-1"
ACCOUNT = "000000000000"

PORTS = (
    "mariadb",
    "kafka",
    "kafka_controller",
    "connect",
    "aws",
    "gateway",
    "msk_connect",
    "databricks",
    "ssh",
    "mirror",
    "spark",
    "rest_proxy",
    "airflow",
)
PREFERRED_PORTS = {"airflow": range(8080, 8180)}
MAX_SOCKET_PATH = 100


def folder_from_environment(variable: str, default: str) -> Path:
    return (CHECKOUT / os.environ.get(variable, default)).resolve()


@dataclass
class State:
    """One lab. Ports and secrets are created on first use and kept, so a restart finds the same ones."""

    root: Path
    install: Path
    ports: dict[str, int] = field(default_factory=dict)
    secrets: dict[str, str] = field(default_factory=dict, repr=False)

    @classmethod
    def open(cls, root: Path | None = None, install: Path | None = None) -> State:
        """Open the lab that the environment names, and choose any ports it lacks."""
        state = cls(
            root.resolve() if root else folder_from_environment("LAB_STATE", ".lab/state"),
            install.resolve() if install else folder_from_environment("LAB_INSTALL", ".lab/install"),
        )
        state.root.mkdir(parents=True, exist_ok=True, mode=0o700)
        with state.alone():
            state.ports = read_object(state.root / "ports.json")
            state.secrets = read_object(state.root / "secrets.json")
            missing = [name for name in PORTS if name not in state.ports]
            if missing:
                state.ports |= choose_ports(missing, taken=set(state.ports.values()))
                state.save()
        return state

    def save(self) -> None:
        write_private(self.root / "ports.json", json.dumps(self.ports, indent=2) + "\n")
        write_private(self.root / "secrets.json", json.dumps(self.secrets, indent=2) + "\n")

    def path(self, *parts: str) -> Path:
        return self.root.joinpath(*parts)

    def port(self, name: str) -> int:
        try:
            return self.ports[name]
        except KeyError:
            raise KeyError(f"the lab has no port named {name!r}; it has {', '.join(PORTS)}") from None

    def secret(self, name: str) -> str:
        """A random secret of that name: the same every time, whichever thread or process asks first."""
        if name not in self.secrets:
            with self.alone():
                self.secrets |= read_object(self.root / "secrets.json")
                self.secrets.setdefault(name, secrets.token_hex(20))
                self.save()
        return self.secrets[name]

    @contextmanager
    def alone(self) -> Iterator[None]:
        """Keep other threads and processes from changing ports or secrets."""
        with (self.root / "state.lock").open("w") as lock:
            fcntl.flock(lock, fcntl.LOCK_EX)
            yield

    def log(self, service: str) -> Path:
        folder = self.path("logs")
        folder.mkdir(exist_ok=True)
        return folder / f"{service}.log"

    def socket(self, name: str) -> Path:
        """A Unix socket's path. The system allows about a hundred characters; a longer path moves into the temporary
        folder, into a directory that only its owner can enter."""
        path = self.path(f"{name}.sock")
        if len(os.fsencode(path)) > MAX_SOCKET_PATH:
            digest = hashlib.sha256(os.fsencode(self.root)).hexdigest()[:12]
            folder = Path(tempfile.gettempdir()) / f"lab-{os.getuid()}-{digest}"
            folder.mkdir(mode=0o700, exist_ok=True)
            if folder.stat().st_uid != os.getuid() or folder.stat().st_mode & 0o077:
                raise PermissionError(f"{folder} belongs to another user or is open to others; remove it")
            path = folder / path.name
        return path

    def environment(self) -> dict[str, str]:
        """The variables with which a child process opens the same state."""
        return {"LAB_STATE": str(self.root), "LAB_INSTALL": str(self.install)}


def read_object(path: Path) -> dict[str, Any]:
    try:
        content: dict[str, Any] = json.loads(path.read_text())
    except FileNotFoundError:
        return {}
    except ValueError as error:
        raise ValueError(f"{path} is not JSON ({error}); run `make lab-reset` to start over") from error
    return content


def write_private(path: Path, text: str) -> None:
    """Write a file that only its owner can read, and replace it atomically: readers see the old file or the new one."""
    beside = path.with_name(f".{path.name}.{os.getpid()}")
    descriptor = os.open(beside, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
    with os.fdopen(descriptor, "w") as file:
        file.write(text)
    os.replace(beside, path)


def choose_ports(names: list[str], taken: set[int]) -> dict[str, int]:
    """A free port for each name. All are held open until the last is chosen, so none is chosen twice."""
    held: list[socket.socket] = []
    chosen: dict[str, int] = {}
    try:
        for name in names:
            wishes = iter(PREFERRED_PORTS.get(name, ()))
            while name not in chosen:
                candidate = hold_port(next(wishes, 0))
                if candidate is None:
                    continue
                held.append(candidate)
                port = candidate.getsockname()[1]
                if port not in taken:
                    chosen[name] = port
                    taken.add(port)
    finally:
        for candidate in held:
            candidate.close()
    return chosen


def hold_port(port: int) -> socket.socket | None:
    candidate = socket.socket()
    try:
        candidate.bind(("127.0.0.1", port))
    except OSError:
        candidate.close()
        return None
    return candidate

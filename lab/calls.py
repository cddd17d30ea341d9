"""What the lab's programs asked of AWS: a file for each service, ``<state>/calls/<service>.jsonl``.

A line says who called, in IAM's words what, and on which resource. Each is written once while the service runs, and a
service begins its file anew. Programs are known by their access keys, as AWS knows roles; calls with another key (the
lab's own, a person's, a test's) are not kept.
"""

from __future__ import annotations

import json
import re
from typing import NamedTuple

from lab.state import State, write_private

CALLERS = ("airflow", "databricks", "s3_sink", "doctor")
FOLDER = "calls"
CREDENTIAL = re.compile(r"Credential=([^/]+)/")


class Call(NamedTuple):
    caller: str
    action: str
    resource: str


def access_key(state: State, caller: str) -> str:
    """The access key with which a program of the lab calls AWS."""
    if caller not in CALLERS:
        raise LookupError(f"{caller!r} is none of {', '.join(CALLERS)}")
    return state.secret(f"{caller}_access_key_id")


def access_key_of(authorization: str) -> str:
    """The access key of a signed call; empty if there is none."""
    found = CREDENTIAL.search(authorization)
    return found[1] if found else ""


class CallLog:
    """Keeps the calls that a service gets. Only their owner can read the file."""

    def __init__(self, state: State, service: str) -> None:
        self.path = state.path(FOLDER, f"{service}.jsonl")
        self.path.parent.mkdir(exist_ok=True, mode=0o700)
        write_private(self.path, "")
        self.callers = {access_key(state, caller): caller for caller in CALLERS}
        self.kept: set[Call] = set()

    def caller(self, key: str) -> str | None:
        return self.callers.get(key)

    def keep(self, call: Call) -> None:
        if call not in self.kept:
            self.kept.add(call)
            with self.path.open("a") as file:
                file.write(json.dumps(call._asdict()) + "\n")


def calls(state: State) -> set[Call]:
    """All calls that are kept."""
    files = state.path(FOLDER).glob("*.jsonl")
    return {Call(**json.loads(line)) for file in files for line in file.read_text().splitlines()}

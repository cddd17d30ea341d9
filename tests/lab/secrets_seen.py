"""Where a lab's secrets can be seen: its files, its bucket, its services' answers, other processes' arguments."""

from __future__ import annotations

import json
import sqlite3
import threading
from collections.abc import Callable, Iterator, Mapping
from contextlib import closing, contextmanager
from pathlib import Path
from typing import Any

import psutil
import requests

from lab.state import State

KEEP_SECRETS = {
    "secrets.json": "the lab's own",
    "airflow.env": "the connections and the Variable",
    "supervisord.conf": "what the services are started with",
    "ministack": "the stand-in's Parameter Store, and the bucket, which is read through S3",
    "mariadb": "hashes of the users' passwords",
}
"""What may hold secrets in a lab's folder, each readable by its owner only."""
NO_SECRETS = ("access_key_id",)
"""Names what is in ``secrets.json``, and is no secret: AWS shows it in every signed address."""
LARGEST = 64 << 20


def secrets_of(lab: State, parameters: Any) -> dict[str, bytes]:
    """Everything that must not be seen, by name: what the connections, the Variable and Parameter Store hold."""
    own = json.loads(lab.path("secrets.json").read_text())
    found = {name: value for name, value in own.items() if not name.endswith(NO_SECRETS)}
    for page in parameters.get_paginator("describe_parameters").paginate():
        for name in (one["Name"] for one in page["Parameters"]):
            kept = parameters.get_parameter(Name=name, WithDecryption=True)["Parameter"]
            if kept["Type"] == "SecureString":
                found[name] = middle_line(kept["Value"])
    return {name: value.encode() for name, value in found.items()}


def middle_line(text: str) -> str:
    """Of a key in PEM, whose first lines are the same in all keys of a kind."""
    lines = text.splitlines()
    return lines[len(lines) // 2]


def files(lab: State) -> Iterator[tuple[str, bytes]]:
    """Every file of a lab's folder that must not hold one: logs, databases, the client machine, tables."""
    for path in sorted(lab.root.rglob("*")):
        place = path.relative_to(lab.root)
        if place.parts[0] not in KEEP_SECRETS and path.is_file() and path.stat().st_size < LARGEST:
            yield str(place), path.read_bytes()


def rows(database: Path) -> Iterator[tuple[str, bytes]]:
    """Every row of every table of a SQLite database."""
    with closing(sqlite3.connect(f"file:{database}?mode=ro", uri=True)) as connection:
        for (table,) in connection.execute("SELECT name FROM sqlite_master WHERE type = 'table'").fetchall():
            for row in connection.execute(f'SELECT * FROM "{table}"'):
                values = (value if isinstance(value, bytes) else str(value).encode() for value in row)
                yield table, b" ".join(values)


def jobs(call: Callable[..., dict[str, Any]]) -> Iterator[tuple[str, bytes]]:
    """Jobs, runs and the output of their tasks, as Databricks shows them.

    :param call: of its REST API, as :meth:`tests.lab.pipeline_runs.Pipeline.databricks`
    """
    for one in listed(call, "jobs"):
        settings = call("GET", "2.2/jobs/get", params={"job_id": one["job_id"]})
        yield f"job {one['job_id']}", json.dumps(settings).encode()
    for run in listed(call, "jobs/runs", "runs"):
        described = call("GET", "2.2/jobs/runs/get", params={"run_id": run["run_id"]})
        yield f"run {run['run_id']}", json.dumps(described).encode()
        for task in described["tasks"]:
            output = call("GET", "2.2/jobs/runs/get-output", params={"run_id": task["run_id"]})
            yield f"output of {task['task_key']} in run {run['run_id']}", json.dumps(output).encode()


def listed(call: Callable[..., dict[str, Any]], what: str, name: str = "jobs") -> Iterator[dict[str, Any]]:
    page: dict[str, Any] = {"next_page_token": None}
    while "next_page_token" in page:
        token = {"page_token": page["next_page_token"]} if page["next_page_token"] else {}
        page = call("GET", f"2.2/{what}/list", params={"limit": 25, **token})
        yield from page.get(name, ())


def objects(s3: Any, bucket: str) -> Iterator[tuple[str, bytes]]:
    for page in s3.get_paginator("list_objects_v2").paginate(Bucket=bucket):
        for item in page.get("Contents", []):
            yield f"s3://{bucket}/{item['Key']}", s3.get_object(Bucket=bucket, Key=item["Key"])["Body"].read()


def connectors(msk_connect: Any) -> Iterator[tuple[str, bytes]]:
    """Connectors as MSK Connect describes them, with their configuration."""
    for one in msk_connect.list_connectors()["connectors"]:
        described = msk_connect.describe_connector(connectorArn=one["connectorArn"])
        yield f"connector {one['connectorName']}", json.dumps(described, default=str).encode()


def connect_worker(lab: State) -> tuple[str, bytes]:
    """Connectors as the Kafka Connect worker shows them, with configuration, status and traces."""
    url = f"http://127.0.0.1:{lab.port('connect')}/connectors"
    answer = requests.get(url, params={"expand": ["info", "status"]}, timeout=30)
    answer.raise_for_status()
    return "the connect worker", json.dumps(answer.json()).encode()


def seen(secrets: Mapping[str, bytes], places: Iterator[tuple[str, bytes]]) -> list[str]:
    """``<name of a secret> in <place>`` for each that is there."""
    return [f"{name} in {place}" for place, content in places for name, secret in secrets.items() if secret in content]


@contextmanager
def arguments_seen(into: set[str], every: float = 0.2) -> Iterator[None]:
    """Looks at all processes of the machine again and again, and keeps their argument lists."""
    over = threading.Event()

    def look() -> None:
        while not over.wait(every):
            for process in psutil.process_iter(["cmdline"]):
                into.add(" ".join(process.info["cmdline"] or []))

    thread = threading.Thread(target=look, daemon=True)
    thread.start()
    try:
        yield
    finally:
        over.set()
        thread.join()


def folder(path: Path) -> Iterator[tuple[str, bytes]]:
    for file in sorted(one for one in path.rglob("*") if one.is_file()):
        yield str(file.relative_to(path)), file.read_bytes()

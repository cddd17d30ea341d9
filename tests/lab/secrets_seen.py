"""Where a lab's secrets can be seen: its files, its bucket, its services' answers, other processes' arguments."""

from __future__ import annotations

import json
import threading
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import psutil

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
    """Every file of a lab's folder that must not hold one: logs, Airflow's database, notebooks' output, tables."""
    for path in sorted(lab.root.rglob("*")):
        place = path.relative_to(lab.root)
        if place.parts[0] not in KEEP_SECRETS and path.is_file() and path.stat().st_size < LARGEST:
            yield str(place), path.read_bytes()


def objects(s3: Any, bucket: str) -> Iterator[tuple[str, bytes]]:
    for page in s3.get_paginator("list_objects_v2").paginate(Bucket=bucket):
        for item in page.get("Contents", []):
            yield f"s3://{bucket}/{item['Key']}", s3.get_object(Bucket=bucket, Key=item["Key"])["Body"].read()


def connectors(msk_connect: Any) -> Iterator[tuple[str, bytes]]:
    """Connectors as MSK Connect describes them, with their configuration."""
    for one in msk_connect.list_connectors()["connectors"]:
        described = msk_connect.describe_connector(connectorArn=one["connectorArn"])
        yield f"connector {one['connectorName']}", json.dumps(described, default=str).encode()


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

"""Broker, Connect worker and S3 under a supervisor of their own, so that a test may kill any of them."""

from __future__ import annotations

import functools
import json
import os
import signal
import uuid
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import boto3
import requests
from confluent_kafka import Producer
from confluent_kafka.admin import AdminClient, NewTopic

from lab import lifecycle
from lab.progress import Reporter, Step, run_steps
from lab.services import services
from lab.state import State
from lab.supervision import Supervisor
from tests.lab.lab_parts import wait_until

SECONDS = 90


@contextmanager
def supervised(state: State, *names: str) -> Iterator[Supervisor]:
    table = [service for service in services(state) if service.name in names]
    supervisor = Supervisor(state)
    supervisor.configure([lifecycle.program(service) for service in table])
    supervisor.start_daemon()
    try:
        run_steps(
            [
                Step(
                    service.name, functools.partial(lifecycle.start_service, state, supervisor, service), service.after
                )
                for service in table
            ],
            state.log,
            Reporter(quiet=True),
        )
        yield supervisor
    finally:
        lifecycle.stop_everything(state, supervisor)


def kill(supervisor: Supervisor, service: str) -> None:
    """SIGKILL. Returns when the supervisor has started another process in its place."""
    pid = supervisor.process(service).pid
    os.kill(pid, signal.SIGKILL)
    wait_until(lambda: supervisor.process(service).pid not in (0, pid), f"{service} started again")


def s3(state: State) -> Any:
    return boto3.client(
        "s3",
        endpoint_url=f"http://127.0.0.1:{state.port('aws')}",
        region_name="us-east-1",
        aws_access_key_id="anything",
        aws_secret_access_key="anything",
    )


def new_bucket(state: State) -> str:
    name = f"bucket-{uuid.uuid4().hex}"
    s3(state).create_bucket(Bucket=name)
    return name


def new_topic(state: State, partitions: int = 1) -> str:
    name = f"topic-{uuid.uuid4().hex}"
    create_topic(state, name, partitions)
    return name


def create_topic(state: State, name: str, partitions: int = 1, config: dict[str, str] | None = None) -> None:
    admin = AdminClient({"bootstrap.servers": f"127.0.0.1:{state.port('kafka')}"})
    for created in admin.create_topics([NewTopic(name, partitions, 1, config=config or {})]).values():
        created.result()
    wait_until(lambda: name in admin.list_topics(timeout=10).topics, f"the broker knows {name}")


def produce(state: State, topic: str, values: list[bytes | None], partition: int = 0) -> None:
    """Returns when the broker has them all."""
    servers = f"127.0.0.1:{state.port('kafka')}"
    producer = Producer({"bootstrap.servers": servers, "linger.ms": 5, "message.max.bytes": 10_000_000})
    errors = []
    for value in values:
        producer.produce(topic, value, partition=partition, on_delivery=lambda error, _: error and errors.append(error))
    assert producer.flush(SECONDS) == 0
    assert not errors


def numbered(first: int, count: int) -> list[bytes | None]:
    return [json.dumps({"n": number}).encode() for number in range(first, first + count)]


class Connect:
    """The worker's own REST API."""

    def __init__(self, state: State) -> None:
        self.url = f"http://127.0.0.1:{state.port('connect')}"

    def put(self, name: str, configuration: dict[str, str]) -> None:
        answer = requests.put(f"{self.url}/connectors/{name}/config", json=configuration, timeout=30)
        assert answer.ok, answer.text

    def delete(self, name: str) -> None:
        requests.delete(f"{self.url}/connectors/{name}", timeout=30)

    def states(self, name: str) -> list[str]:
        """The connector's, then its tasks'; nothing while the worker does not know."""
        try:
            answer = requests.get(f"{self.url}/connectors/{name}/status", timeout=5)
        except requests.ConnectionError:
            return []
        if not answer.ok:
            return []
        status = answer.json()
        return [status["connector"]["state"], *(task["state"] for task in status["tasks"])]

    def configuration(self, name: str) -> dict[str, str]:
        return requests.get(f"{self.url}/connectors/{name}/config", timeout=5).json()

    def plugins(self) -> list[dict[str, str]]:
        return requests.get(f"{self.url}/connector-plugins", timeout=5).json()

    def trace(self, name: str) -> str:
        status = requests.get(f"{self.url}/connectors/{name}/status", timeout=5).json()
        return "\n".join(part.get("trace", "") for part in (status["connector"], *status["tasks"]))

    def await_running(self, name: str) -> None:
        wait_until(lambda: self.states(name)[1:] == ["RUNNING"], f"{name} and its task RUNNING", SECONDS)


def objects(state: State, bucket: str) -> dict[str, list[dict[str, Any]]]:
    """Every object's lines, by key."""
    client = s3(state)
    pages = client.get_paginator("list_objects_v2").paginate(Bucket=bucket)
    keys = [entry["Key"] for page in pages for entry in page.get("Contents", [])]
    return {
        key: [json.loads(line) for line in client.get_object(Bucket=bucket, Key=key)["Body"].read().splitlines()]
        for key in keys
    }

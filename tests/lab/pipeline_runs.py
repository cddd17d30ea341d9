"""Whole runs of the DAGs on a lab, by Airflow's own command line, and what can be seen of them from outside."""

from __future__ import annotations

import csv
import io
import json
import os
import random
import shlex
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager, redirect_stdout
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from types import ModuleType
from typing import Any
from unittest import mock

import boto3
import pymysql
import requests

from lab.calls import access_key
from lab.state import CHECKOUT, USER_ID, State, write_private
from tests.lab.airflow_processes import AirflowProcess, AirflowServer
from tests.lab.lab_parts import wait_until
from tests.lab.secrets_seen import arguments_seen

ENTITIES = {"pin": "pinterest_data", "geo": "geolocation_data", "user": "user_data"}
KEYS = {"pin": "index", "geo": "ind", "user": "ind"}
BUCKET = f"user-{USER_ID}-bucket"
RUN_LIMIT_SECONDS = 1200
OF_THE_CHECKOUT = ("PYTHONPATH", "AIRFLOW__AWS__SESSION_FACTORY")
"""What has the lab's Airflow import something of the checkout, beside the folders of DAGs and plugins."""
LISTS_MODULES = """\
import atexit, os, sys

@atexit.register
def write():
    files = {str(file) for module in sys.modules.values() if (file := getattr(module, "__file__", None))}
    with open(os.path.join(os.path.dirname(__file__), "imported.txt"), "w") as out:
        out.write("\\n".join(sorted(files)))
"""
FIRST, SECOND = 400, 150  # posts of the two runs of pinterest_pipeline that the other tests build on


def seeds_draws(seed: int, posts: int) -> list[int]:
    """The keys that the seeds' loop draws, written here once more: the sleep's draw, then the row's."""
    randomness = random.Random(seed)
    keys = []
    for _ in range(posts):
        randomness.randrange(0, 2)
        keys.append(randomness.randint(0, 11000))
    return keys


@dataclass(frozen=True)
class Run:
    """A finished run: its exit code, its log, its ledger (empty where none was written)."""

    exit_code: int
    log: str
    run_id: str
    ledger: dict[str, Any]

    @property
    def verdict(self) -> str:
        return self.ledger.get("verdict", {}).get("status", "none")

    def entry(self, hop: str, entity: str, route: str = "batch") -> dict[str, Any]:
        place = {"route": route, "hop": hop, "entity": entity}
        return next(entry for entry in self.ledger["entries"] if entry.items() >= place.items())

    def assert_reconciled(self) -> None:
        assert self.exit_code == 0, self.log[-6000:]
        assert self.verdict == "reconciled"


class Pipeline:
    def __init__(self, lab: State) -> None:
        self.lab = lab
        self.environment = {
            name: value
            for token in shlex.split(lab.path("airflow.env").read_text(), comments=True)
            for name, equals, value in [token.partition("=")]
            if equals
        }
        account = {
            "endpoint_url": f"http://127.0.0.1:{lab.port('aws')}",
            "region_name": "us-east-1",
            "aws_access_key_id": "a test's",
            "aws_secret_access_key": "a test's",
        }
        self.s3 = boto3.client("s3", **account)
        self.kinesis = boto3.client("kinesis", **account)
        self.rest_apis = boto3.client("apigateway", **account)
        self.parameters = boto3.client("ssm", **account)
        msk_connect = f"http://127.0.0.1:{lab.port('msk_connect')}"
        self.msk_connect = boto3.client("kafkaconnect", **account | {"endpoint_url": msk_connect})
        self.variables: dict[str, str] = {}
        self.arguments: set[str] = set()
        """Argument lists of all processes of the machine that were seen while a user's run went on."""
        self._airflow = AirflowServer(self.environment)

    @contextmanager
    def changed_settings(self, **sections: dict[str, Any]) -> Iterator[None]:
        """Runs see the Variable with these sections in place of its own."""
        name = "AIRFLOW_VAR_PINTEREST_PIPELINE"
        self.variables[name] = json.dumps(json.loads(self.environment[name]) | sections)
        try:
            yield
        finally:
            del self.variables[name]

    def start(self, dag_id: str, **params: Any) -> AirflowProcess:
        """A run in a process group of its own, logging to the lab's log folder."""
        arguments = ["dags", "test", dag_id, "-c", json.dumps(params)]
        return self._airflow.start(arguments, self.lab.log(f"test-{dag_id}"), **self.variables)

    def run_as_a_user(self, dag_id: str, **params: Any) -> Run:
        """A whole run, started in a shell with ``bin/airflow``."""
        before = self.reports(dag_id)
        with self.lab.log(f"test-{dag_id}").open("wb") as log, arguments_seen(self.arguments):
            ended = subprocess.run(
                [str(CHECKOUT / "bin" / "airflow"), "dags", "test", dag_id, "-c", json.dumps(params)],
                env={**os.environ, "ENV_FILE": str(self.lab.path("airflow.env"))},
                stdout=log,
                stderr=subprocess.STDOUT,
                timeout=RUN_LIMIT_SECONDS,
            )
        return self._finished(dag_id, ended.returncode, before)

    def run_on_mwaa(self, dag_id: str, home: Path, **params: Any) -> Run:
        """A whole run of an Airflow that has the folders ``dags`` and ``plugins`` of ``home``, and not the checkout.

        ``home/listed/imported.txt`` lists the files of all modules that it has imported.
        """
        before = self.reports(dag_id)
        listed = home / "listed"
        listed.mkdir()
        (listed / "sitecustomize.py").write_text(LISTS_MODULES)
        environment = {
            "PATH": os.environ["PATH"],
            "HOME": str(home),
            **{name: value for name, value in self.environment.items() if name not in OF_THE_CHECKOUT},
            "AIRFLOW__CORE__DAGS_FOLDER": str(home / "dags"),
            "AIRFLOW__CORE__PLUGINS_FOLDER": str(home / "plugins"),
            "PYTHONPATH": str(listed),
        }
        with self.lab.log(f"test-{dag_id}").open("wb") as log:
            ended = subprocess.run(
                [str(Path(sys.executable).parent / "airflow"), "dags", "test", dag_id, "-c", json.dumps(params)],
                env=environment,
                cwd=home,
                stdout=log,
                stderr=subprocess.STDOUT,
                timeout=RUN_LIMIT_SECONDS,
            )
        return self._finished(dag_id, ended.returncode, before)

    def doctor(self, **changes: str) -> subprocess.CompletedProcess[str]:
        """What ``make doctor TARGET=account`` says of the lab; ``changes`` are variables that it sees."""
        file = self.lab.path("doctor.env")
        aws = json.loads(self.environment["AIRFLOW_CONN_AWS_DEFAULT"]) | {"login": access_key(self.lab, "doctor")}
        changes = {"AIRFLOW_CONN_AWS_DEFAULT": json.dumps(aws), **changes}
        with self.lab.path("airflow.env").open() as kept:
            write_private(file, kept.read() + "".join(f"{name}={shlex.quote(v)}\n" for name, v in changes.items()))
        try:
            return subprocess.run(
                [str(CHECKOUT / "bin" / "doctor"), "account"],
                env={**os.environ, "ENV_FILE": str(file)},
                capture_output=True,
                text=True,
                timeout=300,
            )
        finally:
            file.unlink()

    def run(self, dag_id: str, *, on: tuple[str, Callable[[], None]] | None = None, **params: Any) -> Run:
        """A whole run. ``on`` is a text of its log, and what to do when it stands there."""
        before = self.reports(dag_id)
        process = self.start(dag_id, **params)
        try:
            if on is not None:
                log = self.lab.log(f"test-{dag_id}")
                wait_until(lambda: process.poll() is not None or on[0] in log.read_text(), on[0], deadline=300)
                on[1]()
            exit_code = process.wait(RUN_LIMIT_SECONDS)
        finally:
            process.kill()
        return self._finished(dag_id, exit_code, before)

    def run_beside(self, dag_id: str, other: str, *, once: str, **params: Any) -> tuple[Run, Run]:
        """Two whole runs at the same time: the other DAG's starts as soon as ``once`` stands in the first one's log."""
        before = self.reports(other)
        started: list[AirflowProcess] = []
        try:
            run = self.run(
                dag_id, on=(once, lambda: started.append(self.start(other, posts=params["posts"]))), **params
            )
            assert started, run.log[-6000:]
            exit_code = started[0].wait(RUN_LIMIT_SECONDS)
        finally:
            for process in started:
                process.kill()
        return run, self._finished(other, exit_code, before)

    def connector_of_others(self) -> None:
        """Somebody has made a connector of our name, which writes its objects elsewhere, in place of ours."""
        (ours,) = self.msk_connect.list_connectors()["connectors"]
        described = self.msk_connect.describe_connector(connectorArn=ours["connectorArn"])
        plugin = self.msk_connect.list_custom_plugins()["customPlugins"][0]
        self.msk_connect.delete_connector(connectorArn=ours["connectorArn"])
        wait_until(lambda: not self.msk_connect.list_connectors()["connectors"], "the connector is deleted")
        kept = "capacity connectorName kafkaCluster kafkaClusterClientAuthentication kafkaConnectVersion"
        copied = {
            name: described[name]
            for name in (*kept.split(), "kafkaClusterEncryptionInTransit", "serviceExecutionRoleArn")
        }
        self.msk_connect.create_connector(
            **copied,
            connectorConfiguration=described["connectorConfiguration"] | {"topics.dir": "theirs"},
            plugins=[
                {
                    "customPlugin": {
                        "customPluginArn": plugin["customPluginArn"],
                        "revision": plugin["latestRevision"]["revision"],
                    }
                }
            ],
        )

    def run_and_kill(self, dag_id: str, when: Callable[[], bool], what: str, **params: Any) -> None:
        """Start a run, wait until ``when``, then SIGKILL everything of it."""
        process = self.start(dag_id, **params)
        try:
            wait_until(lambda: process.poll() is not None or when(), what, deadline=300)
            assert process.poll() is None, self.lab.log(f"test-{dag_id}").read_text(errors="replace")[-4000:]
        finally:
            process.kill()

    def _finished(self, dag_id: str, exit_code: int, before: set[str]) -> Run:
        log = self.lab.log(f"test-{dag_id}").read_text(errors="replace")
        new = self.reports(dag_id) - before
        run_id = max(new) if new else ""
        ledger = self.document(f"reports/{dag_id}/{run_id}/ledger.json") if new else {}
        return Run(exit_code, log, run_id, ledger)

    @contextmanager
    def noisy_login(self) -> Iterator[None]:
        """The client machine's shell prints something before each command."""
        startup = self.lab.path("client_machine", "home", ".bashrc")
        startup.write_text("echo 'read pin 0 0 99'; printf 'Welcome. '; echo 'tip of the day' >&2\n")
        try:
            yield
        finally:
            startup.unlink()

    def lose_rest_proxy(self) -> None:
        """The REST API points to where nobody is, as after a restart of the client machine on AWS."""
        patch = {"op": "replace", "path": "/variables/backend", "value": "127.0.0.1:9"}
        self.rest_apis.update_stage(restApiId=self.rest_api_id, stageName="prod", patchOperations=[patch])

    @property
    def rest_api_id(self) -> str:
        return next(api["id"] for api in self.rest_apis.get_rest_apis()["items"] if api["name"] == USER_ID)

    def call_api(self, method: str, path: str, *, key: bool = True) -> requests.Response:
        """A call of a page from elsewhere."""
        url = f"http://127.0.0.1:{self.lab.port('gateway')}/_aws/execute-api/{self.rest_api_id}/prod{path}"
        headers = {"Origin": "https://example.org"}
        if key:
            kept = self.parameters.get_parameter(Name=f"/pinterest/{USER_ID}/api-key", WithDecryption=True)
            headers["x-api-key"] = kept["Parameter"]["Value"]
        return requests.request(method, url, headers=headers, timeout=60)

    @contextmanager
    def slow_api(self, seconds: float) -> Iterator[None]:
        """Every answer to a post comes so much later."""
        with self._fault("gateway", {"method": "POST", "path": "/topics/", "latency": seconds, "times": None}):
            yield

    @contextmanager
    def slow_start_of_jobs(self, seconds: float) -> Iterator[None]:
        """Databricks takes so much longer to begin a run."""
        with self._fault("databricks", {"path": "jobs/run-now", "latency": seconds, "times": None}):
            yield

    @contextmanager
    def _fault(self, service: str, fault: dict[str, Any]) -> Iterator[None]:
        faults = f"http://127.0.0.1:{self.lab.port(service)}/_lab/faults"
        requests.post(faults, json=fault, timeout=10).raise_for_status()
        try:
            yield
        finally:
            requests.delete(faults, timeout=10).raise_for_status()

    def put(self, entity: str, *records: tuple[str, bytes]) -> list[str]:
        """Records (partition key, data) straight into the data stream; where they are: ``shard@sequence number``."""
        answers = [
            self.kinesis.put_record(StreamName=f"streaming-{USER_ID}-{entity}", PartitionKey=key, Data=data)
            for key, data in records
        ]
        return [f"{answer['ShardId']}@{answer['SequenceNumber']}" for answer in answers]

    def split_a_shard(self, entity: str) -> None:
        name = f"streaming-{USER_ID}-{entity}"
        shards = self.kinesis.list_shards(StreamName=name)["Shards"]
        shard = next(one for one in shards if "EndingSequenceNumber" not in one["SequenceNumberRange"])
        low, high = (int(shard["HashKeyRange"][end]) for end in ("StartingHashKey", "EndingHashKey"))
        middle = str((low + high) // 2)
        self.kinesis.split_shard(StreamName=name, ShardToSplit=shard["ShardId"], NewStartingHashKey=middle)

    def expire(self, entity: str, records: int) -> None:
        """The oldest records of every shard are gone, as if their time was over."""
        body = {"stream": f"streaming-{USER_ID}-{entity}", "records": records}
        url = f"http://127.0.0.1:{self.lab.port('aws')}/_lab/kinesis/expire"
        requests.post(url, json=body, timeout=30).raise_for_status()

    def keys(self, prefix: str) -> list[str]:
        """Keys that begin so; none before the first run has made the bucket."""
        pages = self.s3.get_paginator("list_objects_v2").paginate(Bucket=BUCKET, Prefix=prefix)
        try:
            return [item["Key"] for page in pages for item in page.get("Contents", [])]
        except self.s3.exceptions.NoSuchBucket:
            return []

    def reports(self, dag_id: str) -> set[str]:
        return {key.split("/")[2] for key in self.keys(f"reports/{dag_id}/")}

    def document(self, key: str) -> dict[str, Any]:
        return json.loads(self.s3.get_object(Bucket=BUCKET, Key=key)["Body"].read())

    def query(self, statement: str) -> list[dict[str, str]]:
        """What ``bin/query`` prints for a statement, without a process of its own."""
        file = {"ENV_FILE": str(self.lab.path("airflow.env"))}
        output = io.StringIO()
        arguments = mock.patch.object(sys, "argv", ["query", statement])
        with mock.patch.dict(os.environ, file), arguments, redirect_stdout(output):
            self._bin_query.main()
        return list(csv.DictReader(io.StringIO(output.getvalue())))

    @cached_property
    def _bin_query(self) -> Any:
        path = CHECKOUT / "bin" / "query"
        module: Any = ModuleType("bin_query")
        module.__file__ = str(path)
        exec(compile(path.read_text(), path, "exec"), module.__dict__)
        return module

    def databricks(self, method: str, call: str, **arguments: Any) -> dict[str, Any]:
        token = {"Authorization": f"Bearer {self.lab.secret('databricks_token')}"}
        url = f"http://127.0.0.1:{self.lab.port('databricks')}/api/{call}"
        answer = requests.request(method, url, headers=token, timeout=30, **arguments)
        answer.raise_for_status()
        return answer.json()

    def count(self, table: str) -> int:
        return int(self.query(f"select count(*) as n from {table}")[0]["n"])

    def source_rows(self, entity: str, keys: set[int]) -> list[dict[str, Any]]:
        """Rows of the source as they are posted: times as text."""
        source = json.loads(self.environment["AIRFLOW_CONN_PINTEREST_SOURCE"])
        connection = pymysql.connect(
            host=source["host"],
            port=source["port"],
            user=source["login"],
            password=source["password"],
            database=source["schema"],
            cursorclass=pymysql.cursors.DictCursor,
        )
        with connection, connection.cursor() as cursor:
            cursor.execute(f"SELECT * FROM {ENTITIES[entity]}")
            rows = [row for row in cursor.fetchall() if row[KEYS[entity]] in keys]
        for row in rows:
            for name, value in row.items():
                if hasattr(value, "isoformat"):
                    row[name] = value.isoformat(sep=" ")
        return rows


def folder_files(folder: Path) -> set[str]:
    return {str(path.relative_to(folder)) for path in folder.rglob("*.parquet")}

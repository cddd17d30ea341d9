"""Amazon MWAA's API in front of a real Airflow: what boto3 asks of it, and what an environment does with its bucket.

``GetEnvironment``, ``UpdateEnvironment`` and ``InvokeRestApi``. DAGs are copied from the bucket all the time. With an
update, Airflow is stopped, ``plugins.zip`` of the version that was asked for is unzipped into an empty folder, and
Airflow is started again. Requirements are not installed: Airflow's environment has them.
"""

from __future__ import annotations

import contextlib
import io
import json
import os
import shutil
import signal
import subprocess
import sys
import threading
import zipfile
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import boto3
import requests
from botocore.config import Config

from lab import airflow_environment
from lab.state import CHECKOUT, REGION, State
from tests.lab.lab_parts import client, wait_until

NAME = "pinterest-pipeline"
BUCKET = "airflow-bucket"
COMPONENTS = (("api-server",), ("scheduler", "--skip-serve-logs"), ("dag-processor",))
SECONDS_TO_STOP = 20
PATIENCE = 240
"""The API server answers nobody while it prepares the API of the first task, which takes long on a busy machine."""
OFTEN = {
    "AIRFLOW__DAG_PROCESSOR__REFRESH_INTERVAL": "2",
    "AIRFLOW__DAG_PROCESSOR__BUNDLE_REFRESH_CHECK_INTERVAL": "1",
    "AIRFLOW__DAG_PROCESSOR__MIN_FILE_PROCESS_INTERVAL": "8",
    "AIRFLOW__SCHEDULER__SCHEDULER_IDLE_SLEEP_TIME": "1",
    "AIRFLOW__WORKERS__EXECUTION_API_TIMEOUT": str(PATIENCE),
}


class Airflow:
    """Three of Airflow's processes, in a folder as MWAA has it. Nothing of the checkout can be imported."""

    def __init__(self, state: State, options: dict[str, str]) -> None:
        self.state = state
        self.home = state.path("airflow")
        self.home.mkdir(exist_ok=True)
        (self.home / "dags").mkdir(exist_ok=True)
        named = {f"AIRFLOW__{name.replace('.', '__').upper()}": value for name, value in options.items()}
        self.environment = {
            "PATH": os.environ["PATH"],
            "HOME": str(self.home),
            **{name: value for name, value in airflow_environment.airflow(state).items() if not of_checkout(value)},
            **airflow_environment.no_real_account(state),
            **OFTEN,
            **named,
            "AIRFLOW__CORE__EXECUTOR": "LocalExecutor",
            "AIRFLOW__CORE__DAGS_FOLDER": str(self.home / "dags"),
            "AIRFLOW__CORE__PLUGINS_FOLDER": str(self.home / "plugins"),
            "AIRFLOW_CONN_AWS_DEFAULT": json.dumps(airflow_environment.aws_connection(state)),
            "AWS_REGION": REGION,
        }
        airflow_environment.write_private(state.path(airflow_environment.AWS_PROFILES), "[default]\n")
        self.processes: list[subprocess.Popen[bytes]] = []
        self.address = f"http://127.0.0.1:{state.port('airflow')}"
        subprocess.run(self.command("db", "migrate"), env=self.environment, check=True, capture_output=True)

    def command(self, *arguments: str) -> list[str]:
        return [str(Path(sys.executable).parent / "airflow"), *arguments]

    def start(self) -> None:
        for component in COMPONENTS:
            with self.state.log(f"airflow-{component[0]}").open("ab") as log:
                process = subprocess.Popen(
                    self.command(*component),
                    env=self.environment,
                    stdout=log,
                    stderr=log,
                    cwd=self.home,
                    start_new_session=True,
                )
            self.processes.append(process)
        wait_until(self.is_healthy, "Airflow is healthy", PATIENCE)
        requests.get(f"{self.address}/execution/health", timeout=PATIENCE)  # prepares the API of tasks

    def is_healthy(self) -> bool:
        assert [process.poll() for process in self.processes] == [None] * len(COMPONENTS)
        try:
            health = requests.get(f"{self.address}/api/v2/monitor/health", timeout=5).json()
        except (requests.RequestException, ValueError):
            return False
        return all(health[name]["status"] == "healthy" for name in ("metadatabase", "scheduler", "dag_processor"))

    def stop(self) -> None:
        for process in self.processes:
            process.terminate()
        for process in self.processes:
            with contextlib.suppress(subprocess.TimeoutExpired):
                process.wait(SECONDS_TO_STOP)
            with contextlib.suppress(ProcessLookupError):
                os.killpg(process.pid, signal.SIGKILL)  # what it has started, and itself if it hangs
            process.wait()
        self.processes.clear()

    def call(self, method: str, path: str, query: Any, body: Any) -> requests.Response:
        token = requests.get(f"{self.address}/auth/token", timeout=PATIENCE).json()["access_token"]
        return requests.request(
            method,
            f"{self.address}/api/v2{path}",
            params=query,
            json=body,
            headers={"Authorization": f"Bearer {token}"},
            timeout=PATIENCE,
        )


def of_checkout(value: str) -> bool:
    """Whether an option leads to files, or to a class, of the checkout."""
    return value.startswith((str(CHECKOUT), "lab."))


class StandIn:
    def __init__(self, state: State, options: dict[str, str]) -> None:
        self.s3 = client(state, "s3")
        self.airflow = Airflow(state, options)
        self.described: dict[str, Any] = {
            "Name": NAME,
            "Arn": f"arn:aws:airflow:{REGION}:000000000000:environment/{NAME}",
            "SourceBucketArn": f"arn:aws:s3:::{BUCKET}",
            "DagS3Path": "dags",
            "Status": "AVAILABLE",
            "AirflowVersion": "3.3.1",
            "AirflowConfigurationOptions": options,
            "LastUpdate": {"Status": "SUCCESS", "CreatedAt": 0},
        }
        self.updates: list[dict[str, str]] = []
        self._stopped = threading.Event()
        self._dags = threading.Thread(target=self._copy_dags, daemon=True)

    def update(self, request: dict[str, str]) -> None:
        self.updates.append(request)
        self.described["Status"] = "UPDATING"
        self.described["LastUpdate"] = {"Status": "PENDING", "CreatedAt": len(self.updates)}
        threading.Thread(target=self._install, args=(request,), daemon=True).start()

    def _install(self, request: dict[str, str]) -> None:
        self.airflow.stop()
        wanted = {**self.described, **request}
        got = self.s3.get_object(Bucket=BUCKET, Key=wanted["PluginsS3Path"], VersionId=wanted["PluginsS3ObjectVersion"])
        plugins = self.airflow.home / "plugins"
        shutil.rmtree(plugins, ignore_errors=True)
        with zipfile.ZipFile(io.BytesIO(got["Body"].read())) as archive:
            archive.extractall(plugins)
        self.airflow.start()
        done = {"Status": "SUCCESS", "CreatedAt": len(self.updates)}
        self.described |= {**request, "LastUpdate": done, "Status": "AVAILABLE"}

    def _copy_dags(self) -> None:
        """As ``aws s3 sync --delete``, one file at a time."""
        folder, tags = self.airflow.home / "dags", {}
        while not self._stopped.wait(0.5):
            pages = self.s3.get_paginator("list_objects_v2").paginate(Bucket=BUCKET, Prefix="dags/")
            there = {one["Key"]: one["ETag"] for page in pages for one in page.get("Contents", ())}
            for key, tag in there.items():
                if tags.get(key) != tag:
                    path = folder / key.removeprefix("dags/")
                    path.parent.mkdir(parents=True, exist_ok=True)
                    path.write_bytes(self.s3.get_object(Bucket=BUCKET, Key=key)["Body"].read())
            for key in set(tags) - set(there):
                (folder / key.removeprefix("dags/")).unlink()
            tags = there

    def stop(self) -> None:
        self._stopped.set()
        self.airflow.stop()


@contextlib.contextmanager
def serving(stand_in: StandIn) -> Iterator[Any]:
    """boto3's client of the stand-in."""

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            self._answer(200, {"Environment": stand_in.described})

        def do_PATCH(self) -> None:
            stand_in.update(self._body())
            self._answer(200, {"Arn": stand_in.described["Arn"]})

        def do_POST(self) -> None:
            asked = self._body()
            assert self.path == f"/restapi/{NAME}"
            assert len(asked["Path"]) <= 64
            answer = stand_in.airflow.call(
                asked["Method"], asked["Path"], asked.get("QueryParameters"), asked.get("Body")
            )
            found = {"RestApiStatusCode": answer.status_code, "RestApiResponse": answer.json()}
            self._answer(200 if answer.ok else 400, found, None if answer.ok else "RestApiClientException")

        def _body(self) -> dict[str, Any]:
            return dict(json.loads(self.rfile.read(int(self.headers["Content-Length"]))))

        def _answer(self, status: int, document: dict[str, Any], fault: str | None = None) -> None:
            content = json.dumps(document).encode()
            self.send_response(status)
            if fault:
                self.send_header("x-amzn-ErrorType", fault)
            self.send_header("Content-Type", "application/json")
            self.send_header("Content-Length", str(len(content)))
            self.end_headers()
            self.wfile.write(content)

        def log_message(self, *_: object) -> None:
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    stand_in._dags.start()
    try:
        yield boto3.client(
            "mwaa",
            endpoint_url=f"http://127.0.0.1:{server.server_port}",
            region_name=REGION,
            aws_access_key_id="anything",
            aws_secret_access_key="anything",
            config=Config(inject_host_prefix=False, read_timeout=2 * PATIENCE, retries={"total_max_attempts": 1}),
        )
    finally:
        server.shutdown()
        server.server_close()
        stand_in.stop()

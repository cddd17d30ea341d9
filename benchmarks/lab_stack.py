"""The running lab, for the benchmarks that post through it."""

from __future__ import annotations

import json
import os
import shlex
import subprocess
import sys
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import requests
from sqlalchemy import Engine

from benchmarks import ROOT
from include.posting.source_connection import source_engine
from include.settings import ENTITIES, VARIABLE, Settings, parse_settings

SEED = 100


@dataclass(frozen=True)
class Stack:
    """The parts that records pass through, as configured in the lab's Airflow."""

    settings: Settings
    invoke_url: str
    api_key: str
    bootstrap_servers: str
    source: dict[str, Any]

    @property
    def proxy_url(self) -> str:
        if self.settings.rest_proxy.listen_host != "127.0.0.1":
            raise SystemExit("the REST proxy is not on this machine: this benchmark is for the lab")
        return f"http://127.0.0.1:{self.settings.rest_proxy.port}"

    def engine(self) -> Engine:
        return source_engine(**{name: self.source[name] for name in ("host", "port", "login", "password", "schema")})


def find_stack() -> Stack:
    """The stack of the lab's ``airflow.env`` and its account. Provisions the REST API if it does not answer.

    That file holds Airflow's configuration, so Airflow is imported only after the file is read.
    """
    state = ROOT / os.environ.get("LAB_STATE", ".lab/state")
    file = Path(os.environ.get("ENV_FILE", state / "airflow.env"))
    if not file.is_file():
        raise SystemExit(f"{file} does not exist: run `make lab` first")
    os.environ.update(line.split("=", 1) for line in shlex.split(file.read_text()))
    os.environ["AIRFLOW__LOGGING__LOGGING_LEVEL"] = "ERROR"
    settings = parse_settings(os.environ.get(f"AIRFLOW_VAR_{VARIABLE.upper()}"))

    from pinterest.hooks.api_gateway import ApiGatewayHook, RestApiError
    from pinterest.hooks.msk import MskHook

    gateway = ApiGatewayHook(aws_conn_id="aws_default")

    def look_up() -> tuple[str, str]:
        api = settings.rest_api
        url = gateway.find_invoke_url(settings.rest_api_name, stage_name=api.stage, url_format=api.invoke_url_format)
        key = gateway.kept_api_key(settings.api_key_parameter)
        requests.get(f"{url}/topics", headers={"x-api-key": key}, timeout=30).raise_for_status()
        return url, key

    try:
        invoke_url, api_key = look_up()
    except (RestApiError, requests.RequestException) as error:
        print(f"{error}\nrunning pinterest_pipeline once, with one post", file=sys.stderr)
        command = [str(ROOT / "bin" / "airflow"), "dags", "test", "pinterest_pipeline", "-c", json.dumps({"posts": 1})]
        subprocess.run(command, check=True, stdout=sys.stderr, env={**os.environ, "ENV_FILE": str(file)})
        invoke_url, api_key = look_up()
    brokers = MskHook(aws_conn_id="aws_default").brokers(settings.kafka.cluster_name, settings.kafka.authentication)
    source = json.loads(os.environ["AIRFLOW_CONN_PINTEREST_SOURCE"])
    return Stack(settings, invoke_url, api_key, brokers["bootstrap_servers"], source)


def rate(posts: int, send: Callable[[], None]) -> float:
    """Records per second of sending these posts, three records each."""
    started = time.perf_counter()
    send()
    return posts * len(ENTITIES) / (time.perf_counter() - started)

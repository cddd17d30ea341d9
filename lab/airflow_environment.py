"""Airflow wired to the lab: ``state/airflow.env``, for ``bin/airflow`` and for a shell (``set -a; . airflow.env``).

Everything the pipeline knows about the lab is in this file: three connections and one Variable. It holds secrets, so
only its owner can read it.
"""

from __future__ import annotations

import base64
import hashlib
import json
import os
import shlex
import sys
from pathlib import Path
from typing import Any

from lab.account import CLUSTER
from lab.calls import access_key
from lab.cloud.ssh_host import LOGIN
from lab.source.database import READER, READER_SECRET, SCHEMA
from lab.state import CHECKOUT, REGION, USER_ID, State, write_private

HOST = "127.0.0.1"
AWS_PROFILES = "aws_profiles"
SECRET_SCOPE = "pinterest"
CHATTY = (
    "airflow.api_fastapi",
    "airflow.dag_processing",
    "airflow.models",
    "airflow.serialization",
    "airflow.providers.amazon.aws.utils.connection_wrapper",
    "alembic",
)
ARCHIVES = {
    "java": "java-21.tar.gz",
    "kafka": "kafka_2.13-4.3.1.tgz",
    "iam_auth": "aws-msk-iam-auth-2.3.9-all.jar",
    "s3_sink": "pinterest-s3-sink-1.0.zip",
    "rest_proxy": "kafka-rest-1.0.tar.gz",
}


def write(state: State) -> Path:
    """Write the file and return its path. It holds the digests of the mirror's archives, which must have been built."""
    write_private(state.path(AWS_PROFILES), f"[default]\nregion = {REGION}\n")
    lines = [f"{name}={shlex.quote(value)}\n" for name, value in environment(state).items()]
    path = state.path("airflow.env")
    write_private(path, "".join(lines))
    return path


def command(*arguments: str) -> list[str]:
    """The Airflow command line, which reads ``env_file``."""
    return [str(CHECKOUT / "bin" / "airflow"), *arguments]


def env_file(state: State) -> dict[str, str]:
    """What tells ``bin/airflow`` to read this lab's file."""
    return {"ENV_FILE": str(state.path("airflow.env"))}


def environment(state: State) -> dict[str, str]:
    return {
        **airflow(state),
        **no_real_account(state),
        "AIRFLOW_CONN_AWS_DEFAULT": json.dumps(aws_connection(state)),
        "AIRFLOW_CONN_DATABRICKS_DEFAULT": json.dumps(databricks_connection(state)),
        "AIRFLOW_CONN_PINTEREST_SOURCE": json.dumps(source_connection(state)),
        "AIRFLOW_VAR_PINTEREST_PIPELINE": json.dumps(settings(state)),
    }


def airflow(state: State) -> dict[str, str]:
    home = state.path("airflow")
    api = f"http://{HOST}:{state.port('airflow')}"
    return {
        "AIRFLOW_HOME": str(home),
        "PYTHONPATH": str(CHECKOUT),
        "AIRFLOW__CORE__DAGS_FOLDER": str(CHECKOUT / "dags"),
        "AIRFLOW__CORE__PLUGINS_FOLDER": str(CHECKOUT / "plugins"),
        "AIRFLOW__CORE__LOAD_EXAMPLES": "False",
        "AIRFLOW__CORE__PARALLELISM": "4",
        "AIRFLOW__CORE__FERNET_KEY": fernet_key(state.secret("airflow_fernet_key")),
        "AIRFLOW__CORE__SIMPLE_AUTH_MANAGER_ALL_ADMINS": "True",
        "AIRFLOW__CORE__EXECUTION_API_SERVER_URL": f"{api}/execution/",
        "AIRFLOW__DATABASE__SQL_ALCHEMY_CONN": f"sqlite:///{home}/airflow.db",
        "AIRFLOW__AWS__SESSION_FACTORY": "lab.aws_sessions.SharedModelsSessionFactory",
        "AIRFLOW__API__BASE_URL": api,
        "AIRFLOW__API__HOST": HOST,
        "AIRFLOW__API__PORT": str(state.port("airflow")),
        "AIRFLOW__API__WORKERS": "1",
        "AIRFLOW__API__SECRET_KEY": state.secret("airflow_api_secret_key"),
        "AIRFLOW__API_AUTH__JWT_SECRET": state.secret("airflow_jwt_secret"),
        "AIRFLOW__SCHEDULER__SCHEDULER_IDLE_SLEEP_TIME": "0.1",
        "AIRFLOW__LOGGING__BASE_LOG_FOLDER": str(home / "logs"),
        "AIRFLOW__LOGGING__NAMESPACE_LEVELS": " ".join(f"{name}=WARNING" for name in CHATTY),
        "PYTHONWARNINGS": ",".join(f"ignore::{category}Warning" for category in ("Deprecation", "Future", "User")),
    }


def no_real_account(state: State) -> dict[str, str]:
    """A call that bypasses the lab's connection finds no credentials, whatever the shell's profile, and fails."""
    return {
        "AWS_CONFIG_FILE": str(state.path(AWS_PROFILES)),
        "AWS_SHARED_CREDENTIALS_FILE": os.devnull,
        "AWS_PROFILE": "default",
        "AWS_DEFAULT_PROFILE": "default",
        "AWS_EC2_METADATA_DISABLED": "true",
        "NO_PROXY": f"{HOST},localhost",
        "no_proxy": f"{HOST},localhost",
    }


def aws_connection(state: State) -> dict[str, Any]:
    """``sts`` is listed because the provider never applies the general endpoint to it."""
    aws = f"http://{HOST}:{state.port('aws')}"
    return {
        "conn_type": "aws",
        "login": access_key(state, "airflow"),
        "password": state.secret("aws_secret_access_key"),
        "extra": {
            "region_name": REGION,
            "endpoint_url": aws,
            "service_config": {
                "kafkaconnect": {"endpoint_url": f"http://{HOST}:{state.port('msk_connect')}"},
                "sts": {"endpoint_url": aws},
            },
        },
    }


def databricks_connection(state: State) -> dict[str, Any]:
    return {
        "conn_type": "databricks",
        "host": HOST,
        "schema": "http",
        "port": state.port("databricks"),
        "password": state.secret("databricks_token"),
    }


def source_connection(state: State) -> dict[str, Any]:
    return {
        "conn_type": "mysql",
        "host": HOST,
        "port": state.port("mariadb"),
        "login": READER,
        "password": state.secret(READER_SECRET),
        "schema": SCHEMA,
    }


def settings(state: State) -> dict[str, Any]:
    """The Variable: the settings in which the lab differs from an AWS account."""
    return {
        "user_id": USER_ID,
        "region": REGION,
        "downloads": downloads(state),
        "kafka_client": {
            "login": LOGIN,
            "host": HOST,
            "port": state.port("ssh"),
        },
        "account": {"provision": True},
        "network": {"ssh_from": [f"{HOST}/32"]},
        "kafka": {"cluster_name": CLUSTER, "authentication": "none", "partitions": 3, "replication_factor": 1},
        "s3_sink": {
            "connector_class": "pinterest.lab.S3SinkConnector",
            "rotate_ms": 2000,
            "properties": {
                "store.url": f"http://{HOST}:{state.port('aws')}",
            },
        },
        "rest_proxy": {"listen_host": HOST, "port": state.port("rest_proxy")},
        "rest_api": {
            "invoke_url_format": f"http://{HOST}:{state.port('gateway')}/_aws/execute-api/{{api_id}}/{{stage}}"
        },
        "databricks": {
            "catalog": "spark_catalog",
            "schema": "pinterest",
            "storage": "secret_scope",
            "secret_scope": SECRET_SCOPE,
        },
        "kinesis": {"mode": "on_demand"},  # four shards, which have an order, cost nothing here
        "lake_stream": {"checkpoints": f"file://{state.path('lake', 'checkpoints')}"},
    }


def downloads(state: State) -> dict[str, dict[str, str]]:
    """Every archive's URL on the mirror, with the digest recorded when it was built.

    A company's mirror may want a token in it, so there is one; the lab's does not look at it."""
    path = state.install / "mirror" / "digests.json"
    try:
        digests = json.loads(path.read_text())
        missing = [archive for archive in ARCHIVES.values() if archive not in digests]
    except FileNotFoundError:
        missing = list(ARCHIVES.values())
    if missing:
        raise MirrorIncompleteError(f"{path} lacks {', '.join(missing)}; run: .venv/bin/python -m lab setup")
    mirror, token = f"http://{HOST}:{state.port('mirror')}", state.secret("mirror_token")
    return {name: {"url": f"{mirror}/{file}?token={token}", "sha256": digests[file]} for name, file in ARCHIVES.items()}


class MirrorIncompleteError(RuntimeError):
    """An archive that the client machine downloads has not been built."""


def fernet_key(secret: str) -> str:
    return base64.urlsafe_b64encode(hashlib.sha256(secret.encode()).digest()).decode()


if __name__ == "__main__":
    try:
        print(write(State.open()))
    except MirrorIncompleteError as error:
        sys.exit(str(error))

"""``make deploy`` to ministack's S3 and Secrets Manager, and to MWAA's API in front of a real Airflow 3.3.1.

One story, as every start of Airflow takes half a minute: what it finds of other faults is in
``tests/unit/mwaa/test_deploy.py``.
"""

from __future__ import annotations

import json
import shutil
import subprocess
import threading
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from lab import airflow_environment
from lab.progress import Work
from lab.source import database
from lab.state import REGION, State
from mwaa import __main__ as command_line
from mwaa import stored_secrets, verify
from tests.builders import ROOT, variable
from tests.lab.lab_parts import DEADLINE, client, running, start_aws, start_cloud, wait_until
from tests.lab.mwaa_stand_in import BUCKET, StandIn, serving

DAGS = ("pinterest_check.py", "pinterest_maintenance.py")
"""Airflow parses all of them again and again; tests/local/mwaa parses the rest."""
PREFIXES = {"connections_prefix": "pinterest/connections", "variables_prefix": "pinterest/variables"}


@pytest.fixture(scope="module")
def state(tmp_path_factory) -> State:
    """A state of its own: other tests have a Databricks on theirs."""
    return State.open(tmp_path_factory.mktemp("mwaa"))


@pytest.fixture(scope="module")
def aws(state) -> Iterator[State]:
    with running(start_aws(state)):
        yield state


@pytest.fixture(scope="module")
def source(state) -> Iterator[None]:
    """MariaDB with the three tables."""
    database.prepare(state, Work("mariadb", state.log("mariadb"), threading.Event()))
    with state.log("mariadbd").open("ab") as log:
        process = subprocess.Popen(
            database.command(state),
            stdout=log,
            stderr=log,
            stdin=subprocess.DEVNULL,
            env=database.environment(state),
        )
    try:
        wait_until(lambda: database.answers(state, process.pid), "the database answers")
        database.load_source(state, Work("source", state.log("source"), threading.Event()))
        yield
    finally:
        process.terminate()
        process.wait(DEADLINE)


@pytest.fixture(scope="module")
def stand_in(aws) -> StandIn:
    s3 = client(aws, "s3")
    s3.create_bucket(Bucket=BUCKET)
    s3.put_bucket_versioning(Bucket=BUCKET, VersioningConfiguration={"Status": "Enabled"})
    names = ("BlockPublicAcls", "IgnorePublicAcls", "BlockPublicPolicy", "RestrictPublicBuckets")
    s3.put_public_access_block(Bucket=BUCKET, PublicAccessBlockConfiguration=dict.fromkeys(names, True))
    connection = airflow_environment.aws_connection(aws)
    arguments = json.dumps(
        {
            **PREFIXES,
            "connections_lookup_pattern": "^(?!aws_default$).*$",
            "config_prefix": None,
            "region_name": REGION,
            "endpoint_url": connection["extra"]["endpoint_url"],
            "aws_access_key_id": "anything",
            "aws_secret_access_key": "anything",
        }
    )
    options = {}
    for backend, keywords in stored_secrets.SECTIONS.items():
        options |= {backend: stored_secrets.BACKEND, keywords: arguments}
    return StandIn(aws, options)


@pytest.fixture(scope="module")
def checkout(tmp_path_factory) -> Path:
    copy = tmp_path_factory.mktemp("checkout")
    for folder in ("dags", "plugins", "include", "spark", "mwaa"):
        shutil.copytree(ROOT / folder, copy / folder, ignore=shutil.ignore_patterns("__pycache__"))
    for name in ("pyproject.toml", "requirements.txt"):
        shutil.copy(ROOT / name, copy)
    for path in (copy / "dags").glob("*.py"):
        if path.name not in DAGS:
            path.unlink()
    return copy


@pytest.fixture(scope="module")
def make(aws, source, stand_in, checkout) -> Iterator[Callable[..., int]]:
    """``make deploy`` and the others, without make."""
    with (
        serving(stand_in) as mwaa,
        running(start_cloud(aws, "databricks")),
        pytest.MonkeyPatch.context() as patch,
    ):
        patch.setattr(command_line, "CHECKOUT", checkout)
        patch.setattr(command_line, "TARGET", checkout / "build" / "mwaa")
        patch.setattr(verify, "SECONDS_BETWEEN_LOOKS", 1)
        patch.setattr(verify, "LONGEST_STANDSTILL", 30)
        patch.setattr("mwaa.environment.SECONDS_BETWEEN_LOOKS", 0.5)

        def clients(service: str) -> Any:
            return mwaa if service == "mwaa" else client(aws, service)

        yield lambda *arguments: command_line.main(arguments, clients)


def secrets(state: State, folder: Path, **settings: Any) -> Path:
    path = folder / "secrets.json"
    settings = {"databricks": {"catalog": "spark_catalog"}, **settings}
    document = {
        "connections": {
            "pinterest_source": airflow_environment.source_connection(state),
            "databricks_default": airflow_environment.databricks_connection(state),
        },
        "variables": {"pinterest_pipeline": variable(region=REGION, **settings)},
    }
    path.write_text(json.dumps(document))
    return path


def test_a_deployment_proves_itself(aws, make, stand_in, checkout, tmp_path, capsys):
    # A first deployment, to an environment that has nothing.
    assert make("deploy", "--secrets", str(secrets(aws, tmp_path))) == 0
    printed = capsys.readouterr().out
    assert "pinterest/connections/pinterest_source: written, for the first time" in printed
    assert aws.secret(database.READER_SECRET) not in printed
    assert len(stand_in.updates) == 1

    # A DAG that cannot be imported is named, and the release before runs again. The environment is not updated.
    broken = checkout / "dags" / "pinterest_maintenance.py"
    whole = broken.read_text()
    broken.write_text(f"{whole}\nfrom pinterest import no_such_name\n")
    assert make("deploy") == 1
    printed = capsys.readouterr().out
    assert "pinterest_maintenance.py cannot be imported: ImportError: cannot import name 'no_such_name'" in printed
    assert "pinterest-pipeline runs 0.1.0 (" in printed
    assert len(stand_in.updates) == 1
    broken.write_text(whole)

    # A Variable with a wrong key is named from a worker; corrected, nothing is deployed.
    store = client(aws, "secretsmanager")
    name = "pinterest/variables/pinterest_pipeline"
    good = store.get_secret_value(SecretId=name)["SecretString"]
    store.put_secret_value(SecretId=name, SecretString=json.dumps({**json.loads(good), "kafkaa": {}}))
    assert make("verify") == 1
    assert "Airflow Variable 'pinterest_pipeline': kafkaa: Extra inputs are not permitted" in capsys.readouterr().out
    store.put_secret_value(SecretId=name, SecretString=good)
    assert make("verify") == 0

"""Connections and the Variable in Secrets Manager, from a file that never enters git.

The file is JSON, as ``mwaa/secrets.example.json``: ``connections`` by their id, each an object as Airflow's own export
has it, and ``variables`` by their key. Airflow asks Secrets Manager whenever a task asks for one, so a value that has
changed needs neither a deployment nor an update. Nothing of a value is printed.
"""

from __future__ import annotations

import json
import subprocess
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any

from botocore.exceptions import ClientError

from include.aws.ownership import PROJECT
from include.settings import VARIABLE, SettingsError, parse_settings
from mwaa.environment import Environment
from mwaa.faults import DeployError

BACKEND = "airflow.providers.amazon.aws.secrets.secrets_manager.SecretsManagerBackend"
SECTIONS = {"secrets.backend": "secrets.backend_kwargs", "workers.secrets_backend": "workers.secrets_backend_kwargs"}
"""Two sections of Airflow's configuration: web server, scheduler and triggerer read one, and workers the other."""
KEPT_OUT = "aws_default"
KINDS = ("connections", "variables")
FIELDS = {"conn_type", "host", "login", "password", "port", "schema", "extra", "description"}

type Secrets = dict[str, dict[str, str]]
"""Values by kind and name."""


def read(path: Path, region: str) -> Secrets:
    """The file's secrets, as they are stored. Raises DeployError, with everything that is wrong and no value.

    :param region: the environment's, which the Variable has to name
    """
    refuse_if_in_git(path)
    try:
        document = json.loads(path.read_text(encoding="utf-8"))
    except OSError as error:
        raise DeployError(f"{path} cannot be read: {error.strerror}") from None
    except ValueError as error:
        where = f"line {error.lineno}" if isinstance(error, json.JSONDecodeError) else "its encoding"
        raise DeployError(f"{path} is no JSON: see {where}") from None
    if problems := list(wrong(document, region)):
        raise DeployError(f"{path}: {'; '.join(problems)}")
    return {kind: {name: text(value) for name, value in document.get(kind, {}).items()} for kind in KINDS}


def wrong(document: Any, region: str) -> Iterator[str]:
    if not isinstance(document, dict) or not set(document) <= {*KINDS} or not all(map(is_object, document.values())):
        yield f"is no object of {' and '.join(KINDS)}, each an object (see mwaa/secrets.example.json)"
        return
    for name, value in document.get("connections", {}).items():
        if name == KEPT_OUT:
            yield f"connections.{name}: leave it out; on MWAA the execution role is used"
        elif is_object(value):
            if unknown := sorted(set(value) - FIELDS):
                yield f"connections.{name}: unknown {', '.join(unknown)}; known are {', '.join(sorted(FIELDS))}"
            if not value.get("conn_type"):
                yield f"connections.{name}: conn_type is missing"
        elif not isinstance(value, str):
            yield f"connections.{name}: neither an object nor a URI"
    if (variable := document.get("variables", {}).get(VARIABLE)) is not None:
        try:
            settings = parse_settings(text(variable))
        except SettingsError as error:
            yield str(error)
        else:
            if settings.region != region:
                yield f"variables.{VARIABLE}: region is {settings.region}, and the environment is in {region}"


def refuse_if_in_git(path: Path) -> None:
    """A file that git knows, or would take with the next ``git add``, is no place for secrets."""
    asked = ["git", "-C", str(path.resolve().parent), "rev-parse", "--is-inside-work-tree"]
    if subprocess.run(asked, capture_output=True).returncode != 0:
        return
    ignored = ["git", "-C", str(path.resolve().parent), "check-ignore", "-q", path.name]
    if subprocess.run(ignored, capture_output=True).returncode != 0:
        raise DeployError(f"git does not ignore {path}: call it secrets.json, or keep it elsewhere")


def write(client: Any, secrets: Secrets, prefixes: Mapping[str, str], say: Callable[[str], None]) -> None:
    """Store what has changed. A secret that waits for its deletion is brought back."""
    for kind in KINDS:
        for name, value in secrets[kind].items():
            secret = f"{prefixes[kind]}/{name}"
            say(f"{secret}: {store(client, secret, value)}")


def store(client: Any, secret: str, value: str) -> str:
    """Returns what was done."""
    try:
        if client.get_secret_value(SecretId=secret)["SecretString"] == value:
            return "unchanged"
    except ClientError as error:
        code = error.response["Error"]["Code"]
        if code == "ResourceNotFoundException":
            tags = [{"Key": "project", "Value": PROJECT}]
            client.create_secret(Name=secret, SecretString=value, Tags=tags)
            return "written, for the first time"
        if code != "InvalidRequestException":
            raise
        client.restore_secret(SecretId=secret)
    client.put_secret_value(SecretId=secret, SecretString=value)
    return "written"


def prefixes(environment: Environment) -> dict[str, str]:
    """Where the environment looks for each kind. Raises DeployError if it does not, in one of the two sections."""
    found = {}
    for backend, arguments in SECTIONS.items():
        if environment.option(backend) != BACKEND:
            raise DeployError(
                f"{environment.name} does not ask Secrets Manager: set its option {backend} to {BACKEND}, "
                f"and {arguments} as mwaa/environment.yaml has it"
            )
        found[backend] = json.loads(environment.option(arguments) or "{}")
    first, second = found.values()
    if first != second:
        raise DeployError(f"{' and '.join(SECTIONS.values())} of {environment.name} differ: make them the same")
    return {kind: str(first.get(f"{kind}_prefix", f"airflow/{kind}")).rstrip("/") for kind in KINDS}


def text(value: Any) -> str:
    return value if isinstance(value, str) else json.dumps(value, sort_keys=True)


def is_object(value: Any) -> bool:
    return isinstance(value, dict)

from __future__ import annotations

import json
import subprocess
from types import SimpleNamespace
from typing import Any

import pytest

from mwaa import stored_secrets
from mwaa.environment import Environment
from mwaa.faults import DeployError
from mwaa.stored_secrets import BACKEND
from tests.builders import ROOT, variable
from tests.unit.mwaa.mwaa_parts import S3, Mwaa, error

CANARY = "canary-5b1d0f"
ARGUMENTS = json.dumps({"connections_prefix": "pinterest/connections", "variables_prefix": "pinterest/variables"})
OPTIONS = {
    "secrets.backend": BACKEND,
    "secrets.backend_kwargs": ARGUMENTS,
    "workers.secrets_backend": BACKEND,
    "workers.secrets_backend_kwargs": ARGUMENTS,
}
SOURCE = {"conn_type": "mysql", "host": "db", "login": "reader", "password": CANARY}


class SecretsManager:
    def __init__(self) -> None:
        self.values: dict[str, str] = {}
        self.leaving: set[str] = set()
        self.called: list[str] = []

    def get_secret_value(self, *, SecretId: str) -> dict[str, str]:
        if SecretId in self.leaving:
            raise error("InvalidRequestException", "GetSecretValue")
        if SecretId not in self.values:
            raise error("ResourceNotFoundException", "GetSecretValue")
        return {"SecretString": self.values[SecretId]}

    def create_secret(self, *, Name: str, SecretString: str, Tags: list[dict[str, str]]) -> None:
        assert Tags == [{"Key": "project", "Value": "pinterest-pipeline"}]
        self.called.append("create")
        self.values[Name] = SecretString

    def put_secret_value(self, *, SecretId: str, SecretString: str) -> None:
        assert SecretId not in self.leaving
        self.called.append("put")
        self.values[SecretId] = SecretString

    def restore_secret(self, *, SecretId: str) -> None:
        self.leaving.remove(SecretId)


def environment(options: dict[str, str]) -> Environment:
    mwaa = Mwaa(S3())
    mwaa.described["AirflowConfigurationOptions"] = options
    return Environment(mwaa, "pinterest-pipeline")


def document(**variables: Any) -> dict[str, Any]:
    return {"connections": {"pinterest_source": SOURCE}, "variables": variables}


def written(tmp_path, content: Any):
    path = tmp_path / "secrets.json"
    path.write_text(content if isinstance(content, str) else json.dumps(content))
    return path


def test_connections_and_the_variable_are_stored_where_airflow_looks_and_no_value_is_printed(tmp_path, capsys):
    path = written(tmp_path, document(pinterest_pipeline=variable(region="eu-west-1")))
    client = SecretsManager()

    secrets = stored_secrets.read(path, "eu-west-1")
    stored_secrets.write(client, secrets, stored_secrets.prefixes(environment(OPTIONS)), print)

    assert json.loads(client.values["pinterest/connections/pinterest_source"]) == SOURCE
    assert json.loads(client.values["pinterest/variables/pinterest_pipeline"])["region"] == "eu-west-1"
    assert capsys.readouterr().out.splitlines() == [
        "pinterest/connections/pinterest_source: written, for the first time",
        "pinterest/variables/pinterest_pipeline: written, for the first time",
    ]


def test_airflows_own_backend_reads_what_is_stored(tmp_path, monkeypatch):
    from airflow.providers.amazon.aws.secrets.secrets_manager import SecretsManagerBackend

    client: Any = SecretsManager()
    extra = {"ssl": {"ca": "/usr/local/airflow/dags/ca.pem"}}
    content = {
        "connections": {"pinterest_source": {**SOURCE, "port": 3306, "extra": extra}},
        "variables": {"x": {"a": 1}},
    }
    secrets = stored_secrets.read(written(tmp_path, content), "eu-west-1")
    stored_secrets.write(client, secrets, stored_secrets.prefixes(environment(OPTIONS)), print)
    names = ("ResourceNotFoundException", "InvalidParameterException", "InvalidRequestException", "DecryptionFailure")
    client.exceptions = SimpleNamespace(**dict.fromkeys((*names, "InternalServiceError"), LookupError))
    backend = SecretsManagerBackend(**json.loads(ARGUMENTS))
    monkeypatch.setattr(SecretsManagerBackend, "client", client)

    found = backend.get_connection("pinterest_source")

    assert (found.conn_type, found.host, found.port, found.password) == ("mysql", "db", 3306, CANARY)
    assert found.extra_dejson == extra
    assert json.loads(backend.get_variable("x")) == {"a": 1}


def test_only_what_has_changed_is_stored_again(tmp_path, capsys):
    client, prefixes = SecretsManager(), stored_secrets.prefixes(environment(OPTIONS))
    secrets = stored_secrets.read(written(tmp_path, document(other="one")), "eu-west-1")
    stored_secrets.write(client, secrets, prefixes, print)
    client.called.clear()
    secrets = stored_secrets.read(written(tmp_path, document(other="two")), "eu-west-1")

    stored_secrets.write(client, secrets, prefixes, print)

    assert client.called == ["put"]
    assert capsys.readouterr().out.splitlines()[2:] == [
        "pinterest/connections/pinterest_source: unchanged",
        "pinterest/variables/other: written",
    ]


def test_a_secret_that_waits_for_its_deletion_is_brought_back(tmp_path):
    client = SecretsManager()
    client.leaving = {"pinterest/connections/pinterest_source"}
    secrets = stored_secrets.read(written(tmp_path, document()), "eu-west-1")

    stored_secrets.write(client, secrets, stored_secrets.prefixes(environment(OPTIONS)), print)

    assert json.loads(client.values["pinterest/connections/pinterest_source"]) == SOURCE


@pytest.mark.parametrize(
    ("content", "named"),
    [
        (CANARY, "is no JSON: see line 1"),
        ([CANARY], "is no object of connections and variables"),
        ({"connection": {"x": CANARY}}, "is no object of connections and variables"),
        ({"connections": {"aws_default": {"password": CANARY}}}, "connections.aws_default: leave it out"),
        ({"connections": {"a": {"conn_type": "mysql", "pasword": CANARY}}}, "connections.a: unknown pasword"),
        ({"connections": {"a": {"password": CANARY}}}, "connections.a: conn_type is missing"),
        ({"connections": {"a": [CANARY]}}, "connections.a: neither an object nor a URI"),
        (
            document(pinterest_pipeline=variable(kafkaa={})),
            "'pinterest_pipeline': kafkaa: Extra inputs are not permitted",
        ),
        (
            document(pinterest_pipeline=variable(region="us-east-1")),
            "region is us-east-1, and the environment is in eu-west-1",
        ),
    ],
)
def test_a_wrong_file_is_refused_with_what_is_wrong_and_no_value(tmp_path, content, named):
    with pytest.raises(DeployError) as refused:
        stored_secrets.read(written(tmp_path, content), "eu-west-1")

    assert named in str(refused.value)
    assert CANARY not in str(refused.value)


def test_a_file_that_is_not_there_is_named(tmp_path):
    with pytest.raises(DeployError, match=r"secrets\.json cannot be read: No such file"):
        stored_secrets.read(tmp_path / "secrets.json", "eu-west-1")


def test_a_file_that_git_would_take_is_refused(tmp_path):
    subprocess.run(["git", "init", "-q", str(tmp_path)], check=True)
    path = written(tmp_path, document())

    with pytest.raises(DeployError, match="git does not ignore"):
        stored_secrets.read(path, "eu-west-1")

    (tmp_path / ".gitignore").write_text("/secrets.json\n")
    assert stored_secrets.read(path, "eu-west-1")["connections"]


def test_git_ignores_the_name_that_is_documented():
    subprocess.run(["git", "-C", str(ROOT), "check-ignore", "-q", "secrets.json"], check=True)


def test_the_example_has_the_form_and_no_secret():
    example = json.loads((ROOT / "mwaa" / "secrets.example.json").read_text())

    [problem] = stored_secrets.wrong(example, "us-east-1")
    assert problem.startswith("Airflow Variable 'pinterest_pipeline': user_id")
    assert {one["password"] for one in example["connections"].values()} == {"…"}


@pytest.mark.parametrize("option", [*OPTIONS])
def test_an_environment_that_looks_elsewhere_is_refused_with_the_option(option):
    options = {name: value for name, value in OPTIONS.items() if name != option}

    with pytest.raises(DeployError, match=option):
        stored_secrets.prefixes(environment(options))

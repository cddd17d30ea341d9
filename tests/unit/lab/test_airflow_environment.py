"""The file that wires Airflow to the lab: what the pipeline and a shell make of it."""

from __future__ import annotations

import json
import stat
import subprocess
from pathlib import Path

import pytest

from include.settings import parse_settings
from lab import airflow_environment
from lab.airflow_environment import MirrorIncompleteError
from lab.state import CHECKOUT, PORTS, State

DIGESTS = {
    "kafka_2.13-4.3.1.tgz": "1" * 64,
    "aws-msk-iam-auth-2.3.9-all.jar": "2" * 64,
    "java-21.tar.gz": "3" * 64,
    "pinterest-s3-sink-1.0.zip": "4" * 64,
    "kafka-rest-1.0.tar.gz": "5" * 64,
}


@pytest.fixture
def state(tmp_path) -> State:
    root = tmp_path / "a folder's name"
    (tmp_path / "install" / "mirror").mkdir(parents=True)
    (tmp_path / "install" / "mirror" / "digests.json").write_text(json.dumps(DIGESTS))
    root.mkdir()
    return State(root, tmp_path / "install", ports={name: 20_000 + number for number, name in enumerate(PORTS)})


@pytest.fixture
def seen(state) -> dict[str, str]:
    """The variables as a shell sees them that has read the file."""
    script = 'set -a; . "$1"; exec env -0'
    path = airflow_environment.write(state)
    output = subprocess.run(["bash", "-c", script, "-", str(path)], env={}, capture_output=True, check=True).stdout
    return dict(line.split("=", 1) for line in output.decode().rstrip("\0").split("\0"))


def test_the_file_is_readable_by_its_owner_only(state):
    assert stat.S_IMODE(airflow_environment.write(state).stat().st_mode) == 0o600


def test_each_line_is_a_variable(state):
    for line in airflow_environment.write(state).read_text().splitlines():
        name, _, value = line.partition("=")
        assert name.isidentifier()
        assert value


def test_the_variable_is_what_the_pipeline_expects(seen, state):
    settings = parse_settings(seen["AIRFLOW_VAR_PINTEREST_PIPELINE"])

    assert settings.user_id == "0e36c8cd403d"
    kafka = f"http://127.0.0.1:{state.port('mirror')}/kafka_2.13-4.3.1.tgz"
    assert settings.downloads.kafka.url == f"{kafka}?token={state.secret('mirror_token')}"
    assert settings.downloads.kafka.sha256 == "1" * 64
    assert (settings.kafka_client.host, settings.kafka_client.port) == ("127.0.0.1", state.port("ssh"))
    assert (settings.kafka.authentication, settings.kafka.replication_factor) == ("none", 1)
    assert settings.s3_sink.properties["store.url"] == f"http://127.0.0.1:{state.port('aws')}"
    assert (settings.rest_proxy.listen_host, settings.rest_proxy.port) == ("127.0.0.1", state.port("rest_proxy"))
    assert (settings.exposure, settings.rest_proxy.url) == ("vpc_link", None)
    assert settings.rest_api.invoke_url_format.format(api_id="a", region="r", stage="s") == (
        f"http://127.0.0.1:{state.port('gateway')}/_aws/execute-api/a/s"
    )
    assert (settings.databricks.catalog, settings.databricks.storage) == ("spark_catalog", "secret_scope")


def test_the_account_is_made_by_the_pipeline(seen):
    settings = parse_settings(seen["AIRFLOW_VAR_PINTEREST_PIPELINE"])

    assert settings.account.provision
    assert settings.kafka_client.host_key is None
    assert settings.network.ssh_from == ("127.0.0.1/32",)


def test_the_three_connections(seen, state):
    aws, databricks, source = (
        json.loads(seen[f"AIRFLOW_CONN_{name}"]) for name in ("AWS_DEFAULT", "DATABRICKS_DEFAULT", "PINTEREST_SOURCE")
    )

    assert aws["extra"]["endpoint_url"] == f"http://127.0.0.1:{state.port('aws')}"
    msk_connect = aws["extra"]["service_config"]["kafkaconnect"]["endpoint_url"]
    assert msk_connect == f"http://127.0.0.1:{state.port('msk_connect')}"
    assert (databricks["schema"], databricks["port"]) == ("http", state.port("databricks"))
    assert databricks["password"] == state.secret("databricks_token")
    assert (source["conn_type"], source["port"], source["schema"]) == ("mysql", state.port("mariadb"), "pinterest_data")


def test_airflow_finds_the_project_and_keeps_its_own_things_in_the_state(seen, state):
    assert seen["AIRFLOW__CORE__DAGS_FOLDER"] == str(CHECKOUT / "dags")
    assert seen["AIRFLOW__CORE__LOAD_EXAMPLES"] == "False"
    assert seen["PYTHONPATH"] == str(CHECKOUT)
    assert Path(seen["AIRFLOW_HOME"]) == state.path("airflow")
    assert seen["AIRFLOW__DATABASE__SQL_ALCHEMY_CONN"] == f"sqlite:///{state.path('airflow')}/airflow.db"


def test_a_shell_s_own_profile_does_not_count(seen):
    assert seen["AWS_PROFILE"] == "default"
    assert "aws_access_key_id" not in Path(seen["AWS_CONFIG_FILE"]).read_text()
    assert seen["AWS_SHARED_CREDENTIALS_FILE"] == "/dev/null"


def test_writing_again_changes_nothing(state):
    before = airflow_environment.write(state).read_text()
    again = State(state.root, state.install, ports=state.ports)

    assert airflow_environment.write(again).read_text() == before


def test_an_archive_that_was_not_built_is_named(state):
    digests = {name: digest for name, digest in DIGESTS.items() if name != "java-21.tar.gz"}
    (state.install / "mirror" / "digests.json").write_text(json.dumps(digests))

    with pytest.raises(MirrorIncompleteError, match=r"digests\.json lacks java-21\.tar\.gz; run"):
        airflow_environment.write(state)

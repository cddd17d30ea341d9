"""The archives that set-up builds, and the mirror that serves them, as the client machine sees them."""

from __future__ import annotations

import hashlib
import io
import json
import os
import subprocess
import tarfile
import zipfile
from pathlib import Path

import pytest
import requests

from lab.setup import archives
from lab.state import State
from tests.lab.lab_parts import running, start_cloud

ARCHIVES = {
    "kafka_2.13-4.3.1.tgz",
    "aws-msk-iam-auth-2.3.9-all.jar",
    "java-21.tar.gz",
    "pinterest-s3-sink-1.0.zip",
    "kafka-rest-1.0.tar.gz",
}


@pytest.fixture(scope="module")
def mirror(state) -> str:
    with running(start_cloud(state, "mirror")):
        yield f"http://127.0.0.1:{state.port('mirror')}"


@pytest.fixture(scope="module")
def digests(state) -> dict[str, str]:
    return json.loads((state.install / "mirror" / "digests.json").read_text())


@pytest.fixture(scope="module")
def client_machine(mirror, tmp_path_factory) -> Path:
    """A home with Java and Kafka, fetched and unpacked by the commands that a client machine has."""
    home = tmp_path_factory.mktemp("home")
    for name in ("java-21.tar.gz", "kafka_2.13-4.3.1.tgz"):
        subprocess.run(
            f"curl --silent --fail {mirror}/{name} | tar -xz", shell=True, cwd=home, check=True, env=os.environ
        )
    return home


def test_every_archive_is_served_whole_with_its_digest(mirror, digests):
    assert set(digests) == ARCHIVES
    for name, expected in digests.items():
        answer = requests.get(f"{mirror}/{name}", timeout=30)
        assert answer.status_code == 200
        assert hashlib.sha256(answer.content).hexdigest() == expected


def test_a_download_can_go_on_where_it_stopped(mirror, state):
    name = "kafka-rest-1.0.tar.gz"
    whole = (state.install / "mirror" / name).read_bytes()
    answer = requests.get(f"{mirror}/{name}", headers={"Range": "bytes=100-"}, timeout=30)
    assert answer.status_code == 206
    assert answer.content == whole[100:]


@pytest.mark.parametrize("path", ["no-such.tgz", "..%2Fjars%2Fkafka", "%2e%2e/ports.json", ""])
def test_nothing_else_is_served(mirror, path):
    assert requests.get(f"{mirror}/{path}", timeout=30).status_code == 404


def test_archives_are_the_same_bytes_every_time(state, digests, tmp_path):
    again = State(root=state.root, install=tmp_path)
    for folder in ("jars", "java", "envs"):
        (tmp_path / folder).symlink_to(state.install / folder)
    archives.build(again)
    assert json.loads((tmp_path / "mirror" / "digests.json").read_text()) == digests


def run_tool(home: Path, tool: str, *arguments: str, **environment: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [home / "kafka_2.13-4.3.1" / "bin" / tool, *arguments],
        env={"PATH": "/usr/bin:/bin", "HOME": str(home), **environment},
        capture_output=True,
        text=True,
        check=False,
        timeout=60,
    )


@pytest.mark.parametrize(
    "tool",
    [
        "kafka-topics.sh",
        "kafka-console-consumer.sh",
        "kafka-console-producer.sh",
        "kafka-get-offsets.sh",
        "kafka-consumer-groups.sh",
    ],
)
def test_kafkas_tools_run_with_the_archives_java(client_machine, tool):
    done = run_tool(client_machine, tool, "--version", JAVA_HOME=str(client_machine / "java-21"))
    assert done.stdout.startswith("4.3.1"), done.stderr


def test_java_is_found_on_the_path(client_machine):
    path = f"{client_machine}/java-21/bin:/usr/bin:/bin"
    assert run_tool(client_machine, "kafka-topics.sh", "--version", PATH=path).stdout.startswith("4.3.1")


def test_classpath_comes_before_kafkas_own_jars(client_machine, mirror, tmp_path):
    """As the IAM library needs it; the library itself is loaded and asks for credentials it does not have."""
    jar = tmp_path / "aws-msk-iam-auth-2.3.9-all.jar"
    jar.write_bytes(requests.get(f"{mirror}/{jar.name}", timeout=30).content)
    properties = tmp_path / "client.properties"
    properties.write_text(
        "security.protocol=SASL_PLAINTEXT\n"
        "sasl.mechanism=AWS_MSK_IAM\n"
        "sasl.jaas.config=software.amazon.msk.auth.iam.IAMLoginModule required;\n"
        "sasl.client.callback.handler.class=software.amazon.msk.auth.iam.IAMClientCallbackHandler\n"
        "default.api.timeout.ms=2000\nrequest.timeout.ms=1000\n"
    )
    arguments = ("--bootstrap-server", "127.0.0.1:9", "--command-config", str(properties), "--list")
    java = {"JAVA_HOME": str(client_machine / "java-21")}
    without = run_tool(client_machine, "kafka-topics.sh", *arguments, **java)
    assert "IAMClientCallbackHandler could not be found" in without.stderr + without.stdout
    with_it = run_tool(client_machine, "kafka-topics.sh", *arguments, CLASSPATH=str(jar), **java)
    assert "could not be found" not in with_it.stderr + with_it.stdout
    assert "Timed out" in with_it.stderr + with_it.stdout


def test_the_sinks_archive_holds_its_connector_and_what_the_worker_lacks(mirror):
    content = requests.get(f"{mirror}/pinterest-s3-sink-1.0.zip", timeout=30).content
    with zipfile.ZipFile(io.BytesIO(content)) as archive:
        names = archive.namelist()
        jar = zipfile.ZipFile(io.BytesIO(archive.read("pinterest-s3-sink-1.0/lib/pinterest-s3-sink-1.0.jar")))
    service = "META-INF/services/org.apache.kafka.connect.sink.SinkConnector"
    assert jar.read(service).decode().split() == ["pinterest.lab.S3SinkConnector"]
    assert any("/lib/s3-" in name for name in names)
    assert not [name for name in names if "slf4j" in name or "ecj" in name or "connect-" in name]


def test_tar_archives_name_no_owner_and_keep_what_can_be_executed(mirror):
    content = requests.get(f"{mirror}/kafka-rest-1.0.tar.gz", timeout=30).content
    with tarfile.open(fileobj=io.BytesIO(content)) as archive:
        entries = {entry.name: entry for entry in archive}
    assert {(e.uid, e.gid, e.uname, e.gname, e.mtime) for e in entries.values()} == {(0, 0, "", "", 0)}
    assert entries["kafka-rest-1.0/bin/kafka-rest-start"].mode == 0o755
    assert {name.split("/")[0] for name in entries} == {"kafka-rest-1.0"}

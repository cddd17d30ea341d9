"""The script that starts a broker on the client machine, so that it outlives the SSH session and a restart."""

from __future__ import annotations

import contextlib
import os
import signal
import subprocess
import time
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest

pytestmark = pytest.mark.slow

RUN_CLASS = """\
#!/usr/bin/env python3
import os, pathlib, socket, sys
home = pathlib.Path.home() / "kafka-broker"
name, *arguments = sys.argv[1:]
if name == "kafka.tools.StorageTool":
    if arguments == ["random-uuid"]:
        print("an-id")
    else:
        assert arguments[:3] == ["format", "--ignore-formatted", "-t"] and arguments[3] == "an-id"
        (home / "data").mkdir()
        (home / "data" / "meta.properties").touch()
        with (home / "formatted").open("a") as file: file.write("once\\n")
    sys.exit()
assert name == "kafka.Kafka" and os.environ["KAFKA_HEAP_OPTS"] == "-Xmx512m"
if (home / "broken").exists():
    sys.exit("no room on the disk")
settings = dict(line.strip().split("=", 1) for line in open(arguments[0]))
host, port = settings["advertised.listeners"].removeprefix("PLAINTEXT://").split(":")
listener = socket.create_server((host, int(port)))
while True:
    listener.accept()[0].close()
"""
TOPICS_TOOL = """\
#!/bin/sh
[ "$1 $2 $5" = "--bootstrap-server 127.0.0.1:$PORT --list" ] || exit 1
"""
SUDO = """\
#!/bin/sh
[ "$1" = -n ] && shift && exec "$@"
"""
SYSTEMCTL = """\
#!/usr/bin/env python3
import os, pathlib, re, signal, subprocess, sys
verb, unit = sys.argv[1], pathlib.Path(os.environ["UNITS"]) / "pinterest-kafka.service"
said, pid_file = pathlib.Path.home() / "systemd.log", pathlib.Path.home() / "systemd.pid"
with said.open("a") as log: log.write(verb + "\\n")
def alive():
    try:
        return pathlib.Path(f"/proc/{pid_file.read_text()}/stat").read_text().rsplit(")", 1)[1].split()[0] != "Z"
    except OSError:
        return False
if verb == "start":
    command = re.search("^ExecStart=(.*)$", unit.read_text(), re.M)[1].split()
    given = dict(re.findall('"([A-Z_]+)=([^"]*)"', unit.read_text()))
    started = subprocess.Popen(command, env=os.environ | given, start_new_session=True, stdin=-3, stdout=-3, stderr=-3)
    pid_file.write_text(str(started.pid))
elif verb in ("stop", "disable") and alive():
    os.kill(int(pid_file.read_text()), signal.SIGKILL)
elif verb == "is-active":
    print("active" if alive() else "failed")
    sys.exit(0 if alive() else 3)
"""


def free_port() -> int:
    """A port whose neighbor is the controller's."""
    with ThreadingHTTPServer(("127.0.0.1", 0), BaseHTTPRequestHandler) as server:
        return server.server_port


def program(path: Path, text: str) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text)
    path.chmod(0o755)


@pytest.fixture
def broker(home, kafka, tmp_path):
    """Kafka installed; gives the environment of the start. Ends the broker afterwards."""
    program(kafka / "bin/kafka-run-class.sh", RUN_CLASS)
    program(kafka / "bin/kafka-topics.sh", TOPICS_TOOL)
    (kafka / "bin/client.properties").write_text("security.protocol=PLAINTEXT\n")
    (kafka / "libs/kafka-clients-4.3.1.jar").touch()
    (kafka / ".archive").write_text("digest")
    port = free_port()
    yield {
        "HOST": "127.0.0.1",
        "PORT": str(port),
        "CONTROLLER_PORT": str(port + 1),
        "START_SECONDS": "20",
        "SYSTEMD": str(tmp_path / "no-systemd"),
        "UNITS": str(tmp_path / "units"),
    }
    for file in (home / "kafka-broker/broker.pid", home / "systemd.pid"):
        if file.exists():
            with contextlib.suppress(ProcessLookupError):
                os.killpg(int(file.read_text()), signal.SIGKILL)


def start(run, broker, **more):
    return run("kafka/start_broker.sh", broker | more, sections=SELF_HOSTED)


SELF_HOSTED = {"kafka": {"mode": "self_hosted"}}


def pid_of(home: Path) -> int:
    return int((home / "kafka-broker/broker.pid").read_text())


def alive(pid: int) -> bool:
    state = Path(f"/proc/{pid}/stat")
    return state.exists() and state.read_text().rsplit(")", 1)[1].split()[0] != "Z"


def until(condition, seconds: float = 10) -> None:
    deadline = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < deadline, "it did not happen"
        time.sleep(0.02)


def test_the_broker_starts_once_and_outlives_the_script(run, home, broker):
    code, line, stderr = start(run, broker)
    assert (code, line) == (0, f"changed: the broker answers at 127.0.0.1:{broker['PORT']}, as a process"), stderr
    pid = pid_of(home)
    assert alive(pid)
    assert os.getpgid(pid) == pid

    assert start(run, broker)[:2] == (0, "unchanged")
    assert pid_of(home) == pid
    properties = (home / "kafka-broker/server.properties").read_text()
    assert (
        f"listeners=PLAINTEXT://127.0.0.1:{broker['PORT']},CONTROLLER://127.0.0.1:{broker['CONTROLLER_PORT']}"
        in properties
    )


def test_a_broker_that_was_killed_comes_back_with_what_it_holds(run, home, broker):
    start(run, broker)
    os.kill(pid_of(home), signal.SIGKILL)
    until(lambda: not alive(pid_of(home)))

    assert start(run, broker)[1].startswith("changed:")
    assert alive(pid_of(home))
    assert (home / "kafka-broker/formatted").read_text() == "once\n"


def test_a_broker_of_another_archive_is_started_again(run, home, kafka, broker):
    start(run, broker)
    pid = pid_of(home)
    (kafka / ".archive").write_text("another digest")

    assert start(run, broker)[1].startswith("changed:")
    assert not alive(pid)
    assert alive(pid_of(home))


def test_a_stale_pid_file_kills_nobody(run, home, broker):
    bystander = subprocess.Popen(["sleep", "60"])
    try:
        (home / "kafka-broker").mkdir()
        (home / "kafka-broker/broker.pid").write_text(str(bystander.pid))
        assert start(run, broker)[1].startswith("changed:")
        assert bystander.poll() is None
    finally:
        bystander.kill()
        bystander.wait()


def test_a_broker_that_cannot_start_shows_its_log(run, home, broker):
    (home / "kafka-broker").mkdir()
    (home / "kafka-broker/broken").touch()

    code, _, stderr = start(run, broker)

    assert code == 1
    assert "no room on the disk" in stderr
    assert "the end of its log is above" in stderr


def test_a_port_of_somebody_else(run, web, broker):
    code, _, stderr = start(run, broker, PORT=web.url.rsplit(":", 1)[1])

    assert code == 78
    assert "is taken by a process that is not our broker: stop it, or set kafka.port" in stderr


@pytest.mark.parametrize("version", ["2.8.1", "3.2.3"])
def test_a_kafka_that_needs_zookeeper_is_refused(run, kafka, broker, version):
    (kafka / "libs/kafka-clients-4.3.1.jar").rename(kafka / f"libs/kafka-clients-{version}.jar")

    code, _, stderr = start(run, broker)

    assert code == 78
    assert f"Kafka {version} in" in stderr
    assert "runs only with ZooKeeper" in stderr
    assert "set downloads.kafka to an archive of Kafka 3.3 or newer" in stderr


def test_properties_that_somebody_changed_are_not_replaced(run, home, broker):
    start(run, broker)
    with (home / "kafka-broker/server.properties").open("a") as file:
        file.write("log.retention.hours=1\n")

    code, _, stderr = start(run, broker, PORT=str(free_port()))

    assert code == 78
    assert "server.properties is in the way" in stderr


@pytest.fixture
def systemd(tmp_path, broker) -> dict[str, str]:
    """systemd as far as the script uses it; gives the environment of the start, and PATH."""
    for name, text in {"sudo": SUDO, "systemctl": SYSTEMCTL}.items():
        program(tmp_path / "bin" / name, text)
    for folder in ("systemd", "units"):
        (tmp_path / folder).mkdir()
    return broker | {"SYSTEMD": str(tmp_path / "systemd"), "PATH": f"{tmp_path}/bin:{os.environ['PATH']}"}


def test_where_systemd_runs_the_broker_is_a_service_that_starts_with_the_machine(run, home, tmp_path, systemd):
    code, line, stderr = start(run, systemd)

    assert (code, line.partition(", as ")[2]) == (0, "the service pinterest-kafka.service"), stderr
    unit = (tmp_path / "units/pinterest-kafka.service").read_text()
    assert f"ExecStart={home}/kafka/bin/kafka-run-class.sh kafka.Kafka {home}/kafka-broker/server.properties\n" in unit
    assert "WantedBy=multi-user.target" in unit
    verbs = (home / "systemd.log").read_text().split()
    assert [verb for verb in verbs if verb != "is-active"] == ["daemon-reload", "enable", "start"]

    assert start(run, systemd)[:2] == (0, "unchanged")
    assert not (home / "kafka-broker/broker.pid").exists()


def test_a_service_that_has_stopped_is_started_again(run, home, systemd):
    start(run, systemd)
    os.killpg(int((home / "systemd.pid").read_text()), signal.SIGKILL)

    assert start(run, systemd)[1].startswith("changed:")
    assert (home / "kafka-broker/formatted").read_text() == "once\n"

"""The script that starts the REST proxy so that it outlives the SSH session."""

from __future__ import annotations

import contextlib
import os
import signal
import subprocess
import time
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest

from tests.local.client_scripts.client_machine import archive

pytestmark = pytest.mark.slow

PROXY = """\
#!/usr/bin/env python3
import http.server, sys
settings = dict(line.strip().split("=", 1) for line in open(sys.argv[1]))
host, port = settings["listeners"].removeprefix("http://").split(":")
if "broken" in settings:
    sys.exit("no broker at all")
class Handler(http.server.BaseHTTPRequestHandler):
    def do_GET(self):
        self.send_response(200 if self.path == "/topics" else 404)
        self.end_headers()
        self.wfile.write(b"[]")
http.server.HTTPServer((host, int(port)), Handler).serve_forever()
"""


@pytest.fixture
def free_port() -> int:
    with ThreadingHTTPServer(("127.0.0.1", 0), BaseHTTPRequestHandler) as server:
        return server.server_port


@pytest.fixture
def proxy(run, home, web, free_port):
    """Archive installed, properties written; gives the environment of the start. Ends the proxy afterwards."""
    run(
        "rest_proxy/install_rest_proxy.sh",
        web.offer("/rest.tgz", archive(**{"kafka-rest-1.0__bin__kafka-rest-start": PROXY})),
    )
    (home / "kafka-rest/kafka-rest.properties").write_text(f"listeners=http://127.0.0.1:{free_port}\n")
    yield {"LISTEN_HOST": "0.0.0.0", "PORT": str(free_port), "START_SECONDS": "20"}
    if (home / "kafka-rest/kafka-rest.pid").exists():
        with contextlib.suppress(ProcessLookupError):
            os.killpg(pid_of(home), signal.SIGKILL)


def pid_of(home: Path) -> int:
    return int((home / "kafka-rest/kafka-rest.pid").read_text())


def alive(pid: int) -> bool:
    state = Path(f"/proc/{pid}/stat")
    return state.exists() and state.read_text().rsplit(")", 1)[1].split()[0] != "Z"


def test_rest_proxy_starts_once_and_outlives_the_script(run, home, proxy):
    assert run("rest_proxy/start_rest_proxy.sh", proxy)[1].startswith("changed: the REST proxy answers")
    pid = pid_of(home)
    assert alive(pid)
    assert os.getpgid(pid) == pid

    assert run("rest_proxy/start_rest_proxy.sh", proxy)[:2] == (0, "unchanged")
    assert pid_of(home) == pid


def test_rest_proxy_with_other_properties_is_restarted(run, home, proxy):
    run("rest_proxy/start_rest_proxy.sh", proxy)
    pid = pid_of(home)
    with (home / "kafka-rest/kafka-rest.properties").open("a") as file:
        file.write("producer.acks=all\n")

    assert run("rest_proxy/start_rest_proxy.sh", proxy)[1].startswith("changed:")
    assert not alive(pid)
    assert alive(pid_of(home))


def test_rest_proxy_that_was_killed_comes_back(run, home, proxy):
    run("rest_proxy/start_rest_proxy.sh", proxy)
    os.kill(pid_of(home), signal.SIGKILL)
    until(lambda: not alive(pid_of(home)))

    assert run("rest_proxy/start_rest_proxy.sh", proxy)[1].startswith("changed:")
    assert alive(pid_of(home))


def test_a_stale_pid_file_kills_nobody(run, home, proxy):
    bystander = subprocess.Popen(["sleep", "60"])
    try:
        (home / "kafka-rest/kafka-rest.pid").write_text(str(bystander.pid))
        assert run("rest_proxy/start_rest_proxy.sh", proxy)[1].startswith("changed:")
        assert bystander.poll() is None
    finally:
        bystander.kill()
        bystander.wait()


def test_rest_proxy_that_cannot_start_shows_its_log(run, home, proxy):
    with (home / "kafka-rest/kafka-rest.properties").open("a") as file:
        file.write("broken=yes\n")

    code, _, stderr = run("rest_proxy/start_rest_proxy.sh", proxy)

    assert code != 0
    assert "no broker at all" in stderr
    assert "The REST proxy exited immediately" in stderr


def test_a_port_of_somebody_else(run, home, web, proxy):
    code, _, stderr = run("rest_proxy/start_rest_proxy.sh", proxy | {"PORT": web.url.rsplit(":", 1)[1]})

    assert code != 0
    assert "is taken by a process that is not our REST proxy" in stderr


def until(condition, seconds: float = 10) -> None:
    deadline = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < deadline, "it did not happen"
        time.sleep(0.02)

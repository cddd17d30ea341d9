"""The lab as a whole: it starts, it says what runs, what is killed comes back, and stopping leaves nothing."""

from __future__ import annotations

import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable

import psutil
import pytest
from confluent_kafka.admin import AdminClient, NewTopic

from lab import lifecycle, processes, status
from lab.progress import Reporter, StepError
from lab.services import Service, services
from lab.source import database
from lab.state import State
from lab.supervision import Supervisor
from tests.lab.kafka_parts import supervised
from tests.lab.lab_parts import is_alive

NAMES = ["mariadb", "kafka", "connect", "aws", "cloud", "spark"]
QUIET = Reporter(quiet=True)


def wait_until(condition: Callable[[], bool], seconds: float, what: str) -> None:
    deadline = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < deadline, f"{what} did not happen within {seconds} s"
        time.sleep(0.1)


def service(lab: State, name: str) -> Service:
    return next(service for service in services(lab) if service.name == name)


def pid_of(lab: State, name: str) -> int:
    return Supervisor(lab).process(name).pid


def answers(lab: State, name: str) -> bool:
    pid = pid_of(lab, name)
    return pid != 0 and service(lab, name).answers(lab, pid)


def broker(lab: State) -> AdminClient:
    return AdminClient({"bootstrap.servers": f"127.0.0.1:{lab.port('kafka')}"})


def source_rows(lab: State) -> int:
    with database.connect(lab) as connection, connection.cursor() as cursor:
        cursor.execute("SELECT count(*) FROM user_data")
        [count] = cursor.fetchone()
        return count


def test_all_services_answer(lab):
    assert [name for name in NAMES if not answers(lab, name)] == []


def test_status_is_a_table_of_all_services(lab):
    title, *rows = status.table(lab).splitlines()

    assert title.split() == ["service", "state", "pid", "port", "memory", "uptime", "log", "file"]
    shown = {row.split()[0]: row.split() for row in rows}
    for name in NAMES:
        _, state, pid, ports, memory, unit, _, log = shown[name]
        assert (state, int(pid), unit) == ("running", pid_of(lab, name), "MB")
        assert ports.split(",") == [str(lab.port(port)) for port in service(lab, name).ports]
        assert int(memory) > 0
        assert log == str(lab.log(name))


def test_everything_listens_on_the_loopback_address_only(lab):
    addresses = {
        connection.laddr.ip.removeprefix("::ffff:")
        for process in processes.of_lab(lab)
        for connection in process.net_connections("tcp")
        if connection.status == psutil.CONN_LISTEN
    }

    assert addresses == {"127.0.0.1"}


def test_no_command_line_holds_a_secret(lab):
    lines = [" ".join(process.cmdline()) for process in processes.of_lab(lab)]

    assert len(lines) >= len(NAMES)
    assert [line for line in lines for secret in lab.secrets.values() if secret in line] == []


def test_idle_memory_is_within_the_budget(lab):
    held = sum(processes.memory(pid_of(lab, name)) for name in NAMES)

    assert held < 3.5 * 2**30


def test_starting_a_running_lab_changes_nothing(lab):
    before = {name: pid_of(lab, name) for name in NAMES}

    lifecycle.up(lab, QUIET)

    assert {name: pid_of(lab, name) for name in NAMES} == before


@pytest.mark.parametrize("name", NAMES)
def test_a_killed_service_comes_back(lab, name):
    killed = pid_of(lab, name)

    os.kill(killed, signal.SIGKILL)

    wait_until(lambda: pid_of(lab, name) not in (0, killed) and answers(lab, name), 90, f"the return of {name}")


def test_services_whose_supervisor_was_killed_are_replaced(lab):
    supervisor = Supervisor(lab)
    orphans = {pid_of(lab, name) for name in NAMES}
    os.kill(supervisor.pid(), signal.SIGKILL)
    wait_until(lambda: not supervisor.is_alive(), 10, "the supervisor's end")
    assert all(is_alive(pid) for pid in orphans)

    lifecycle.up(lab, QUIET)

    assert not any(is_alive(pid) for pid in orphans)
    assert [name for name in NAMES if not answers(lab, name)] == []


@pytest.fixture
def end_of_lab(lab) -> State:
    """The lab, for the last test that uses it (``conftest`` sees to that)."""
    return lab


def test_a_stop_leaves_no_process_and_a_start_loses_nothing(end_of_lab):
    """A process on the client machine, such as the REST proxy, was started by the pipeline and goes as well."""
    lab = end_of_lab
    topic = f"kept-{time.time_ns()}"
    admin = broker(lab)
    admin.create_topics([NewTopic(topic, 1)])[topic].result(10)
    client_home = lab.path("client_machine", "home")
    client_home.mkdir(parents=True, exist_ok=True)
    detached = subprocess.Popen(
        [sys.executable, "-c", "import time; time.sleep(600)"], env={"HOME": str(client_home)}, start_new_session=True
    )

    lifecycle.down(lab, QUIET)

    assert not is_alive(detached.pid)
    assert processes.of_lab(lab) == []
    assert [port for port in map(lab.port, ("mariadb", "kafka", "aws", "ssh")) if processes.holder_of(port)] == []

    with supervised(lab, "mariadb", "kafka"):
        assert topic in broker(lab).list_topics(timeout=10).topics
        assert source_rows(lab) == 11_154


def test_a_port_in_other_hands_is_an_error_that_names_it(tmp_path, lab):
    other = State.open(tmp_path / "state", lab.install)
    with socket.create_server(("127.0.0.1", other.port("aws"))), pytest.raises(StepError) as refused:
        lifecycle.check_ports(other, services(other))

    assert f"aws: port {other.port('aws')} is taken by" in str(refused.value)
    assert f"pid {os.getpid()}" in str(refused.value)
    assert "ports.json" in refused.value.advice


def test_a_second_lab_chooses_ports_that_the_running_one_does_not_hold(tmp_path, lab):
    other = State.open(tmp_path / "state", lab.install)

    held = {lab.port(name) for service in services(lab) for name in service.ports}
    assert held.isdisjoint(other.ports.values())

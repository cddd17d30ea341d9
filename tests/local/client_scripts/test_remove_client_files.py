"""The script that takes from the client machine what the pipeline put there."""

from __future__ import annotations

import pytest

from tests.local.client_scripts.client_machine import kafka_archive, tree
from tests.local.client_scripts.test_start_broker import broker, start, systemd
from tests.local.client_scripts.test_start_broker import pid_of as broker_pid
from tests.local.client_scripts.test_start_rest_proxy import alive, free_port, pid_of, proxy, until

__all__ = ["broker", "free_port", "proxy", "systemd"]

SCRIPT = "teardown/remove_client_files.sh"
NO_SYSTEMD = {"SYSTEMD": "/no-systemd", "UNITS": "/no-units"}
REMOVE = {"REMOVE": "yes", "KEEP_TOOLS": "no", **NO_SYSTEMD}
OF_USERS = "export EDITOR=vi\n"


@pytest.fixture
def installed(run, home, web):
    """Kafka with its properties, and our line in a profile of the user's."""
    (home / ".bash_profile").write_text(OF_USERS)
    assert run("kafka_client/install_kafka.sh", web.offer("/kafka.tgz", kafka_archive()))[0] == 0
    assert run("kafka_client/write_client_properties.sh")[0] == 0
    (home / "kafka/.iam_auth").write_text("aws-msk-iam-auth-2.jar\n")
    assert run("kafka_client/set_classpath.sh")[0] == 0


def said(run, environment=REMOVE) -> list[str]:
    lines: list[str] = []
    assert run(SCRIPT, environment, stdout=lines)[0] == 0
    return lines


def test_nothing_of_ours_stays_and_all_of_the_users_does(run, home, installed):
    (home / "notes.txt").write_text("mine")

    lines = said(run)

    assert f"removed: {home}/kafka" in lines
    assert f"removed: our line in {home}/.bash_profile" in lines
    assert (home / ".bash_profile").read_text() == OF_USERS
    assert not (home / "kafka").is_symlink()
    assert (home / "notes.txt").read_text() == "mine"
    assert said(run) == []


def test_it_only_lists_unless_it_is_told_to_remove(run, home, installed):
    before = tree(home)

    lines = said(run, REMOVE | {"REMOVE": "no"})

    assert [line.split(":")[0] for line in lines] == ["would be removed"] * 2
    assert tree(home) == before


def test_the_tools_stay_where_topics_do(run, home, installed):
    before = tree(home)

    assert said(run, REMOVE | {"KEEP_TOOLS": "yes"}) == [
        f"kept: {home}/kafka: topics that stay are deleted with its tools"
    ]
    assert tree(home) == before


def test_files_of_others_in_our_folders_are_kept(run, home, installed):
    (home / "kafka/bin/theirs.sh").write_text("mine")

    said(run)

    assert (home / "kafka_2.13-4.3.1.replaced.1/bin/theirs.sh").read_text() == "mine"
    assert not (home / "kafka").is_symlink()


def test_a_folder_that_others_made_is_kept(run, home):
    (home / "kafka").mkdir()
    (home / "kafka/theirs").write_text("mine")

    assert said(run) == [f"kept: {home}/kafka, which this pipeline did not make"]
    assert (home / "kafka/theirs").read_text() == "mine"


def test_the_rest_proxy_ends_and_its_files_go(run, home, proxy):
    run("rest_proxy/start_rest_proxy.sh", proxy)
    pid = pid_of(home)
    (home / "kafka-rest/kafka-rest.properties").write_text("changed by hand\n")

    lines = said(run)

    until(lambda: not alive(pid))
    assert lines[0] == f"removed: the REST proxy (pid {pid})"
    assert f"removed: {home}/kafka-rest/current" in lines
    assert [path.name for path in (home / "kafka-rest").iterdir() if path.name != ".archive.files"] == [
        "kafka-rest.properties"
    ]
    assert any("kafka-rest.properties, which this pipeline did not write" in line for line in lines)


def test_a_process_that_is_not_the_proxy_is_not_ended(run, home):
    (home / "kafka-rest").mkdir()
    (home / "kafka-rest/kafka-rest.pid").write_text("1")

    assert said(run) == [f"removed: {home}/kafka-rest/kafka-rest.pid"]
    assert not (home / "kafka-rest").exists()


@pytest.mark.parametrize(("keep", "topics"), [("yes", True), ("no", False)])
def test_the_broker_stops_and_what_it_holds_goes_only_with_the_data(run, home, broker, keep, topics):
    environment = broker | {"REMOVE": "yes", "KEEP_TOOLS": keep}
    start(run, broker)
    pid = broker_pid(home)

    lines = said(run, environment)

    assert f"removed: the broker (pid {pid})" in lines
    assert not alive(pid)
    assert (home / "kafka-broker/data").exists() is topics
    assert (f"kept: {home}/kafka-broker/data holds topics, which only delete_data_of deletes" in lines) is topics


def test_the_broker_s_service_is_no_more(run, home, tmp_path, systemd):
    start(run, systemd)

    lines = said(run, systemd | {"REMOVE": "yes", "KEEP_TOOLS": "yes"})

    assert "removed: the service pinterest-kafka.service" in lines
    assert list((tmp_path / "units").iterdir()) == []
    assert (home / "systemd.log").read_text().split()[-2:] == ["disable", "daemon-reload"]

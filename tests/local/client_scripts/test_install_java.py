"""The script that finds a Java for Kafka, or installs one."""

from __future__ import annotations

import pytest

from pinterest.hooks.kafka_client import LASTING
from tests.local.client_scripts.client_machine import archive, tools, tree

JAVA_21 = archive(**{"jdk-21__bin__java": "#!/bin/sh\necho 'openjdk version \"21.0.8\" 2025-07-15' >&2\n"})


@pytest.mark.parametrize("java", [None, "1.8.0_392", "11.0.2"], ids=["none", "8", "11"])
def test_java_is_installed_where_kafka_has_none_that_will_do(run, web, home, tmp_path, java):
    path = tools(tmp_path / "bin", java)
    environment = web.offer("/java-21.tar.gz", JAVA_21)

    assert run("kafka_client/install_java.sh", environment, path=path)[:2] == (0, f"changed: {home}/java is jdk-21")
    before = tree(home)
    assert run("kafka_client/install_java.sh", environment, path=path)[:2] == (0, "unchanged")
    assert tree(home) == before


def test_java_that_is_there_is_taken(run, web, home, tmp_path):
    path = tools(tmp_path / "bin", "17.0.15")

    assert run("kafka_client/install_java.sh", web.offer("/java.tgz", JAVA_21), path=path)[:2] == (0, "unchanged")
    assert web.requests == []
    assert list(home.iterdir()) == []


def test_an_archive_of_an_old_java(run, web, home, tmp_path):
    old = archive(**{"jdk8__bin__java": "#!/bin/sh\necho 'openjdk version \"1.8.0_392\"' >&2\n"})

    code, _, stderr = run(
        "kafka_client/install_java.sh", web.offer("/java.tgz", old), path=tools(tmp_path / "bin", None)
    )

    assert code == LASTING
    assert "Kafka needs 17 or newer" in stderr
    assert list(home.iterdir()) == []


def test_an_archive_of_an_old_java_replaces_nothing(run, web, home, tmp_path):
    path = tools(tmp_path / "bin", None)
    run("kafka_client/install_java.sh", web.offer("/java.tgz", JAVA_21), path=path)
    (home / "jdk-21/bin/java").write_text("#!/bin/sh\nexit 1\n")
    before = tree(home)
    old = archive(**{"jdk-21__bin__java": "#!/bin/sh\necho 'openjdk version \"11.0.2\"' >&2\n"})

    assert run("kafka_client/install_java.sh", web.offer("/old.tgz", old), path=path)[0] == LASTING
    assert tree(home) == before


def test_a_folder_of_the_user_is_in_the_way(run, web, home, tmp_path):
    (home / "java").mkdir()
    (home / "java/notes").write_text("mine")

    code, _, stderr = run(
        "kafka_client/install_java.sh", web.offer("/java.tgz", JAVA_21), path=tools(tmp_path / "bin", None)
    )

    assert code == LASTING
    assert f"{home}/java is in the way" in stderr
    assert (home / "java/notes").read_text() == "mine"

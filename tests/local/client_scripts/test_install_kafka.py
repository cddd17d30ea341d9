"""The script that unpacks Kafka, and what it does with downloads that are not what they should be."""

from __future__ import annotations

import hashlib
import os

import pytest

from tests.local.client_scripts.client_machine import BLANK, KAFKA, archive, tree


def test_kafka_is_unpacked_once(run, web, home):
    environment = web.offer("/kafka_2.13-4.3.1.tgz", KAFKA)

    assert run("kafka_client/install_kafka.sh", environment)[:2] == (0, f"changed: {home}/kafka is kafka_2.13-4.3.1")
    assert os.access(home / "kafka/bin/kafka-topics.sh", os.X_OK)
    before = tree(home)

    assert run("kafka_client/install_kafka.sh", environment)[:2] == (0, "unchanged")
    assert tree(home) == before
    assert web.requests == ["/kafka_2.13-4.3.1.tgz"]


def test_another_archive_replaces_kafka(run, web, home):
    run("kafka_client/install_kafka.sh", web.offer("/a.tgz", KAFKA))
    other = archive(**{"kafka_2.13-4.4.0__bin__kafka-topics.sh": "#!/bin/sh\n# newer\n"})

    code, line, _ = run("kafka_client/install_kafka.sh", web.offer("/b.tgz", other))

    assert (code, line) == (0, f"changed: {home}/kafka is kafka_2.13-4.4.0")
    assert "newer" in (home / "kafka/bin/kafka-topics.sh").read_text()


def test_a_half_unpacked_folder_is_replaced(run, web, home):
    (home / "kafka_2.13-4.3.1/bin").mkdir(parents=True)
    (home / "kafka").symlink_to("kafka_2.13-4.3.1")

    assert run("kafka_client/install_kafka.sh", web.offer("/kafka.tgz", KAFKA))[0] == 0
    assert (home / "kafka/libs/x.jar").read_text() == "x"


def test_wrong_checksum_leaves_nothing(run, web, home):
    environment = web.offer("/kafka.tgz", KAFKA) | {"SHA256": BLANK}
    got = hashlib.sha256(KAFKA).hexdigest()

    code, _, stderr = run("kafka_client/install_kafka.sh", environment)

    assert code != 0
    for word in (environment["URL"], f"expected SHA-256 {BLANK}", f"got {got}", "deleted", "downloads"):
        assert word in stderr
    assert list(home.iterdir()) == []


@pytest.mark.parametrize("how", ["cut off", "missing"])
def test_a_failed_download_leaves_nothing(run, web, home, how):
    environment = web.offer("/kafka.tgz", KAFKA)
    if how == "missing":
        web.files.clear()
    web.cut.add("/kafka.tgz")

    code, _, stderr = run("kafka_client/install_kafka.sh", environment)

    assert code != 0
    assert f"Download of {environment['URL']} failed (curl exit code {22 if how == 'missing' else 18})" in stderr
    assert list(home.iterdir()) == []


@pytest.mark.parametrize(
    ("body", "said"),
    [
        pytest.param(b"<html>moved</html>", "is not a gzipped tar archive", id="not an archive"),
        pytest.param(archive(readme="x"), "has no folder that contains bin/kafka-topics.sh", id="another archive"),
    ],
)
def test_an_archive_of_something_else(run, web, home, body, said):
    code, _, stderr = run("kafka_client/install_kafka.sh", web.offer("/kafka.tgz", body))

    assert code != 0
    assert said in stderr
    assert list(home.iterdir()) == []


def test_a_folder_of_somebody_else_is_not_touched(run, web, home):
    (home / "kafka").mkdir()
    (home / "kafka/notes").write_text("mine")

    code, _, stderr = run("kafka_client/install_kafka.sh", web.offer("/kafka.tgz", KAFKA))

    assert code != 0
    assert f"{home}/kafka is in the way" in stderr
    assert (home / "kafka/notes").read_text() == "mine"

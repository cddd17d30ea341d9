"""The script that unpacks Kafka, and what it does with downloads that are not what they should be."""

from __future__ import annotations

import hashlib
import os

import pytest

from pinterest.hooks.kafka_client import LASTING
from tests.local.client_scripts.client_machine import BLANK, KAFKA, archive, kafka_archive, tree

SCRIPT = "kafka_client/install_kafka.sh"
FOLDER = "kafka_2.13-4.3.1"


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
    other = kafka_archive("kafka_2.13-4.4.0", "4.4.0", "#!/bin/sh\n# newer\n")

    code, line, _ = run("kafka_client/install_kafka.sh", web.offer("/b.tgz", other))

    assert (code, line) == (0, f"changed: {home}/kafka is kafka_2.13-4.4.0")
    assert "newer" in (home / "kafka/bin/kafka-topics.sh").read_text()


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
        pytest.param(
            archive(**{"kafka-4.3.1-src/bin/kafka-topics.sh": "#!/bin/sh\n"}), "not kafka-4.3.1-src.tgz", id="sources"
        ),
        pytest.param(kafka_archive("kafka"), "unpacks to a folder named kafka", id="a folder with the link's name"),
    ],
)
def test_an_archive_of_something_else(run, web, home, body, said):
    code, _, stderr = run("kafka_client/install_kafka.sh", web.offer("/kafka.tgz", body))

    assert code != 0
    assert said in stderr
    assert list(home.iterdir()) == []


@pytest.mark.parametrize("version", ["2.8.1", "3.9.0", "4.0.1", "4.1.0"])
def test_a_version_that_is_too_old_is_named_and_replaces_nothing(run, web, home, version):
    run(SCRIPT, web.offer("/a.tgz", KAFKA))
    before = tree(home)
    old = web.offer("/old.tgz", kafka_archive(f"kafka_2.13-{version}", version))

    code, _, stderr = run(SCRIPT, old)

    assert code == LASTING
    for word in (
        f"{old['URL']} is Kafka {version}",
        "4.2 or newer is needed",
        "downloads.kafka",
        "Nothing was replaced",
    ):
        assert word in stderr
    assert tree(home) == before


def test_a_version_that_is_installed_and_too_old_is_named(run, web, home):
    environment = web.offer("/old.tgz", kafka_archive("kafka_2.13-3.9.0", "3.9.0"))
    as_installed_before(home, "kafka_2.13-3.9.0", environment["SHA256"], clients="3.9.0")

    code, _, stderr = run(SCRIPT, environment)

    assert code == LASTING
    assert "is Kafka 3.9.0, but 4.2 or newer is needed" in stderr


def as_installed_before(home, folder: str, sha256: str, clients: str = "4.3.1") -> None:
    """What versions left that kept no list of files."""
    (home / folder / "bin").mkdir(parents=True)
    (home / folder / "libs").mkdir()
    (home / folder / "bin/kafka-topics.sh").write_text("#!/bin/sh\n")
    (home / folder / "bin/kafka-topics.sh").chmod(0o755)
    (home / folder / f"libs/kafka-clients-{clients}.jar").write_text("x")
    (home / folder / ".archive").write_text(sha256 + "\n")
    (home / "kafka").symlink_to(folder)


def theirs_folder(home):
    (home / FOLDER).mkdir()
    (home / FOLDER / "notes").write_text("mine")
    return home / FOLDER


def theirs_kafka(home):
    (home / "kafka").mkdir()
    (home / "kafka/notes").write_text("mine")
    return home / "kafka"


def theirs_file(home):
    (home / "kafka").write_text("mine")
    return home / "kafka"


def theirs_link_elsewhere(home):
    (home / "opt/kafka").mkdir(parents=True)
    (home / "opt/kafka/notes").write_text("mine")
    (home / "kafka").symlink_to("opt/kafka")
    return home / "kafka"


def theirs_link_beside(home):
    theirs_folder(home)
    (home / "kafka").symlink_to(FOLDER)
    return home / "kafka"


def theirs_link_to_nowhere(home):
    (home / "kafka").symlink_to("/mnt/not-mounted/kafka")
    return home / "kafka"


def theirs_link_with_the_folders_name(home):
    (home / "mine").mkdir()
    (home / "mine/notes").write_text("mine")
    (home / FOLDER).symlink_to("mine")
    return home / FOLDER


@pytest.mark.parametrize(
    "theirs",
    [
        theirs_folder, theirs_kafka, theirs_file, theirs_link_elsewhere, theirs_link_beside, theirs_link_to_nowhere,
        theirs_link_with_the_folders_name,
    ],
    ids=lambda make: make.__name__,
)  # fmt: skip
def test_what_this_pipeline_did_not_make_is_named_and_stays(run, web, home, theirs):
    path = theirs(home)
    before = tree(home), {p: os.readlink(p) for p in home.iterdir() if p.is_symlink()}

    code, _, stderr = run(SCRIPT, web.offer("/kafka.tgz", KAFKA))

    assert code == LASTING
    assert f"{path} is in the way: this pipeline did not make it" in stderr
    assert "Move or rename it" in stderr
    assert (tree(home), {p: os.readlink(p) for p in home.iterdir() if p.is_symlink()}) == before


def test_an_installation_of_an_earlier_version_is_adopted(run, web, home):
    environment = web.offer("/kafka.tgz", KAFKA)
    as_installed_before(home, FOLDER, environment["SHA256"])
    before = tree(home)

    assert run(SCRIPT, environment)[:2] == (0, "unchanged")
    assert tree(home) == before


def test_an_installation_of_an_earlier_version_is_kept_beside_its_replacement(run, web, home):
    as_installed_before(home, FOLDER, "0" * 64)
    (home / FOLDER / "notes").write_text("mine")

    code, _, stderr = run(SCRIPT, web.offer("/kafka.tgz", KAFKA))

    assert code == 0
    assert (home / f"{FOLDER}.replaced.1/notes").read_text() == "mine"
    assert f"Kept what was in {home}/{FOLDER} as {home}/{FOLDER}.replaced.1" in stderr
    assert os.access(home / "kafka/bin/kafka-topics.sh", os.X_OK)


def test_a_link_of_ours_whose_folder_was_deleted_is_filled_again(run, web, home):
    (home / "kafka").symlink_to(FOLDER)

    assert run(SCRIPT, web.offer("/kafka.tgz", KAFKA))[0] == 0
    assert (home / "kafka/libs/kafka-clients-4.3.1.jar").read_text() == "x"


def test_an_archive_that_was_published_again_replaces_what_is_untouched(run, web, home):
    run(SCRIPT, web.offer("/a.tgz", KAFKA))
    again = web.offer("/b.tgz", kafka_archive(tool="#!/bin/sh\n# again\n"))

    assert run(SCRIPT, again)[:2] == (0, f"changed: {home}/kafka is {FOLDER}")
    assert "again" in (home / "kafka/bin/kafka-topics.sh").read_text()
    assert sorted(p.name for p in home.iterdir()) == ["kafka", FOLDER]


@pytest.mark.parametrize("name", ["notes", "bin/kafka-topics.sh", "libs/mine.jar"])
def test_files_of_the_user_inside_are_kept_beside_the_replacement(run, web, home, name):
    run(SCRIPT, web.offer("/a.tgz", KAFKA))
    (home / "kafka" / name).write_text("mine")

    assert run(SCRIPT, web.offer("/b.tgz", kafka_archive(tool="#!/bin/sh\n# again\n")))[0] == 0
    assert (home / f"{FOLDER}.replaced.1" / name).read_text() == "mine"
    assert "again" in (home / "kafka/bin/kafka-topics.sh").read_text()

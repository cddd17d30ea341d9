"""The scripts that put the IAM library where Kafka finds it."""

from __future__ import annotations

import os
import subprocess

import pytest

from pinterest.hooks.kafka_client import LASTING
from tests.local.client_scripts.client_machine import tools, tree

SCRIPT = "kafka_client/install_iam_auth.sh"
JAR = "aws-msk-iam-auth-2.3.9-all.jar"


@pytest.fixture
def java(tmp_path):
    """A PATH whose Java loads a class from any jar but one that says "broken"."""
    path = tools(tmp_path / "tools", "21.0.8")
    (tmp_path / "tools/java").write_text(
        "#!/bin/sh\n"
        'if grep -q broken "${3%%:*}"; then echo "Caused by: java.lang.NoClassDefFoundError: software/amazon/X"\n'
        'else echo "Error: Main method not found in class $4, please define"; fi >&2\nexit 1\n'
    )
    return path


def test_iam_library(run, web, kafka, java):
    first = web.offer("/aws-msk-iam-auth-1.1.5-all.jar", b"older")
    second = web.offer(f"/{JAR}", b"jar")

    assert run(SCRIPT, first, path=java)[:2] == (0, f"changed: {kafka}/libs/aws-msk-iam-auth-1.1.5-all.jar")
    assert run(SCRIPT, second, path=java)[1] == f"changed: {kafka}/libs/{JAR}, without aws-msk-iam-auth-1.1.5-all.jar"
    assert [p.name for p in (kafka / "libs").iterdir()] == [JAR]
    assert run(SCRIPT, second, path=java)[:2] == (0, "unchanged")
    (kafka / "libs" / JAR).write_text("tampered")
    assert run(SCRIPT, second, path=java)[1].startswith("changed:")
    assert (kafka / "libs" / JAR).read_bytes() == b"jar"
    assert (kafka / f"{JAR}.replaced.1").read_text() == "tampered"


def test_a_version_of_the_user_stays_and_is_not_taken(run, web, kafka, java):
    (kafka / "libs/aws-msk-iam-auth-9.9.9-all.jar").write_text("mine")

    assert run(SCRIPT, web.offer(f"/{JAR}", b"jar"), path=java)[0] == 0
    assert (kafka / "libs/aws-msk-iam-auth-9.9.9-all.jar").read_text() == "mine"
    assert run("", template='echo "$CLASSPATH"')[1] == f"{kafka}/libs/{JAR}"


def test_a_jar_of_that_name_with_other_content_is_in_the_way(run, web, kafka, java):
    (kafka / "libs" / JAR).write_text("mine")

    code, _, stderr = run(SCRIPT, web.offer(f"/{JAR}", b"jar"), path=java)

    assert code == LASTING
    assert f"{kafka}/libs/{JAR} is in the way" in stderr
    assert (kafka / "libs" / JAR).read_text() == "mine"


def test_the_jar_of_an_earlier_version_of_this_pipeline_is_adopted(run, web, kafka, java):
    (kafka / "libs" / JAR).write_bytes(b"jar")

    assert run("", template='echo "$CLASSPATH"')[1] == f"{kafka}/libs/{JAR}"
    assert run(SCRIPT, web.offer(f"/{JAR}", b"jar"), path=java)[:2] == (0, "unchanged")
    assert web.requests == []
    assert run("kafka_client/set_classpath.sh")[0] == 0


def test_a_jar_that_java_cannot_load_replaces_nothing(run, web, kafka, java):
    run(SCRIPT, web.offer("/aws-msk-iam-auth-1.1.5-all.jar", b"older"), path=java)
    before = tree(kafka)
    slim = web.offer("/aws-msk-iam-auth-2.3.9.jar", b"broken")

    code, _, stderr = run(SCRIPT, slim, path=java)

    assert code == LASTING
    for word in (slim["URL"], "downloads.iam_auth", "NoClassDefFoundError: software/amazon/X", "-all.jar"):
        assert word in stderr
    assert tree(kafka) == before


@pytest.mark.parametrize(
    ("existing", "profile"),
    [
        pytest.param({}, ".bash_profile", id="no profile"),
        pytest.param({".bash_profile": "alias ll='ls -l'"}, ".bash_profile", id="without a last newline"),
        pytest.param({".profile": "umask 022\n"}, ".profile", id="Ubuntu: .bash_profile would hide .profile"),
    ],
)
def test_classpath_is_in_the_profile_once(run, home, kafka, existing, profile):
    (kafka / ".iam_auth").write_text("aws-msk-iam-auth-1.1.5-all.jar\n")
    for name, text in existing.items():
        (home / name).write_text(text)

    assert run("kafka_client/set_classpath.sh")[:2] == (0, f"changed: CLASSPATH in {home}/{profile}")
    assert run("kafka_client/set_classpath.sh")[:2] == (0, "unchanged")
    (kafka / ".iam_auth").write_text(f"{JAR}\n")
    assert run("kafka_client/set_classpath.sh")[1].startswith("changed:")

    lines = (home / profile).read_text().splitlines()
    assert len([line for line in lines if "CLASSPATH" in line]) == 1
    assert lines[:-1] == [line for text in existing.values() for line in text.splitlines()]
    assert [p.name for p in home.iterdir() if p.is_file()] == [profile]
    shown = subprocess.run(
        ["bash", "-c", f'. "$HOME/{profile}"; echo "$CLASSPATH"'],
        env={"HOME": str(home), "PATH": os.environ["PATH"]},
        capture_output=True,
        text=True,
    )
    assert shown.stdout.strip() == f"{home}/kafka/libs/aws-msk-iam-auth-2.3.9-all.jar"


def test_a_profile_that_is_a_link_stays_one(run, home, kafka):
    (kafka / ".iam_auth").write_text(f"{JAR}\n")
    (home / "dotfiles").mkdir()
    (home / "dotfiles/profile").write_text("umask 022\n")
    (home / ".bash_profile").symlink_to("dotfiles/profile")

    assert run("kafka_client/set_classpath.sh")[0] == 0
    assert (home / ".bash_profile").is_symlink()
    assert (home / "dotfiles/profile").read_text().startswith("umask 022\nexport PATH=")
    assert run("kafka_client/set_classpath.sh")[:2] == (0, "unchanged")

"""The scripts that put the IAM library where Kafka finds it."""

from __future__ import annotations

import os
import subprocess

import pytest


def test_iam_library(run, web, kafka):
    (kafka / "libs/aws-msk-iam-auth-1.1.5-all.jar").write_text("older")
    environment = web.offer("/aws-msk-iam-auth-2.3.9-all.jar", b"jar")

    assert run("kafka_client/install_iam_auth.sh", environment)[1].startswith("changed:")
    assert [p.name for p in (kafka / "libs").iterdir()] == ["aws-msk-iam-auth-2.3.9-all.jar"]
    assert run("kafka_client/install_iam_auth.sh", environment)[:2] == (0, "unchanged")
    (kafka / "libs/aws-msk-iam-auth-2.3.9-all.jar").write_text("tampered")
    assert run("kafka_client/install_iam_auth.sh", environment)[1].startswith("changed:")
    assert (kafka / "libs/aws-msk-iam-auth-2.3.9-all.jar").read_bytes() == b"jar"


@pytest.mark.parametrize(
    ("existing", "profile"),
    [
        pytest.param({}, ".bash_profile", id="no profile"),
        pytest.param({".bash_profile": "alias ll='ls -l'"}, ".bash_profile", id="without a last newline"),
        pytest.param({".profile": "umask 022\n"}, ".profile", id="Ubuntu: .bash_profile would hide .profile"),
    ],
)
def test_classpath_is_in_the_profile_once(run, home, kafka, existing, profile):
    (kafka / "libs/aws-msk-iam-auth-1.1.5-all.jar").write_text("")
    for name, text in existing.items():
        (home / name).write_text(text)

    assert run("kafka_client/set_classpath.sh")[:2] == (0, f"changed: CLASSPATH in {home}/{profile}")
    assert run("kafka_client/set_classpath.sh")[:2] == (0, "unchanged")
    (kafka / "libs/aws-msk-iam-auth-1.1.5-all.jar").rename(kafka / "libs/aws-msk-iam-auth-2.3.9-all.jar")
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

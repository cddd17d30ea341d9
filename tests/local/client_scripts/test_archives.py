"""No script uses a download of another checksum, and none shows what its address may hold."""

from __future__ import annotations

import hashlib

import pytest

from pinterest.hooks.kafka_client import LASTING
from tests.local.client_scripts.client_machine import BLANK, KAFKA, UPLOAD, tools, tree

CURL = """#!/bin/sh
printf '%s\\n' "$@" >>"$HOME/arguments"
exec {curl} "$@"
"""
EVERY_SCRIPT = pytest.mark.parametrize(
    ("script", "name"),
    [
        ("kafka_client/install_java.sh", "java-21.tar.gz"),
        ("kafka_client/install_kafka.sh", "kafka_2.13-4.3.1.tgz"),
        ("kafka_client/install_iam_auth.sh", "aws-msk-iam-auth-2.3.9-all.jar"),
        ("rest_proxy/install_rest_proxy.sh", "kafka-rest-1.0.tar.gz"),
        ("s3_sink/upload_sink_archive.sh", "sink.zip"),
    ],
)


@EVERY_SCRIPT
def test_no_download_with_a_wrong_checksum_is_used(run, web, home, tmp_path, script, name):
    if script == "kafka_client/install_iam_auth.sh":
        (home / "kafka/libs").mkdir(parents=True)
    before = tree(home)
    environment = web.offer(f"/{name}", KAFKA) | UPLOAD | {"SHA256": BLANK}

    code, _, stderr = run(
        script, environment, {"UPLOAD_URL": f"{web.url}/bucket/key"}, path=tools(tmp_path / "tools", None)
    )

    assert code == LASTING
    assert f"expected SHA-256 {BLANK}, got {hashlib.sha256(KAFKA).hexdigest()}" in stderr
    assert tree(home) == before
    assert web.puts == []


@EVERY_SCRIPT
@pytest.mark.parametrize("digest", ["right", "wrong"])
def test_a_token_in_the_address_is_seen_by_the_server_alone(run, web, home, tmp_path, script, name, digest):
    """Neither in what is printed, which gets into logs, nor in arguments, which everyone on the machine can read."""
    if script == "kafka_client/install_iam_auth.sh":
        (home / "kafka/libs").mkdir(parents=True)
    path = tools(tmp_path / "tools", None)
    curl = tmp_path / "tools" / "curl"
    real = curl.resolve()
    curl.unlink()
    curl.write_text(CURL.format(curl=real))
    curl.chmod(0o755)
    environment = web.offer(f"/{name}?token=c4n4ry", KAFKA) | UPLOAD
    environment["URL"] = environment["URL"].replace("//", "//me:c4n4ry@")
    if digest == "wrong":
        environment["SHA256"] = BLANK

    _, stdout, stderr = run(script, environment, {"UPLOAD_URL": f"{web.url}/bucket/key"}, path=path)

    assert web.requests == [f"/{name}?token=c4n4ry"]
    assert f"Downloading {web.url}/{name}\n" in stderr
    assert "c4n4ry" not in stdout + stderr + (home / "arguments").read_text()

"""``bin/aws`` and ``bin/kafka``: the tools people know, on a running lab and without one."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
from pathlib import Path

import pytest

from lab.state import ACCOUNT, CHECKOUT, REGION, State

NOTES = "notes-0e36c8cd403d"
ELSEWHERE = {  # what a developer's shell may hold, and must not count
    "AWS_PROFILE": "production",
    "AWS_ACCESS_KEY_ID": "real",
    "AWS_ENDPOINT_URL_S3": "http://127.0.0.1:1",
    "AWS_DEFAULT_REGION": "eu-west-1",
    "HTTP_PROXY": "http://127.0.0.1:1",
    "JAVA_HOME": "/nowhere",
    "CLASSPATH": "/nowhere",
}


def run(program: str, *arguments: str, state: State, folder: Path = CHECKOUT) -> subprocess.CompletedProcess[str]:
    environment = {**os.environ, **ELSEWHERE, **state.environment()}
    command = [str(CHECKOUT / "bin" / program), *arguments]
    return subprocess.run(command, capture_output=True, text=True, env=environment, cwd=folder, timeout=120)


def printed(program: str, *arguments: str, state: State, folder: Path = CHECKOUT) -> str:
    done = run(program, *arguments, state=state, folder=folder)
    assert done.returncode == 0, done.stderr
    return done.stdout


def test_aws_lists_and_copies_objects(lab, tmp_path):
    (tmp_path / "note.txt").write_text("hello")

    printed("aws", "s3", "mb", f"s3://{NOTES}", state=lab)
    printed("aws", "s3", "cp", "note.txt", f"s3://{NOTES}/notes/note.txt", state=lab, folder=tmp_path)

    assert NOTES in printed("aws", "s3", "ls", state=lab)
    assert printed("aws", "s3", "cp", f"s3://{NOTES}/notes/note.txt", "-", state=lab) == "hello"
    printed("aws", "s3", "rb", "--force", f"s3://{NOTES}", state=lab)


@pytest.mark.parametrize(
    ("arguments", "expected"),
    [
        (("sts", "get-caller-identity"), {"Account": ACCOUNT}),
        (("apigateway", "get-rest-apis"), {}),
        (("kinesis", "list-streams"), {}),
        (("kafkaconnect", "list-connectors"), {}),
    ],
)
def test_aws_reaches_the_services(lab, arguments, expected):
    answer = json.loads(printed("aws", *arguments, "--output", "json", state=lab))

    assert expected.items() <= answer.items()


def test_aws_sees_the_account_that_the_pipeline_uses(lab):
    arn = printed(*("aws", "sts", "get-caller-identity", "--query", "Arn", "--output", "text"), state=lab)
    zones = printed(*("aws", "ec2", "describe-subnets", "--query", "Subnets[].AvailabilityZone"), state=lab)

    assert f":{ACCOUNT}:" in arn
    assert {zone[:-1] for zone in json.loads(zones)} == {REGION}


def test_a_refusal_of_aws_is_the_program_s_exit_status(lab):
    refused = run("aws", "s3api", "head-bucket", "--bucket", "no-such-bucket", state=lab)

    assert refused.returncode != 0
    assert "404" in refused.stderr


def test_kafka_tools_find_the_broker(lab):
    topic = "command-line-test"
    printed("kafka", "topics", "--create", "--topic", topic, "--partitions", "1", state=lab)
    try:
        assert topic in printed("kafka", "topics", "--list", state=lab).split()
        assert printed("kafka", "get-offsets", "--topic", topic, state=lab) == f"{topic}:0:0\n"
    finally:
        printed("kafka", "topics", "--delete", "--topic", topic, state=lab)
    tools = CHECKOUT / "lab" / "mirror_archives" / "kafka"
    assert sorted(path.name for path in tools.iterdir()) == ["bin", "config"], "the checkout stays as it is"


@pytest.mark.parametrize("arguments", [(), ("topic", "--list"), ("run-class", "kafka.Kafka")])
def test_an_unknown_kafka_tool_lists_the_known_ones(lab, arguments):
    refused = run("kafka", *arguments, state=lab)

    assert refused.returncode == 2
    assert "configs, console-consumer, console-producer, consumer-groups, delete-records, get-offsets, topics" in (
        refused.stderr
    )


@pytest.mark.parametrize("program", ["aws", "kafka"])
def test_without_a_running_lab_they_say_what_to_run(tmp_path, program):
    refused = run(program, "topics", "--list", state=State.open(tmp_path / "state", tmp_path / "install"))

    assert refused.returncode == 1
    assert refused.stderr == f"bin/{program}: the lab is not running; run 'make lab'\n"


@pytest.mark.parametrize("program", ["aws", "kafka"])
def test_in_a_fresh_clone_they_say_what_to_run(tmp_path, program):
    (tmp_path / "bin").mkdir()
    shutil.copy(CHECKOUT / "bin" / program, tmp_path / "bin")

    refused = subprocess.run([tmp_path / "bin" / program, "--version"], capture_output=True, text=True)

    assert refused.returncode == 1
    assert refused.stderr == f"bin/{program}: the lab is not set up; run 'make lab'\n"

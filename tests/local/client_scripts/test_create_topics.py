"""The script that creates topics, run with a tool that keeps them in files."""

from __future__ import annotations

import pytest

from tests.local.client_scripts.client_machine import TOPICS, USER_ID

FAKE_TOPICS = """\
#!/usr/bin/env python3
import json, os, re, sys
state = os.path.expanduser("~/topics.json")
topics = json.load(open(state)) if os.path.exists(state) else {}
arguments = sys.argv[1:]
option = lambda name: arguments[arguments.index(name) + 1]
assert option("--bootstrap-server") == "b1:9092" and option("--command-config").endswith("client.properties")
if os.environ.get("BROKEN"):
    sys.exit("TimeoutException: no broker")
if "--describe" in arguments:
    for name, count in topics.items():
        if re.fullmatch(option("--topic"), name):
            print(f"Topic: {name}\\tTopicId: Zz\\tPartitionCount: {count}\\tReplicationFactor: 1\\tConfigs: ")
            print(f"\\tTopic: {name}\\tPartition: 0\\tLeader: 1")
if "--create" in arguments:
    topics.setdefault(option("--topic"), int(option("--partitions")))
    copies = option("--replication-factor") if "--replication-factor" in arguments else "the cluster's"
    open(os.path.expanduser("~/copies"), "w").write(copies)
    if "--config" in arguments:
        with open(os.path.expanduser("~/configs"), "a") as configs:
            print(option("--topic"), option("--config"), file=configs)
    json.dump(topics, open(state, "w"))
    print("WARNING: Due to limitations in metric names")
"""
TOPICS_ENVIRONMENT = {
    "BOOTSTRAP_SERVERS": "b1:9092",
    "TOPICS": TOPICS,
    "DEAD_LETTER_TOPIC": f"{USER_ID}-dead-letters",
    "PARTITIONS": "3",
    "REPLICATION_FACTOR": "1",
    "LARGEST_DEAD_LETTER": "10485760",
}


@pytest.fixture
def topics_tool(home, kafka):
    (kafka / "bin/kafka-topics.sh").write_text(FAKE_TOPICS)
    (kafka / "bin/kafka-topics.sh").chmod(0o755)


def test_topics_are_created_and_then_adopted(run, home, topics_tool):
    names = f"{USER_ID}.pin {USER_ID}.geo {USER_ID}.user {USER_ID}-dead-letters"

    assert run("topics/create_topics.sh", TOPICS_ENVIRONMENT)[:2] == (0, f"changed: created {names}")
    assert run("topics/create_topics.sh", TOPICS_ENVIRONMENT)[:2] == (0, "unchanged")
    assert (home / "configs").read_text() == f"{USER_ID}-dead-letters max.message.bytes=10485760\n"
    assert (home / "topics.json").read_text() == (
        '{"0e36c8cd403d.pin": 3, "0e36c8cd403d.geo": 3, "0e36c8cd403d.user": 3, "0e36c8cd403d-dead-letters": 1}'
    )


@pytest.mark.parametrize(("factor", "copies"), [("3", "3"), ("", "the cluster's")])
def test_a_cluster_may_decide_on_the_copies_itself(run, home, topics_tool, factor, copies):
    given = TOPICS_ENVIRONMENT | {"REPLICATION_FACTOR": factor, "LARGEST_DEAD_LETTER": "8388608"}

    assert run("topics/create_topics.sh", given)[0] == 0
    assert (home / "copies").read_text() == copies
    assert (home / "configs").read_text() == f"{USER_ID}-dead-letters max.message.bytes=8388608\n"


def test_a_topic_with_other_partitions_is_adopted(run, home, topics_tool):
    (home / "topics.json").write_text('{"0e36c8cd403d.pin": 1, "0e36c8cd403dXgeo": 9}')

    code, line, _ = run("topics/create_topics.sh", TOPICS_ENVIRONMENT)

    assert (code, line) == (0, f"changed: created {USER_ID}.geo {USER_ID}.user {USER_ID}-dead-letters")


def test_topics_without_a_broker_fail(run, topics_tool):
    code, line, stderr = run("topics/create_topics.sh", TOPICS_ENVIRONMENT | {"BROKEN": "1"})

    assert code != 0
    assert line not in ("unchanged", "changed")
    assert "no broker" in stderr

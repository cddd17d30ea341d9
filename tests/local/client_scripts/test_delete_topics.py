"""The script that deletes topics, run with a tool that keeps them in files."""

from __future__ import annotations

import json

import pytest

from tests.local.client_scripts.client_machine import TOPICS, USER_ID

FAKE_TOPICS = """\
#!/usr/bin/env python3
import json, os, re, sys
state = os.path.expanduser("~/topics.json")
topics = json.load(open(state))
arguments = sys.argv[1:]
option = lambda name: arguments[arguments.index(name) + 1]
found = [name for name in topics if re.fullmatch(option("--topic"), name)]
if "--describe" in arguments:
    for name in found:
        print(f"Topic: {name}\\tTopicId: Zz\\tPartitionCount: 3\\tReplicationFactor: 1\\tConfigs: ")
        print(f"\\tTopic: {name}\\tPartition: 0\\tLeader: 1")
if "--delete" in arguments:
    json.dump([name for name in topics if name not in found], open(state, "w"))
    print("deleted")
"""
SCRIPT = "teardown/delete_topics.sh"
OURS = [f"{USER_ID}.pin", f"{USER_ID}.user", f"{USER_ID}-dead-letters"]
OF_THE_WORKERS = [f"__amazon_msk_connect_{what}_{USER_ID}-connector_1a-2" for what in ("configs", "offsets", "status")]
OF_OTHERS = ["__consumer_offsets", "__amazon_msk_connect_configs_other_1", f"{USER_ID}Xpin", f"{USER_ID}.pin.old"]


@pytest.fixture
def topics(home, kafka):
    (kafka / "bin/kafka-topics.sh").write_text(FAKE_TOPICS)
    (kafka / "bin/kafka-topics.sh").chmod(0o755)
    (home / "topics.json").write_text(json.dumps([*OURS, *OF_THE_WORKERS, *OF_OTHERS]))
    return lambda: json.loads((home / "topics.json").read_text())


def asked(*, remove: str, wanted: str) -> dict[str, str]:
    return {
        "BOOTSTRAP_SERVERS": "b1:9092",
        "TOPICS": f"{TOPICS} {USER_ID}-dead-letters",
        "CONNECTOR": f"{USER_ID}-connector",
        "REMOVE": remove,
        "WANTED": wanted,
    }


def said(run, environment) -> list[str]:
    lines: list[str] = []
    assert run(SCRIPT, environment, stdout=lines)[0] == 0
    return lines


def test_our_topics_and_those_of_the_connectors_workers_go(run, topics):
    lines = said(run, asked(remove="yes", wanted="yes"))

    assert lines == [f"removed: topic {name}" for name in (*OURS, *OF_THE_WORKERS)]
    assert topics() == OF_OTHERS
    assert said(run, asked(remove="yes", wanted="yes")) == []


@pytest.mark.parametrize(
    ("wanted", "mark"),
    [("yes", "would be removed: topic "), ("no", "kept, for it holds data, which only delete_data_of deletes: topic ")],
)
def test_topics_are_only_listed(run, topics, wanted, mark):
    before = topics()

    lines = said(run, asked(remove="no", wanted=wanted))

    assert len(lines) == 6
    assert all(line.startswith(mark) for line in lines)
    assert topics() == before


def test_without_kafkas_tools_the_topics_are_gone_already(run, home):
    code, _, stderr = run(SCRIPT, asked(remove="yes", wanted="yes"))

    assert code == 0
    assert "Kafka's tools are not in ~/kafka" in stderr

"""The script of one round of a consumer group, with tools that keep the group's offsets and the log in a file."""

from __future__ import annotations

import json

import pytest

GROUPS = """\
#!/usr/bin/env python3
import json, os, sys
arguments = sys.argv[1:]
option = lambda name: arguments[arguments.index(name) + 1]
path = os.path.expanduser("~/group.json")
state = json.load(open(path))
assert option("--bootstrap-server") == "b1:9092" and option("--group") == "students"
if "--reset-offsets" in arguments:
    if state["refuses"]:
        sys.exit(print("Error: Group 'students' is not authorized."))
    print("\\nGROUP TOPIC PARTITION NEW-OFFSET")
    for line in open(option("--from-file")):
        topic, partition, offset = line.strip().split(",")
        state["committed"][f"{topic} {partition}"] = int(offset)
        print("students", topic, partition, offset)
    json.dump(state, open(path, "w"))
if "--describe" in arguments:
    print("\\nConsumer group 'students' has no active members.\\n", file=sys.stderr)
    print("GROUP TOPIC PARTITION CURRENT-OFFSET LOG-END-OFFSET LAG CONSUMER-ID HOST CLIENT-ID")
    for place, offset in state["committed"].items():
        print("students", place, offset, 99, 0, "- - -")
    print("students u.new 0 - 0 - - - -")
if "--delete" in arguments:
    json.dump({**state, "deleted": True}, open(path, "w"))
"""
CONSUMER = """\
#!/usr/bin/env python3
import json, os, sys
arguments = sys.argv[1:]
option = lambda name: arguments[arguments.index(name) + 1]
path = os.path.expanduser("~/group.json")
state = json.load(open(path))
assert option("--isolation-level") == "read_committed"
if state["broken"]:
    sys.exit("TimeoutException: no broker")
print("[2026-11-28 01:41:07,007] WARN a log message of 12 words (org.apache.kafka.clients)")
start, read = dict(state["committed"]), 0
for partition, offset in state["log"].get(option("--topic"), []):
    place = option("--topic") + f" {partition}"
    if read < int(option("--max-messages")) and offset >= start.get(place, 0):
        print(f"Partition:{partition}\\tOffset:{offset}")
        state["committed"][place] = offset + 1
        read += 1
json.dump(state, open(path, "w"))
print(f"Processed a total of {read} messages", file=sys.stderr)
"""


@pytest.fixture
def group(home, kafka):
    """Sets what is on the topics, and the group's state."""
    for name, tool in (("consumer-groups", GROUPS), ("console-consumer", CONSUMER)):
        path = kafka / f"bin/kafka-{name}.sh"
        path.write_text(tool)
        path.chmod(0o755)

    def group(log, *, refuses=False, broken=False):
        state = {"log": log, "refuses": refuses, "broken": broken, "committed": {}, "deleted": False}
        (home / "group.json").write_text(json.dumps(state))

    return group


@pytest.fixture
def consume(run, home):
    """One round. Gives (exit code, lines of stdout, stderr)."""

    def consume(start="", read="", stop=""):
        environment = {"BOOTSTRAP_SERVERS": "b1:9092", "GROUP": "students", "START": start, "READ": read}
        environment |= {"IDLE_SECONDS": "5", "STOP": stop}
        code, _, stderr = run("landing/consume_interval.sh", environment, stdout=(lines := []))
        return code, lines, stderr

    return consume


def of(partition, *offsets):
    return [(partition, offset) for offset in offsets]


def test_offsets_in_a_row_are_one_line_however_partitions_alternate(group, consume):
    group({"u.pin": [*of(0, 3, 4), *of(1, 0), *of(0, 5, 6), *of(1, 1, 2)], "u.geo": of(12, 7)})

    code, lines, _ = consume("u.pin,0,3\nu.pin,1,0\nu.geo,12,7", "u.pin 7\nu.geo 1")

    assert code == 0
    assert sorted(lines) == [
        "committed u.geo 12 8",
        "committed u.pin 0 7",
        "committed u.pin 1 3",
        "read u.geo 12 7 7",
        "read u.pin 0 3 6",
        "read u.pin 1 0 2",
    ]


def test_a_gap_and_a_repeat_start_another_line(group, consume):
    group({"u.pin": of(0, 0, 1, 2, 5, 6, 7)})
    assert consume("u.pin,0,0", "u.pin 6")[1] == ["read u.pin 0 0 2", "read u.pin 0 5 7", "committed u.pin 0 8"]

    group({"u.pin": of(0, 9, 10, 10, 11)})
    assert consume("u.pin,0,9", "u.pin 4")[1][:2] == ["read u.pin 0 9 10", "read u.pin 0 10 11"]


def test_the_group_starts_at_the_given_offset_and_goes_on_where_it_is(group, consume):
    group({"u.pin": of(0, *range(20))})

    assert consume("u.pin,0,4", "u.pin 10")[1] == ["read u.pin 0 4 13", "committed u.pin 0 14"]
    assert consume("", "u.pin 100")[1] == ["read u.pin 0 14 19", "committed u.pin 0 20"]


def test_nothing_to_read_sets_the_group_all_the_same(group, consume):
    group({})

    assert consume("u.pin,0,4", "")[:2] == (0, ["committed u.pin 0 4"])


def test_nothing_that_comes_is_no_error_and_shows_what_the_consumer_said(group, consume):
    group({"u.pin": []})

    code, lines, stderr = consume("u.pin,0,4", "u.pin 3")

    assert (code, lines) == (0, ["committed u.pin 0 4"])
    assert "Processed a total of 0 messages" in stderr


def test_a_group_that_cannot_be_set_is_an_error(group, consume):
    group({"u.pin": of(0, 4)}, refuses=True)

    code, lines, stderr = consume("u.pin,0,4", "u.pin 1")

    assert (code != 0, lines) == (True, [])
    assert "Consumer group students could not be set to the start of the interval:" in stderr
    assert "not authorized" in stderr


@pytest.mark.parametrize(
    ("stop", "deleted"),
    [
        ("u.pin 0 20\nu.pin 1 3", True),
        ("u.pin 0 20\nu.pin 1 4", False),
        ("u.pin 0 20\nu.pin 1 3\nu.geo 0 1", False),
        ("", True),
    ],
)
def test_a_group_that_has_got_to_the_end_is_deleted(group, consume, home, stop, deleted):
    group({"u.pin": [*of(0, *range(20)), *of(1, 0, 1, 2)]})

    assert consume("u.pin,0,0\nu.pin,1,0", "u.pin 23", stop)[0] == 0

    assert json.loads((home / "group.json").read_text())["deleted"] is deleted


def test_a_consumer_that_fails_is_an_error(group, consume):
    group({"u.pin": of(0, 4)}, broken=True)

    code, _, stderr = consume("u.pin,0,4", "u.pin 1")

    assert code != 0
    assert "no broker" in stderr

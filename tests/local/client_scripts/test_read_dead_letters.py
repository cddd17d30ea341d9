"""The script that reads the dead-letter topic, with tools that know its offsets and print a letter for each."""

from __future__ import annotations

import base64
import json

import pytest

OFFSETS = """\
#!/usr/bin/env python3
import json, os, sys
option = lambda name: sys.argv[sys.argv.index(name) + 1]
assert option("--bootstrap-server") == "b1:9092" and option("--topic") == "u-dead\\\\.letters"
topic = json.load(open(os.path.expanduser("~/topic.json")))
if not topic:
    sys.exit("Could not match any topic-partitions with the specified filters")
for partition, (earliest, latest) in topic.items():
    print(f"u-dead.letters:{partition}:{earliest if option('--time') == 'earliest' else latest}")
"""
CONSUMER = """\
#!/usr/bin/env python3
import sys
option = lambda name: sys.argv[sys.argv.index(name) + 1]
first = int(option("--offset"))
print(*(f"letter {first + n} of {option('--partition')}" for n in range(int(option("--max-messages")))), sep="|")
"""


@pytest.fixture
def read(home, kafka, run):
    """Reads a topic of these offsets ``(earliest, latest)`` by partition, from these positions."""
    for name, tool in (("get-offsets", OFFSETS), ("console-consumer", CONSUMER)):
        path = kafka / f"bin/kafka-{name}.sh"
        path.write_text(tool)
        path.chmod(0o755)

    def read(topic, positions):
        (home / "topic.json").write_text(json.dumps(topic))
        separators = ("FIELD_SEPARATOR", "HEADER_SEPARATOR", "RECORD_SEPARATOR", "NULL_LITERAL")
        environment = {"BOOTSTRAP_SERVERS": "b1:9092", "TOPIC": "u-dead.letters", "POSITIONS": positions}
        environment |= {"LIMIT": "3", "IDLE_SECONDS": "5"} | dict.fromkeys(separators, "|")
        code, _, stderr = run("landing/read_dead_letters.sh", environment, stdout=(lines := []))
        printed = [line.rpartition(" ") for line in lines]
        return code, [(place, base64.b64decode(letters).decode().strip()) for place, _, letters in printed], stderr

    return read


def test_a_portion_of_every_partition_is_read_from_where_it_was_left_or_begins(read):
    code, printed, _ = read({"0": (0, 9), "1": (4, 6), "2": (0, 5)}, "0 7\n2 5")

    assert code == 0
    assert printed == [("0 7 9", "letter 7 of 0|letter 8 of 0"), ("1 4 6", "letter 4 of 1|letter 5 of 1")]
    assert read({"0": (0, 9)}, "")[1] == [("0 0 3", "letter 0 of 0|letter 1 of 0|letter 2 of 0")]


@pytest.mark.parametrize("topic", [{}, {"0": (0, 0)}], ids=["no topic", "no letter"])
def test_there_is_nothing_to_read(read, topic):
    assert read(topic, "")[:2] == (0, [])


def test_a_topic_that_ends_before_what_was_read_is_another_one(read):
    code, printed, stderr = read({"0": (0, 2), "1": (0, 3)}, "0 85\n1 0")

    assert (code, printed) == (78, [])
    assert "u-dead.letters partition 0 ends at offset 2, but offsets to 84 are already read" in stderr
    assert "made again since this run began" in stderr

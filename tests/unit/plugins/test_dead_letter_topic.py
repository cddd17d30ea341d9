"""Reading the dead-letter topic: portion after portion, until nothing new is printed."""

from __future__ import annotations

import base64

import pytest

from include.landing.dead_letters import DeadLetters
from pinterest.dead_letter_topic import DeadLetterTopic
from pinterest.hooks.kafka_client import Completed, KafkaClientError


class Client:
    """In the place of the hook: a topic of three letters, of which a script prints at most LIMIT."""

    def __init__(self, exit_code=0):
        self.exit_code = exit_code
        self.positions = []

    def run(self, script, environment, *, quiet):
        self.positions.append(environment["POSITIONS"])
        start = int(environment["POSITIONS"].partition(" ")[2] or 0)
        stop = min(3, start + int(environment["LIMIT"]))
        printed = "".join(self._letter(offset, environment) for offset in range(start, stop))
        line = f"0 {start} {stop} {base64.b64encode(printed.encode()).decode()}\n" if printed else ""
        return Completed(line, "no broker", self.exit_code)

    @staticmethod
    def _letter(offset, environment):
        position = {"topic": "u.pin", "partition": 0, "offset": 10 + offset}
        headers = [f"__connect.errors.{name}:{value}" for name, value in position.items()]
        parts = ["CreateTime:5", "Partition:0", f"Offset:{offset}", environment["HEADER_SEPARATOR"].join(headers)]
        return environment["FIELD_SEPARATOR"].join([*parts, "key", "value"]) + environment["RECORD_SEPARATOR"]


def test_reading_goes_on_until_nothing_new_is_printed():
    client, letters = Client(), DeadLetters("dead", {})

    DeadLetterTopic(client, "script", limit=2, idle_seconds=20).read_new(letters)

    assert letters.offsets_of("u.pin", 0) == [10, 11, 12]
    assert client.positions == ["", "0 2", "0 3"]


def test_a_script_that_fails_is_an_error():
    with pytest.raises(KafkaClientError, match=r"Reading the dead letters failed .*no broker"):
        DeadLetterTopic(Client(exit_code=1), "script", limit=2, idle_seconds=20).read_new(DeadLetters("dead", {}))

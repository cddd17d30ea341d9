"""The script that looks whether the S3 sink's tasks consume."""

from __future__ import annotations

import pytest

from tests.local.client_scripts.client_machine import TOPICS, USER_ID

OFFSETS_HEADER = "GROUP TOPIC PARTITION CURRENT-OFFSET LOG-END-OFFSET LAG CONSUMER-ID HOST CLIENT-ID"


@pytest.mark.parametrize(
    ("rows", "missing"),
    [
        pytest.param([("pin", 0, "c-1"), ("geo", 0, "c-1"), ("user", 0, "c-2")], "", id="all read"),
        pytest.param([("pin", 0, "c-1"), ("geo", 0, "c-1")], f" {USER_ID}.user", id="a topic without a task"),
        pytest.param(
            [("pin", 0, "c-1"), ("pin", 1, "-"), ("geo", 0, "c-1"), ("user", 0, "c-2")],
            f" {USER_ID}.pin",
            id="a partition without a task",
        ),
        pytest.param([], f" {USER_ID}.pin {USER_ID}.geo {USER_ID}.user", id="no group yet"),
    ],
)
def test_sink_tasks(run, kafka, rows, missing):
    lines = [OFFSETS_HEADER, *(f"g {USER_ID}.{topic} {p} - 0 - {owner} /h c" for topic, p, owner in rows)]
    tool = kafka / "bin/kafka-consumer-groups.sh"
    tool.write_text("#!/bin/sh\ncat <<END\n\n" + "\n".join(lines) + "\nEND\n")
    tool.chmod(0o755)
    environment = {"BOOTSTRAP_SERVERS": "b", "GROUP": "g", "TOPICS": TOPICS, "WAIT_SECONDS": "0"}

    code, line, stderr = run("s3_sink/await_sink_tasks.sh", environment)

    if missing:
        assert code != 0
        assert f"no task of the connector reads{missing} (consumer group g)" in stderr
    else:
        assert (code, line) == (0, "unchanged")

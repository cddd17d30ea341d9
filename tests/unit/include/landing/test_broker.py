"""What the broker's tools print about the ends of a topic."""

from __future__ import annotations

import pytest

from include.landing.broker import LogOffsets, parse_log_offsets
from include.landing.document import BrokerNotReadyError


def test_broker_offsets_are_read_beside_other_output():
    lines = ["WARN something", "earliest u.pin:0:5", "latest u.pin:0:12", "latest u.pin:1:0", "earliest u.pin:1:0", ""]

    assert parse_log_offsets(lines) == {"u.pin": {0: LogOffsets(earliest=5, end=12), 1: LogOffsets(earliest=0, end=0)}}


def test_a_partition_without_a_leader_is_an_error():
    with pytest.raises(BrokerNotReadyError, match=r"u\.pin partition 3 has no leader"):
        parse_log_offsets(["latest u.pin:3:"])

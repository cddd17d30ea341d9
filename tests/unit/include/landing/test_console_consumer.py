"""The console consumer's output: complete or an error."""

from __future__ import annotations

import pytest

from include.landing.console_consumer import ConsoleConsumerError, Framing, parse_partitions, parse_records
from tests.unit.include.landing.printed_letters import FRAMING, lines, printed


def test_output_that_is_cut_off_is_an_error():
    with pytest.raises(ConsoleConsumerError, match="cut off"):
        parse_records(printed(b"x") + printed(b"yyyy")[:-5], FRAMING)


def test_nothing_printed_is_no_record():
    assert parse_records(b"", FRAMING) == []


def test_separators_are_new_for_every_read():
    assert len({Framing.draw().field, Framing.draw().field, Framing.draw().record}) == 3


def test_fewer_records_than_asked_for_is_an_error():
    with pytest.raises(ConsoleConsumerError, match="dead partition 0: 1 records read of offsets 3 to 4; read again"):
        list(parse_partitions(lines((0, 3, 5, printed(b"x", offset=3))), FRAMING, "dead"))

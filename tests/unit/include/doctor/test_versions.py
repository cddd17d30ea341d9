"""What on the client machine is too old."""

from __future__ import annotations

import pytest

from include.doctor.versions import of_client_machine


@pytest.mark.parametrize("said", ["", "java 17\nkafka 4.2.0\n", "java 21\n", "kafka 4.10.1\n"])
def test_new_enough_or_not_there_yet(said):
    assert list(of_client_machine(said)) == []


def test_what_is_too_old_is_named_with_its_setting():
    found = list(of_client_machine("java 11\nkafka 2.8.1\n"))

    assert [(one.problem, one.fix) for one in found] == [
        (
            "the client machine has Kafka 2.8.1; it must be 4.2 or newer",
            "set downloads.kafka to a newer archive, and run pinterest_pipeline",
        ),
        (
            "the client machine has Java 11; it must be 17 or newer",
            "set downloads.java to a newer archive, and run pinterest_pipeline",
        ),
    ]

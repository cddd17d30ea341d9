"""The brokers that a stage hands on, and the broker that is started on the client machine, or not."""

from __future__ import annotations

import pytest

from pinterest.hooks.kafka_client import Completed, KafkaClientHook
from pinterest.operators import kafka_brokers as module
from pinterest.operators.kafka_brokers import UNCHANGED, KafkaBrokersOperator, StartBrokerOperator
from tests.builders import settings

SELF_HOSTED = {"mode": "self_hosted", "host": "10.0.0.7", "port": 19092}


def set_up(monkeypatch, **kafka):
    monkeypatch.setattr(module, "settings", lambda: settings(kafka=kafka))


@pytest.fixture
def asked(monkeypatch) -> list[dict[str, str]]:
    """The variables of every script that the machine is given."""
    asked: list[dict[str, str]] = []

    def run(_hook, _script, environment, *_, **__):
        asked.append(environment)
        return Completed("changed: the broker answers\n", "", 0)

    monkeypatch.setattr(KafkaClientHook, "run", run)
    return asked


def start() -> str:
    return StartBrokerOperator(task_id="broker", script="s", environment={"START_SECONDS": "90"}).execute({})


def test_on_msk_nobody_enters_the_machine(monkeypatch, asked):
    set_up(monkeypatch)

    assert (start(), asked) == (UNCHANGED, [])


def test_a_broker_of_our_own_is_started_where_the_sink_reaches_it(monkeypatch, asked):
    set_up(monkeypatch, **SELF_HOSTED)

    assert start() == "changed: the broker answers"
    assert asked == [{"START_SECONDS": "90", "HOST": "10.0.0.7", "PORT": "19092", "CONTROLLER_PORT": "19093"}]


def test_what_is_found_is_handed_on(monkeypatch):
    set_up(monkeypatch, **SELF_HOSTED)
    found = {"bootstrap_servers": "b:9092", "zookeeper": None}
    monkeypatch.setattr(module, "find_brokers", lambda current, aws: found | {"mode": current.kafka.mode, "aws": aws})

    brokers = KafkaBrokersOperator(task_id="brokers").execute({})

    assert brokers == found | {"mode": "self_hosted", "aws": "aws_default"}

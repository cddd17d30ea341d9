"""What a teardown does about the topics, before anybody enters the client machine."""

from __future__ import annotations

from types import SimpleNamespace

import pytest
from airflow.providers.amazon.aws.hooks.base_aws import AwsGenericHook

from pinterest.hooks.kafka_client import Completed
from pinterest.hooks.msk import MskError
from pinterest.operators import teardown, teardown_machine
from pinterest.operators.teardown_machine import RemoveTopicsOperator
from tests.builders import USER_ID, settings
from tests.unit.account_in_memory import OURS, Account

NAME = "pinterest-msk-cluster"


class Tools:
    """Kafka's tools on the machine. ``asked`` holds the script's variables."""

    def __init__(self, error: Exception | None = None) -> None:
        self.error = error
        self.asked: list[dict[str, str]] = []

    def __call__(self, *_: object) -> Tools:
        return self

    @property
    def brokers(self) -> dict[str, str]:
        if self.error:
            raise self.error
        return {"bootstrap_servers": "b:9098"}

    def run(self, _script: str, environment: dict[str, str], *_: object, **__: object) -> Completed:
        self.asked.append(environment)
        return Completed("removed: topic x\n", "", 0)


@pytest.fixture
def account(monkeypatch) -> Account:
    account = Account()
    account.add("instance", USER_ID)
    monkeypatch.setattr(AwsGenericHook, "get_client_type", lambda hook, **_: account.client(hook.client_type))
    monkeypatch.setattr(teardown, "settings", settings)
    return account


def remove_topics(monkeypatch, tools: Tools, **params) -> list[str]:
    monkeypatch.setattr(teardown_machine, "KafkaToolsHook", tools)
    given = {"dry_run": False, "keep": [], "delete_data_of": "", "only_expired": False} | params
    context = {"params": given, "ti": SimpleNamespace(dag_id="pinterest_teardown"), "run_id": "r"}
    return RemoveTopicsOperator(task_id="topics", script="s").execute(context)


def test_topics_go_with_a_cluster_of_ours(monkeypatch, account, capsys):
    account.add("MSK cluster", NAME, OURS)
    tools = Tools()

    assert remove_topics(monkeypatch, tools) == []
    assert tools.asked == []
    assert f"all topics go with the MSK cluster {NAME}" in capsys.readouterr().out


@pytest.mark.parametrize(("tags", "keep"), [({}, []), (OURS, ["kafka"])])
def test_on_a_cluster_that_stays_kafka_s_tools_are_asked(monkeypatch, account, tags, keep):
    account.add("MSK cluster", NAME, tags)
    tools = Tools()

    assert remove_topics(monkeypatch, tools, keep=keep) == ["topic x"]
    assert [(asked["BOOTSTRAP_SERVERS"], asked["WANTED"]) for asked in tools.asked] == [("b:9098", "no")]


def test_a_cluster_that_has_no_topics_yet_is_no_failure(monkeypatch, account):
    tools = Tools(MskError(f"MSK cluster {NAME!r} is CREATING, not ACTIVE"))

    assert remove_topics(monkeypatch, tools) == []
    assert tools.asked == []

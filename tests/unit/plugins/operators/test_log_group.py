"""The log group of the sink's workers: made once, with an end to what it keeps."""

from __future__ import annotations

import pytest
from airflow.providers.amazon.aws.hooks.logs import AwsLogsHook

from pinterest.operators.log_group import RETENTION_DAYS, LogGroupOperator
from tests.unit.client_machine_parts import TAGS
from tests.unit.plugins.conftest import stubbed

NAME = "/aws/vendedlogs/pinterest/u-connector"


@pytest.fixture
def logs(monkeypatch):
    with stubbed(monkeypatch, AwsLogsHook, "logs") as stub:
        yield stub


def operator(wanted="True") -> LogGroupOperator:
    return LogGroupOperator(task_id="logs", wanted=wanted, log_group=NAME, tags=TAGS)


def groups(logs, *found):
    logs.add_response("describe_log_groups", {"logGroups": [*found]}, {"logGroupNamePrefix": NAME})


def test_it_is_created_with_tags_and_forgets_after_two_weeks(logs):
    groups(logs, {"logGroupName": f"{NAME}-2"})
    given = {name: value for name, value in TAGS.items() if value}
    logs.add_response("create_log_group", {}, {"logGroupName": NAME, "tags": given})
    logs.add_response("put_retention_policy", {}, {"logGroupName": NAME, "retentionInDays": RETENTION_DAYS})

    assert operator().execute({}) == NAME


def test_what_is_there_is_used_as_it_is(logs, capsys):
    groups(logs, {"logGroupName": NAME})

    assert operator().execute({}) == NAME
    assert "exists (for ever): adopted" in capsys.readouterr().out


def test_two_runs_at_once_create_one(logs):
    groups(logs)
    logs.add_client_error("create_log_group", "ResourceAlreadyExistsException")

    assert operator().execute({}) == NAME


def test_where_nobody_wants_it_nothing_is_asked(logs):
    assert operator("False").execute({}) is None

"""One message for a run that is not reconciled, or has no verdict in time, if the settings name a topic."""

from __future__ import annotations

import asyncio
import json
from datetime import timedelta
from types import SimpleNamespace
from unittest import mock

import boto3
import pytest
from airflow.triggers.callback import CallbackTrigger
from botocore.stub import ANY, Stubber

from include import bucket_layout
from include.settings import SettingsError, parse_settings
from pinterest import notifier, run_documents
from pinterest.notifier import VerdictNotifier, verdict_within
from tests.builders import BUCKET, WRITTEN, Bucket, settings, variable
from tests.page_runs import StoredRun, counted, reported

TOPIC = "arn:aws:sns:eu-west-1:123456789012:verdicts"
DAG, RUN = "pinterest_batch", "scheduled__1"


@pytest.fixture
def bucket(monkeypatch) -> Bucket:
    bucket = Bucket()
    monkeypatch.setattr(run_documents, "S3Hook", bucket)
    return bucket


@pytest.fixture
def sns(monkeypatch):
    client = boto3.client("sns", region_name="eu-west-1")
    made = mock.Mock()
    made.return_value.get_conn.return_value = client
    monkeypatch.setattr(notifier, "AwsBaseHook", made)
    with Stubber(client) as stub:
        yield SimpleNamespace(stub=stub, made=made)
        stub.assert_no_pending_responses()


def told(bucket, monkeypatch, topic=TOPIC, changes=None) -> None:
    run = StoredRun(DAG, RUN, "running", 1)
    bucket.objects |= reported(run, counted(RUN, WRITTEN, ("batch",), changes=changes)).documents
    monkeypatch.setattr(notifier, "settings", lambda: settings(notify={"topic_arn": topic}))
    monkeypatch.setattr(notifier.conf, "get", lambda *_, **__: "https://airflow.example/of/us/")
    VerdictNotifier()({"ti": SimpleNamespace(dag_id=DAG), "run_id": RUN})


def test_verdict_hop_and_link_are_published_where_the_topic_is(bucket, sns, monkeypatch):
    sns.stub.add_response(
        "publish",
        {"MessageId": "1"},
        {
            "TopicArn": TOPIC,
            "Subject": f"lost: {DAG} {RUN}",
            "Message": (
                f"{DAG} {RUN}: lost\n\n"
                "batch: geo at hop landed: lost: 1 lost inside the hop (in 500, but out 499)\n"
                "batch: geo at hop bronze: duplicated: 1 more than there should be: 499 handed on by landed, "
                "500 received"
                f"\n\nhttps://airflow.example/of/us/pinterest/?dag_id={DAG}&run_id={RUN}"
            ),
        },
    )
    told(bucket, monkeypatch, changes={("landed", "geo"): {"records_out": 499}})

    assert sns.made.call_args.kwargs == {
        "aws_conn_id": "aws_default",
        "client_type": "sns",
        "region_name": "eu-west-1",
    }


def test_of_a_run_that_reconciles_nobody_is_told(bucket, sns, monkeypatch):
    told(bucket, monkeypatch)

    assert not sns.made.called


def test_without_a_topic_nothing_is_read_or_sent(bucket, sns, monkeypatch):
    monkeypatch.setattr(notifier, "settings", settings)

    VerdictNotifier()({"ti": SimpleNamespace(dag_id=DAG), "run_id": RUN})

    assert not sns.made.called
    assert bucket_layout.report_ledger(DAG, RUN) not in bucket.objects


def late(monkeypatch, topic=TOPIC) -> None:
    """What Airflow's triggerer does when the deadline of a run has passed."""
    monkeypatch.setattr(notifier, "settings", lambda: settings(notify={"topic_arn": topic}))
    monkeypatch.setattr(notifier.conf, "get", lambda *_, **__: "")
    deadline = verdict_within(timedelta(hours=2))
    context = {
        "dag_run": {"dag_id": DAG, "dag_run_id": RUN, "state": "running"},
        "deadline": {"id": "1", "deadline_time": WRITTEN},
    }
    trigger = CallbackTrigger(deadline.callback.path, {**deadline.callback.kwargs, "context": context})

    async def states() -> list[str]:
        return [event.payload["state"] async for event in trigger.run()]

    assert asyncio.run(states()) == ["running", "success"]


def test_a_run_without_a_report_at_its_deadline_is_told_of(bucket, sns, monkeypatch):
    request = {"TopicArn": TOPIC, "Subject": f"no verdict: {DAG} {RUN}", "Message": ANY}
    sns.stub.add_response("publish", {"MessageId": "1"}, request)

    late(monkeypatch)


def test_a_run_with_a_report_has_been_told_of(bucket, sns, monkeypatch):
    bucket.objects[bucket_layout.report_ledger(DAG, RUN)] = b"{}"

    late(monkeypatch)

    assert not sns.made.called


def test_without_a_topic_a_deadline_that_passes_does_nothing(sns, monkeypatch):
    late(monkeypatch, topic=None)

    assert not sns.made.called


@pytest.mark.parametrize("wrong", ["verdicts", f"arn:aws:s3:::{BUCKET}", TOPIC + " "])
def test_a_topic_is_named_by_its_arn(wrong):
    with pytest.raises(SettingsError, match=r"notify\.topic_arn"):
        parse_settings(json.dumps(variable(notify={"topic_arn": wrong})))


def test_a_run_of_dags_test_has_no_deadline(monkeypatch):
    assert verdict_within(timedelta(hours=1)) is not None

    monkeypatch.setattr("sys.argv", ["airflow", "dags", "test", "pinterest_batch"])
    assert verdict_within(timedelta(hours=1)) is None

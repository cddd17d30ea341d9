"""The tasks that close a run: the page and the verdict, by the settings and by what failed."""

from __future__ import annotations

import json
from types import SimpleNamespace

import pytest
from airflow.providers.common.compat.sdk import AirflowFailException

from include.ledger.entry import HOPS, Entry, entries_json
from include.settings import ENTITIES
from pinterest import run_documents
from pinterest.operators import ledger as module
from pinterest.operators.ledger import LedgerReportOperator, LedgerVerdictOperator
from tests.builders import Bucket, settings

REPORT = "reports/d/r/ledger.json"


@pytest.fixture
def bucket(monkeypatch):
    """Run ``r`` posted to Kinesis: 20 records of each entity, one of geo in quarantine."""
    bucket = Bucket()
    monkeypatch.setattr(run_documents, "S3Hook", bucket)
    monkeypatch.setattr(module, "settings", settings)
    for hop in HOPS["stream"]:
        counted = [
            Entry(route="stream", hop=hop, entity=entity, run_id="r", records_in=20, records_out=20, counted_by="hand")
            for entity in ENTITIES
        ]
        if hop == "table":
            counted[1] = counted[1].model_copy(update={"records_out": 19, "quarantined": 1})
        bucket.objects[f"ledger/d/r/stream/{hop}.json"] = entries_json(counted).encode()
    return bucket


def context(**states):
    task_instance = SimpleNamespace(dag_id="d", get_task_states=lambda *, dag_id, run_ids: {run_ids[0]: states})
    return {"ti": task_instance, "run_id": "r"}


def test_a_run_with_too_much_in_quarantine_fails_by_default(bucket):
    verdict = LedgerVerdictOperator(task_id="verdict", routes=["stream"])

    with pytest.raises(
        AirflowFailException, match=r"\(too many quarantined\):\n.*1 of 20 records.* 5 %; ledger\.max_q"
    ):
        verdict.execute(context())


def test_the_settings_decide_how_much_may_be_left_aside(bucket, monkeypatch):
    monkeypatch.setattr(module, "settings", lambda: settings(ledger={"max_quarantined_share": 0.05}))

    assert LedgerVerdictOperator(task_id="verdict", routes=["stream"]).execute(context()) == "reconciled"
    LedgerReportOperator(task_id="report", routes=["stream"]).execute(context())
    assert bucket.json(REPORT)["verdict"]["status"] == "reconciled"


def test_the_report_of_a_failed_run_names_the_task_and_not_each_hop(bucket):
    del bucket.objects["ledger/d/r/stream/kinesis.json"], bucket.objects["ledger/d/r/stream/table.json"]
    states = {"stream.posting_stream.shards": "failed", "stream.lake_stream.job": "upstream_failed"}

    LedgerReportOperator(task_id="report", routes=["stream"]).execute(context(**states))

    page = bucket.text("reports/d/r/index.html")
    assert (
        "stream: pin, geo and user at hops kinesis and table: unverified: not counted, because "
        "stream.posting_stream.shards failed" in page
    )
    assert page.count("<li>stream:") == 1
    assert json.loads(bucket.text(REPORT))["failed_tasks"] == ["stream.posting_stream.shards"]

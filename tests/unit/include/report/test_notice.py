from __future__ import annotations

from datetime import datetime, timedelta, timezone

import pytest

from include.ledger.entry import HOPS
from include.ledger.verdict import LedgerDocument, reconcile
from include.report.notice import late_notice, notice
from tests.builders import WRITTEN
from tests.page_runs import counted


def document(run_id, entries):
    return LedgerDocument(
        dag_id="pinterest_batch",
        run_id=run_id,
        written_at="2026-11-28T12:00:00+00:00",
        verdict=reconcile(entries, run_id, hops={"batch": HOPS["batch"]}),
        entries=tuple(entries),
        failed_tasks=("batch.landing.objects",),
    )


def test_it_says_what_is_wrong_where_and_where_to_look():
    told = notice(document("r+1", counted("r+1", WRITTEN, ("batch",), "landed")), "https://airflow.example/")

    assert told.subject == "unverified: pinterest_batch r+1"
    assert told.text.split("\n") == [
        "pinterest_batch r+1: unverified",
        "",
        "batch: pin, geo and user at hops bronze, silver and gold: unverified: not counted, because "
        "batch.landing.objects failed",
        "",
        "https://airflow.example/pinterest/?dag_id=pinterest_batch&run_id=r%2B1",
    ]


def test_a_subject_is_one_short_line_of_ascii():
    run_id = "manuell\u00f6\n" + "x" * 200

    subject = notice(document(run_id, []), "").subject

    assert subject.isascii()
    assert subject.startswith("unverified: pinterest_batch manuell? xxx")
    assert len(subject) == 99


def test_without_airflows_address_the_page_is_named():
    assert notice(document("r", []), "").text.endswith("\nthe page Pinterest pipeline in Airflow")


def test_of_many_findings_the_first_are_told():
    changes = {(hop, entity): {"records_out": 1} for hop in HOPS["batch"] for entity in ("pin", "geo", "user")}
    text = notice(document("r", counted("r", WRITTEN, ("batch",), changes=changes)), "").text

    assert text.count("batch: ") == 10
    assert "and 11 more" in text


@pytest.mark.parametrize(
    ("state", "said"),
    [
        ("queued", "It has not begun: an earlier run may still go on, or no worker is free."),
        ("running", "It still goes on: the DAG's grid shows the task that it waits for."),
        ("failed", "It failed, or was stopped, before it could write its report."),
        ("restarting", "Airflow says: restarting."),
    ],
)
def test_a_run_without_a_verdict_is_told_of_with_what_airflow_says(state, said):
    deadline = datetime(2026, 11, 28, 3, 0, tzinfo=timezone(timedelta(hours=1)))

    told = late_notice("pinterest_batch", "r+1", state, deadline, "https://airflow.example")

    assert told.subject == "no verdict: pinterest_batch r+1"
    assert told.text.split("\n") == [
        "pinterest_batch r+1: no verdict by 2026-11-28 02:00 UTC",
        "",
        said,
        "",
        "https://airflow.example/pinterest/?dag_id=pinterest_batch&run_id=r%2B1",
    ]

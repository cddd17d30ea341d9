from __future__ import annotations

from include.ledger.entry import HOPS
from include.ledger.verdict import LedgerDocument, reconcile
from include.report.notice import notice
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

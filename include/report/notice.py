"""What people are told of a run that is not reconciled."""

from __future__ import annotations

from typing import NamedTuple
from urllib.parse import urlencode

from include.ledger.verdict import LedgerDocument

SUBJECT_LENGTH = 99
LINES_TOLD = 10


class Notice(NamedTuple):
    """``subject`` is one line of ASCII below 100 characters, as SNS asks of it."""

    subject: str
    text: str


def notice(document: LedgerDocument, airflow_url: str) -> Notice:
    """The verdict, the hops to blame, the first cause first, and where to look.

    :param airflow_url: address of Airflow's UI; without it, the page is named and not linked
    """
    verdict = document.verdict.status.value
    subject = f"{verdict}: {document.dag_id} {document.run_id}".encode("ascii", "replace").decode()
    lines = document.failure_lines
    more = [f"and {len(lines) - LINES_TOLD} more"] if len(lines) > LINES_TOLD else []
    query = urlencode({"dag_id": document.dag_id, "run_id": document.run_id})
    page = f"{airflow_url.rstrip('/')}/pinterest/?{query}" if airflow_url else "the page Pinterest pipeline in Airflow"
    told = [f"{document.dag_id} {document.run_id}: {verdict}", "", *lines[:LINES_TOLD], *more, "", page]
    return Notice(" ".join(subject.split())[:SUBJECT_LENGTH], "\n".join(told))

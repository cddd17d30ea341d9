"""What people are told of a run that is not reconciled, or has no verdict in time."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import NamedTuple
from urllib.parse import urlencode

from include.ledger.verdict import LedgerDocument

SUBJECT_LENGTH = 99
LINES_TOLD = 10
STATES = {
    "queued": "It has not begun: an earlier run may still go on, or no worker is free.",
    "running": "It still goes on: the DAG's grid shows the task that it waits for.",
    "failed": "It failed, or was stopped, before it could write its report.",
    "success": "It ended without writing its report: the task reconcile.report was skipped or marked.",
}
"""What each of Airflow's states means for a run without a verdict."""


class Notice(NamedTuple):
    """``subject`` is one line of ASCII below 100 characters, as SNS asks of it."""

    subject: str
    text: str


def notice(document: LedgerDocument, airflow_url: str) -> Notice:
    """The verdict, the hops to blame, the first cause first, and where to look.

    :param airflow_url: address of Airflow's UI; without it, the page is named and not linked
    """
    verdict = document.verdict.status.value
    lines = document.failure_lines
    more = [f"and {len(lines) - LINES_TOLD} more"] if len(lines) > LINES_TOLD else []
    place = document.dag_id, document.run_id
    told = [f"{' '.join(place)}: {verdict}", "", *lines[:LINES_TOLD], *more, "", page(*place, airflow_url)]
    return Notice(subject(verdict, *place), "\n".join(told))


def late_notice(dag_id: str, run_id: str, state: str, deadline: datetime, airflow_url: str) -> Notice:
    """Of a run that has written no report by its deadline.

    :param state: Airflow's, of the run
    :param deadline: in any time zone; it is told in UTC
    """
    said = "no verdict"
    by = f"{deadline.astimezone(UTC):%Y-%m-%d %H:%M} UTC"
    told = [f"{dag_id} {run_id}: {said} by {by}", "", STATES.get(state, f"Airflow says: {state}."), ""]
    return Notice(subject(said, dag_id, run_id), "\n".join([*told, page(dag_id, run_id, airflow_url)]))


def subject(said: str, dag_id: str, run_id: str) -> str:
    line = f"{said}: {dag_id} {run_id}".encode("ascii", "replace").decode()
    return " ".join(line.split())[:SUBJECT_LENGTH]


def page(dag_id: str, run_id: str, airflow_url: str) -> str:
    query = urlencode({"dag_id": dag_id, "run_id": run_id})
    return f"{airflow_url.rstrip('/')}/pinterest/?{query}" if airflow_url else "the page Pinterest pipeline in Airflow"

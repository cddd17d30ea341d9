"""Whether every record is accounted for: the verdict, and a page that shows it next to the nine analyses.

The seeds check by eye; here, the run fails unless the ledger balances. The page is written either way.
"""

from __future__ import annotations

from datetime import timedelta

from airflow.sdk import TriggerRule, task_group

from include.ledger.entry import Hop, Route
from pinterest.notifier import VerdictNotifier
from pinterest.operators.ledger import LedgerReportOperator, LedgerVerdictOperator


@task_group(group_id="reconcile")
def reconcile(*routes: Route, first: Hop | None = None) -> None:
    """:param first: the hop that the run begins with; by default each route's first"""
    LedgerReportOperator(
        task_id="report",
        routes=routes,
        first=first,
        trigger_rule=TriggerRule.ALL_DONE,
        on_success_callback=VerdictNotifier(),
        execution_timeout=timedelta(minutes=5),
    )
    LedgerVerdictOperator(task_id="verdict", routes=routes, first=first, execution_timeout=timedelta(minutes=5))

"""Operators that close a run's ledger: the report and the verdict."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from typing import Any

from airflow.providers.common.compat.sdk import AirflowFailException, BaseOperator, Context
from airflow.sdk import TaskInstanceState

from include import bucket_layout
from include.ledger.entry import HOPS, Hop, Route
from include.ledger.table import ledger_table
from include.ledger.verdict import LedgerDocument, reconcile
from include.report.page import render_report
from include.settings import Ledger
from pinterest.run_documents import RunDocuments
from pinterest.run_links import RunReportLink
from pinterest.settings import settings


class LedgerOperator(BaseOperator):
    """Base of the operators that judge a run by its ledger.

    :param routes: the routes that the run takes
    :param first: the hop that the run begins with; by default each route's first
    """

    operator_extra_links = (RunReportLink(),)

    def __init__(
        self,
        *,
        routes: Sequence[Route],
        first: Hop | None = None,
        aws_conn_id: str | None = "aws_default",
        **kwargs: Any,
    ) -> None:
        super().__init__(**kwargs)
        self.routes = routes
        self.first = first
        self.aws_conn_id = aws_conn_id


class LedgerReportOperator(LedgerOperator):
    """Judge the run, and write ``ledger.json`` and the page ``index.html``. Returns the page's key.

    It writes whatever was counted, whether or not the run succeeded.
    """

    def execute(self, context: Context) -> str:
        current = settings()
        documents = RunDocuments.of(context, current.bucket, self.aws_conn_id)
        document = close_ledger(documents, self.routes, current.ledger, failed_tasks(context), self.first)
        dag_id, run_id = documents.dag_id, documents.run_id
        documents.write(bucket_layout.report_ledger(dag_id, run_id), document.model_dump_json(indent=1))
        key = bucket_layout.report(dag_id, run_id)
        letters = documents.read(bucket_layout.dead_letters(dag_id, run_id)) or b""
        page = render_report(
            document,
            analyses=self._analyses(documents) if "batch" in self.routes else None,
            dead_letters=[json.loads(line) for line in letters.decode().split("\n") if line],
            user_id=current.user_id,
        )
        documents.write(key, page, "text/html; charset=utf-8")
        self.log.info("\n%s\ns3://%s/%s", ledger_table(document), documents.bucket, key)
        return key

    @staticmethod
    def _analyses(documents: RunDocuments) -> Mapping[str, Any]:
        content = documents.read(bucket_layout.analyses(documents.dag_id, documents.run_id))
        tables: Mapping[str, Any] = {} if content is None else json.loads(content)["tables"]
        return tables


class LedgerVerdictOperator(LedgerOperator):
    """Fail the run unless every record of every entity is accounted for at every hop, and enough of them came through.

    A rerun judges what is counted by then.
    """

    def execute(self, context: Context) -> str:
        current = settings()
        documents = RunDocuments.of(context, current.bucket, self.aws_conn_id)
        document = close_ledger(documents, self.routes, current.ledger, failed_tasks(context), self.first)
        verdict = document.verdict
        if not verdict.reconciled:
            told = "\n".join(f"  {line}" for line in document.failure_lines)
            raise AirflowFailException(f"The run is not reconciled ({verdict.status.value}):\n{told}")
        self.log.info("Reconciled: %d hops of %d", len(verdict.findings), len(verdict.findings))
        return verdict.status.value


def close_ledger(
    documents: RunDocuments,
    routes: Sequence[Route],
    limits: Ledger,
    failed: Sequence[str] = (),
    first: Hop | None = None,
) -> LedgerDocument:
    entries = documents.entries(routes)
    hops = {route: HOPS[route][HOPS[route].index(first) if first else 0 :] for route in routes}
    return LedgerDocument(
        dag_id=documents.dag_id,
        run_id=documents.run_id,
        written_at=datetime.now(UTC).isoformat(timespec="seconds"),
        verdict=reconcile(entries, documents.run_id, limits=limits, hops=hops),
        entries=tuple(entries),
        failed_tasks=tuple(failed),
    )


def failed_tasks(context: Context) -> list[str]:
    """The run's tasks that have failed themselves. Those behind them were not started."""
    instance, run_id = context["ti"], context["run_id"]
    states = instance.get_task_states(dag_id=instance.dag_id, run_ids=[run_id]).get(run_id, {})
    return sorted(task_id for task_id, state in states.items() if state == TaskInstanceState.FAILED)

"""Operators that count the lake, move the bookmark, and close a run's ledger."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from typing import Any

from airflow.providers.common.compat.sdk import AirflowFailException, BaseOperator, Context

from include import bucket_layout
from include.lake.batch_counts import (
    ANALYSES,
    LOAD,
    NOTEBOOKS,
    LakeCountError,
    lake_entries,
    parse_exit,
    quarantine_shortfall,
)
from include.landing.bookmark import Place, advance, dump_bookmark, loaded_bookmark
from include.landing.manifest import Manifest
from include.ledger.entry import HOPS, Route
from include.ledger.table import ledger_table
from include.ledger.verdict import LedgerDocument, reconcile
from include.report.page import render_report
from pinterest.hooks.databricks_workspace import DatabricksWorkspaceHook
from pinterest.run_documents import RunDocuments
from pinterest.settings import settings


class LakeCountsOperator(BaseOperator):
    """Read what every notebook of the job counted and write the hops bronze, silver and gold.

    Keeps the nine analyses for the report, and returns the load's bookmark.

    :param run: what the job's launching task returned (templated)
    """

    template_fields: Sequence[str] = ("run",)

    def __init__(self, *, run: Any, aws_conn_id: str | None = "aws_default", **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.run = run
        self.aws_conn_id = aws_conn_id

    def execute(self, context: Context) -> dict[str, Any]:
        documents = RunDocuments.of(context, settings().bucket, self.aws_conn_id)
        exits = self._exits()
        for hop, entries in lake_entries(documents.run_id, exits).items():
            documents.write_entries(hop, entries)
        tables = {"tables": exits[ANALYSES].get("tables") or {}}
        documents.write(bucket_layout.analyses(documents.dag_id, documents.run_id), json.dumps(tables, indent=1))

        manifest = Manifest.model_validate_json(
            documents.require(bucket_layout.manifest(documents.dag_id, documents.run_id), "landing.manifest")
        )
        short = quarantine_shortfall(exits, manifest.dead_letters.by_entity)
        if short:
            raise LakeCountError(f"The load did not keep every dead letter in quarantine: {'; '.join(short)}")
        bookmark: dict[str, Any] = exits[LOAD].get("bookmark") or {}
        return bookmark

    def _exits(self) -> dict[str, dict[str, Any]]:
        hook = DatabricksWorkspaceHook(self.run["conn_id"])
        tasks = sorted(hook.get_run_tasks(self.run["run_id"]), key=lambda task: task["start_time"])
        latest = {task["task_key"]: task["run_id"] for task in tasks}
        missing = [name for name in NOTEBOOKS if name not in latest]
        if missing:
            raise LakeCountError(f"Databricks run {self.run['run_id']} has no task {', '.join(missing)}")
        return {name: parse_exit(name, hook.get_run_output(latest[name])) for name in NOTEBOOKS}


class AdvanceBookmarkOperator(BaseOperator):
    """Remember how far the lake has loaded, so that the next run starts there. It never goes back.

    :param loaded: the bookmark that the load returned (templated)
    """

    template_fields: Sequence[str] = ("loaded",)

    def __init__(self, *, loaded: Any, aws_conn_id: str | None = "aws_default", **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.loaded = loaded
        self.aws_conn_id = aws_conn_id

    def execute(self, context: Context) -> None:
        current = settings()
        documents = RunDocuments.of(context, current.bucket, self.aws_conn_id)
        manifest = Manifest.model_validate_json(
            documents.require(bucket_layout.manifest(documents.dag_id, documents.run_id), "landing.manifest")
        )
        letters = {str(n): Place(next_offset=offset) for n, offset in manifest.dead_letters.next_offsets.items()}
        loaded = {**loaded_bookmark(self.loaded), current.dead_letter_topic: letters}
        bookmark = advance(documents.bookmark(current.user_id), loaded)
        documents.write(bucket_layout.bookmark(current.user_id), dump_bookmark(bookmark))
        for topic, places in bookmark.items():
            self.log.info("%s: %s", topic, ", ".join(f"p{p}@{place.next_offset}" for p, place in places.items()))


class LedgerReportOperator(BaseOperator):
    """Judge the run, and write ``ledger.json`` and the page ``index.html``. Returns the page's key.

    It writes what there is, whether or not the run went well.

    :param routes: the ways to the lake that the run was to take
    """

    def __init__(self, *, routes: Sequence[Route], aws_conn_id: str | None = "aws_default", **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.routes = routes
        self.aws_conn_id = aws_conn_id

    def execute(self, context: Context) -> str:
        current = settings()
        documents = RunDocuments.of(context, current.bucket, self.aws_conn_id)
        document = close_ledger(documents, self.routes)
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


class LedgerVerdictOperator(BaseOperator):
    """Fail the run unless every record of every stream is accounted for at every hop.

    :param routes: the ways to the lake that the run was to take
    """

    def __init__(self, *, routes: Sequence[Route], aws_conn_id: str | None = "aws_default", **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.routes = routes
        self.aws_conn_id = aws_conn_id

    def execute(self, context: Context) -> str:
        documents = RunDocuments.of(context, settings().bucket, self.aws_conn_id)
        verdict = close_ledger(documents, self.routes).verdict
        if not verdict.reconciled:
            told = "\n".join(f"  {finding}" for finding in verdict.failures)
            raise AirflowFailException(f"The run is not reconciled ({verdict.status.value}):\n{told}")
        self.log.info("Reconciled: %d hops of %d", len(verdict.findings), len(verdict.findings))
        return verdict.status.value


def close_ledger(documents: RunDocuments, routes: Sequence[Route]) -> LedgerDocument:
    entries = documents.entries(routes)
    return LedgerDocument(
        dag_id=documents.dag_id,
        run_id=documents.run_id,
        written_at=datetime.now(UTC).isoformat(timespec="seconds"),
        verdict=reconcile(entries, documents.run_id, hops={route: HOPS[route] for route in routes}),
        entries=tuple(entries),
    )

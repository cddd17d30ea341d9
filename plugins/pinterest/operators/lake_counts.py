"""Operator that reads what the batch job's notebooks counted."""

from __future__ import annotations

import json
from collections.abc import Sequence
from typing import Any

from airflow.providers.common.compat.sdk import BaseOperator, Context

from include import bucket_layout
from include.lake.batch_counts import LakeCountError, lake_entries, parse_exit, quarantine_shortfall
from include.lake.contract import ANALYZE, BATCH_NOTEBOOKS, LOAD
from include.lake.job_runs import latest_attempts
from include.landing.manifest import Manifest
from pinterest.hooks.databricks_jobs import DatabricksJobsHook
from pinterest.run_documents import RunDocuments
from pinterest.settings import settings


class LakeCountsOperator(BaseOperator):
    """Read what each notebook of the job counted and write the hops bronze, silver and gold.

    Stores the nine analyses for the report. Returns how far the load has loaded (``bookmark``) and the Delta ids of the
    lake's tables (``tables``).

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
            for entry in entries:
                if entry.remark:
                    self.log.warning("%s", entry.remark)
        tables = {"tables": exits[ANALYZE].get("tables") or {}}
        documents.write(bucket_layout.analyses(documents.dag_id, documents.run_id), json.dumps(tables, indent=1))

        manifest = Manifest.model_validate_json(
            documents.require(bucket_layout.manifest(documents.dag_id, documents.run_id), "landing.objects")
        )
        short = quarantine_shortfall(exits, manifest.dead_letters.by_entity)
        if short:
            raise LakeCountError(f"The load did not keep every dead letter in quarantine: {'; '.join(short)}")
        return {name: exits[LOAD].get(name) or {} for name in ("bookmark", "tables")}

    def _exits(self) -> dict[str, dict[str, Any]]:
        hook = DatabricksJobsHook(self.run["conn_id"])
        latest = latest_attempts(hook.get_run_tasks(self.run["run_id"]))
        missing = [name for name in BATCH_NOTEBOOKS if name not in latest]
        if missing:
            raise LakeCountError(f"Databricks run {self.run['run_id']} has no task {', '.join(missing)}")
        return {name: parse_exit(name, hook.get_run_output(latest[name]["run_id"])) for name in BATCH_NOTEBOOKS}

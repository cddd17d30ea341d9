"""``available_now``: every Airflow run has a run of the job, which processes what is there and ends."""

from __future__ import annotations

import logging
from typing import Any

from airflow.providers.common.compat.sdk import AirflowFailException

from include.lake.batch_counts import parse_exit
from include.lake.contract import AVAILABLE_NOW, PROCESSING_TIME, STREAM
from include.lake.job_runs import RUN_ID, Run, has_succeeded, notebook_parameters
from pinterest.stream_runs.job import TRIGGER, StreamJob

log = logging.getLogger(__name__)


def adopt_or_start(job: StreamJob, attempt: str) -> int:
    """The active run of this Airflow run, or else a new one as soon as no run of another Airflow run is active.

    Raises AirflowFailException if a run is active that never ends.
    """

    def refuse(run: Run) -> None:
        if notebook_parameters(run).get(TRIGGER) == PROCESSING_TIME:
            raise AirflowFailException(
                f"Databricks run {run['run_id']} ({run['run_page_url']}) of the job {job.name} reads the data streams "
                f"all the time, but lake_stream.trigger is {AVAILABLE_NOW!r}: cancel that run, or set the trigger to "
                f"{PROCESSING_TIME!r}"
            )

    adopted = job.hook.adopt(job.job_id, job.notebook_params[RUN_ID], poll_seconds=job.poll_seconds, refuse=refuse)
    return job.start(attempt) if adopted is None else adopted


def counts(job: StreamJob, run: Run) -> dict[str, Any]:
    """What the notebook of an ended run counted, and the tables' ids; what it read of ``stream_batches`` is left to the
    tasks that need it. Raises AirflowFailException with the notebook's error if it failed."""
    job.fail_if_skipped(run)
    if not has_succeeded(run):
        run_id = run["run_id"]
        raise AirflowFailException(f"Databricks run {run_id} ({run['run_page_url']}) {job.hook.failure_of(run_id)}")
    counted = parse_exit(STREAM, job.hook.get_run_output(run["tasks"][-1]["run_id"]))
    for entity, figures in (counted.get("stream") or {}).items():
        log.info("%s: %s", entity, ", ".join(f"{name} {number}" for name, number in figures.items()))
    return {name: counted[name] for name in ("stream", "tables") if name in counted}

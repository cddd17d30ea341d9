"""``processing_time``: one run of the job is always active. Airflow starts it if it is not, and otherwise adopts it."""

from __future__ import annotations

import logging
from collections.abc import Callable

from airflow.providers.common.compat.sdk import AirflowException, AirflowFailException

from include.lake.contract import AVAILABLE_NOW
from include.lake.job_runs import SKIPPED, Run, is_active, is_lost, life_cycle_state, notebook_parameters
from pinterest.stream_runs.job import TRIGGER, StreamJob

log = logging.getLogger(__name__)

MAX_STARTS = 3
DECISIVE = ("catalog", "schema", "user_id", "region", "data_streams", "checkpoints", "checkpoint_names")
"""Parameters that say what a run reads and where it stores it."""


def adopt_or_start(job: StreamJob, found: Callable[[int], None]) -> int:
    """Return the job's one active run, once it has started.

    Any number of callers may start it at once: Databricks starts one. A run that ends by itself is waited for first.
    Raises AirflowFailException with the notebook's error if the run ends at once, and AirflowException if Databricks
    skips it, or loses its cluster, ``MAX_STARTS`` times.

    :param found: is given the id of a run before its start is awaited
    """
    starts = 0
    while True:
        run_id = _active_or_new(job)
        found(run_id)
        run = job.hook.wait_until_started(run_id, poll_seconds=job.poll_seconds)
        if is_active(run):
            log.info("Databricks run %s is %s", run_id, life_cycle_state(run))
            return run_id
        starts += 1
        may_pass = life_cycle_state(run) == SKIPPED or is_lost(run)
        if not may_pass or starts == MAX_STARTS:
            job.fail_if_skipped(run)
            error = AirflowException if may_pass else AirflowFailException
            raise error(
                f"Databricks run {run_id} ({run['run_page_url']}) should go on and has ended "
                f"{job.hook.failure_of(run_id)}"
            )


def _active_or_new(job: StreamJob) -> int:
    """The token of a new run is made of the job and its newest run, which has ended.

    Whoever finds the same newest run asks for the same next one, and Databricks starts it once.
    """
    while True:
        newest = job.hook.newest_run(job.job_id)
        if newest is None:
            return job.start(f"{job.job_id}/first")
        if not is_active(newest):
            return job.start(f"{job.job_id}/{newest['run_id']}")
        if notebook_parameters(newest).get(TRIGGER) != AVAILABLE_NOW:
            return _adopted(job, newest)
        log.info("Waiting for Databricks run %s, which ends by itself", newest["run_id"])
        job.hook.wait_until_ended(newest["run_id"], poll_seconds=job.poll_seconds)


def _adopted(job: StreamJob, run: Run) -> int:
    run_id = int(run["run_id"])
    given = notebook_parameters(run)
    differ = [name for name in DECISIVE if name in given and given[name] != job.notebook_params.get(name)]
    if differ:
        told = "; ".join(f"{name} is {given[name]!r}, not {job.notebook_params.get(name)!r}" for name in differ)
        raise AirflowFailException(
            f"Databricks run {run_id} ({run['run_page_url']}) of the job {job.name} reads or writes elsewhere: {told}. "
            "Cancel that run; the next run of this DAG starts another one"
        )
    log.info("Databricks run %s is active: adopted", run_id)
    code = [task.get("notebook_task", {}).get("notebook_path") for task in job.hook.get_run_tasks(run_id)]
    if code != [job.notebook_path]:
        log.warning(
            "It runs %s, and the newest code is %s: cancel it, and the next run of this DAG starts the newest",
            ", ".join(map(str, code)),
            job.notebook_path,
        )
    return run_id

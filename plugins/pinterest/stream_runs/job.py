"""The stream's job, as both ways of running it see it."""

from __future__ import annotations

import logging
from collections.abc import Mapping
from dataclasses import dataclass

from airflow.providers.common.compat.sdk import AirflowException

from include.lake.job_runs import SKIPPED, Run, life_cycle_state
from pinterest.hooks.databricks_jobs import DatabricksJobsHook

log = logging.getLogger(__name__)

TRIGGER = "trigger"
"""The notebook parameter that says how a run was meant to run."""


@dataclass(frozen=True)
class StreamJob:
    """:param notebook_path: the newest code, in the workspace"""

    hook: DatabricksJobsHook
    job_id: int
    name: str
    notebook_path: str
    notebook_params: Mapping[str, str]
    poll_seconds: float

    def start(self, occasion: str) -> int:
        """Start a run, once per occasion, and return its id."""
        run_id = self.hook.start(self.job_id, self.notebook_params, occasion)
        log.info("Databricks run %s of the job %s started", run_id, self.name)
        return run_id

    def fail_if_skipped(self, run: Run) -> None:
        if life_cycle_state(run) == SKIPPED:
            raise AirflowException(
                f"Databricks skipped run {run['run_id']} of the job {self.name}: another run of it was started at "
                "the same moment, and only one may be active. Run the task again; it waits for that one"
            )

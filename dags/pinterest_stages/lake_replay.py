"""What the lake has refused, or made by earlier rules, once more, on Databricks.

By hand, one would look for the refused records in a table of errors, correct them, and run the notebooks' cells again.
"""

from __future__ import annotations

from datetime import timedelta

from airflow.providers.standard.operators.python import ShortCircuitOperator
from airflow.sdk import chain, task_group

from include.lake.code_bundle import CodeBundle
from include.lake.contract import LANDING, REPLAY
from pinterest.operators.databricks_workflow import NotebookOperator
from pinterest.operators.replay import ReplayCountsOperator, is_true
from pinterest_stages.lake_job import LAKE_PARAMETERS, launch_job, upload_code
from pinterest_stages.reconcile import reconcile

TIMEOUT = timedelta(hours=2)

NOTEBOOK_PARAMETERS = {
    **LAKE_PARAMETERS,
    "bucket": "s3a://{{ settings().bucket }}",
    "what": "{{ params.what }}",
    "dry_run": "{{ params.dry_run | lower }}",
    "entities": "{{ params.entities | tojson }}",
    "reasons": "{{ params.reasons | tojson }}",
    "run_ids": "{{ params.run_ids | tojson }}",
    "positions": "{{ params.positions | tojson }}",
    "corrections": "{{ params.corrections or '' }}",
    "max_replays": "{{ params.max_replays }}",
}


@task_group(group_id="lake_replay")
def lake_replay() -> None:
    code = CodeBundle()
    asked = ShortCircuitOperator(
        task_id="asked", python_callable=is_true, op_args=[f"{{{{ params.what != '{LANDING}' }}}}"]
    )
    upload = upload_code(code)
    launch = launch_job(code, order={REPLAY: ()}, parameters=NOTEBOOK_PARAMETERS, timeout=TIMEOUT)
    replayed = NotebookOperator(
        task_id=REPLAY, notebook=REPLAY, run=launch.output, returns_exit=True, execution_timeout=TIMEOUT
    )
    counts = ReplayCountsOperator(task_id="counts", counted=replayed.output, execution_timeout=timedelta(minutes=5))
    in_earnest = ShortCircuitOperator(
        task_id="in_earnest", python_callable=is_true, op_args=["{{ not params.dry_run }}"]
    )
    chain(asked, upload, launch, replayed, counts, in_earnest, reconcile("replay"))

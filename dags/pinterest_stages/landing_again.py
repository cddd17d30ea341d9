"""What the bucket holds, loaded once more: into a new catalog, or after tables were lost.

By hand, one would run the notebooks again on all of the topics' objects. The lake stores each record once.
"""

from __future__ import annotations

from datetime import timedelta

from airflow.providers.standard.operators.python import ShortCircuitOperator
from airflow.sdk import chain, task_group

from include.lake.contract import LANDING
from pinterest.operators.landing_again import LandedAgainOperator
from pinterest.operators.replay import is_true
from pinterest_stages.lake_batch import lake_batch
from pinterest_stages.reconcile import reconcile


@task_group(group_id="landing_again")
def landing_again() -> None:
    asked = ShortCircuitOperator(
        task_id="asked", python_callable=is_true, op_args=[f"{{{{ params.what == '{LANDING}' }}}}"]
    )
    objects = LandedAgainOperator(
        task_id="objects",
        since="{{ params.since or '' }}",
        positions="{{ params.positions | tojson }}",
        is_dry_run="{{ params.dry_run }}",
        execution_timeout=timedelta(hours=1),
    )
    in_earnest = ShortCircuitOperator(
        task_id="in_earnest", python_callable=is_true, op_args=["{{ not params.dry_run }}"]
    )
    chain(asked, objects, in_earnest, lake_batch(), reconcile("batch", first="landed"))

"""Looks whether this Airflow has what the other DAGs need, and changes nothing.

**Does**: `environment` reads the Variable and the connections, asks AWS who we are, lists the folder on Databricks and
compares the columns of the three source tables. What it found is the `extra` of the last event of the asset
`pinterest_check`, with the versions of what is installed; `make verify` reads it there. `verdict` fails if anything is
missing or wrong, and its error lists all of it, each with its fix.

**Params**: none; the connections `aws_default`, `databricks_default` and `pinterest_source` are looked at, and the
Variable.

**Reruns**: safe at any time, also beside the other DAGs: nothing is written anywhere but in Airflow's own database.

**Fails when**: something is missing or wrong; correct what the error of `verdict` says, and trigger it again.

**Undo**: nothing needs to be undone.
"""

from __future__ import annotations

from datetime import timedelta
from typing import Any

from airflow.providers.common.compat.sdk import AirflowFailException
from airflow.sdk import Asset, dag, task

from pinterest.dag_defaults import DAG_DEFAULTS, Tag
from pinterest.operators.environment_check import EnvironmentCheckOperator
from pinterest_stages.release import CODE


@task(execution_timeout=timedelta(minutes=5))
def verdict(found: Any) -> None:
    """Fails the run if the check has found anything.

    :param found: what ``environment`` has returned
    """
    if found["findings"]:
        listed = "\n".join(f"  {one['problem']}\n    fix: {one['fix']}" for one in found["findings"])
        raise AirflowFailException(f"{len(found['findings'])} things are missing or wrong:\n{listed}")


@dag(
    dag_id="pinterest_check",
    schedule=None,
    is_paused_upon_creation=False,
    dagrun_timeout=timedelta(minutes=30),
    tags=[Tag.SETUP, CODE],
    doc_md=__doc__,
    **DAG_DEFAULTS,
)
def pinterest_check() -> None:
    check = EnvironmentCheckOperator(
        task_id="environment",
        code=CODE,
        asset=Asset("pinterest_check"),
        execution_timeout=timedelta(minutes=10),
    )
    verdict(check.output)


pinterest_check()

"""A lake that stays small and fast, on Databricks: few files, and none that no recent version of a table has.

Done by hand in a notebook: ``OPTIMIZE`` and ``VACUUM``, table by table.
"""

from __future__ import annotations

from datetime import timedelta

from airflow.sdk import chain, task_group

from include.lake.code_bundle import CodeBundle
from include.lake.contract import MAINTENANCE
from pinterest.operators.databricks_workflow import NotebookOperator
from pinterest_stages.lake_job import LAKE_PARAMETERS, launch_job, upload_code

TIMEOUT = timedelta(hours=2)

NOTEBOOK_PARAMETERS = {
    **LAKE_PARAMETERS,
    "by": "{{ settings().maintenance.by }}",
    "version_days": "{{ settings().maintenance.version_days or '' }}",
    "run_days": "{{ settings().run_days or '' }}",
}


@task_group(group_id="lake_maintenance")
def lake_maintenance() -> None:
    code = CodeBundle()
    upload = upload_code(code)
    launch = launch_job(code, order={MAINTENANCE: ()}, parameters=NOTEBOOK_PARAMETERS, timeout=TIMEOUT)
    maintained = NotebookOperator(
        task_id=MAINTENANCE, notebook=MAINTENANCE, run=launch.output, returns_exit=True, execution_timeout=TIMEOUT
    )
    chain(upload, launch, maintained)

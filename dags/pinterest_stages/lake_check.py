"""Whether the lake is ready and ours, on Databricks, before anything is posted.

Seed steps: read the credentials table, mount the bucket, look whether the tables are there. Here, one notebook opens
the storage, creates the schema if it is missing, and compares the columns of the tables that exist. Its cluster starts
while the Kafka side is set up.
"""

from __future__ import annotations

from datetime import timedelta
from typing import NamedTuple

from airflow.sdk import TaskGroup, chain

from include.lake.code_bundle import CodeBundle
from include.lake.contract import CHECK
from pinterest.operators.databricks_workflow import NotebookOperator
from pinterest.operators.identity import LakeIdentityOperator
from pinterest_stages.lake_job import LAKE_PARAMETERS, SERVICE_CREDENTIAL, launch_job, upload_code

TIMEOUT = timedelta(minutes=30)


class LakeCheck(NamedTuple):
    """The stage, and its last task, which waits for the notebook and returns what it found."""

    stage: TaskGroup
    checked: NotebookOperator


def lake_check() -> LakeCheck:
    code = CodeBundle()
    with TaskGroup("lake_check") as stage:
        upload = upload_code(code)
        launch = launch_job(
            code,
            order={CHECK: ()},
            parameters={**LAKE_PARAMETERS, **SERVICE_CREDENTIAL, "bucket": "s3a://{{ settings().bucket }}"},
            timeout=TIMEOUT,
            part=".provision.lake_check",
        )
        checked = NotebookOperator(
            task_id=CHECK, notebook=CHECK, run=launch.output, returns_exit=True, execution_timeout=TIMEOUT
        )
        identity = LakeIdentityOperator(
            task_id="identity",
            tables=f"{{{{ ti.xcom_pull(task_ids='{checked.task_id}')['tables'] | tojson }}}}",
            on_new_identity="{{ params.on_new_identity }}",
        )
        chain(upload, launch, checked, identity)
    return LakeCheck(stage, checked)

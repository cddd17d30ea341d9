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
from pinterest.operators.databricks_workflow import LaunchWorkflowOperator, NotebookOperator
from pinterest.operators.databricks_workspace import UploadCodeOperator
from pinterest.operators.identity import LakeIdentityOperator
from pinterest_stages.lake_job import FOLDER, INSTANCE_PROFILE, JOB_CLUSTER, LAKE_PARAMETERS, SERVICE_CREDENTIAL

TIMEOUT = timedelta(minutes=30)


class LakeCheck(NamedTuple):
    """The stage, and its last task, which waits for the notebook and returns what it found."""

    stage: TaskGroup
    checked: NotebookOperator


def lake_check() -> LakeCheck:
    code = CodeBundle()
    with TaskGroup("lake_check") as stage:
        upload = UploadCodeOperator(
            task_id="upload", folder=FOLDER, bundle=code, execution_timeout=timedelta(minutes=10)
        )
        launch = LaunchWorkflowOperator(
            task_id="launch",
            job_name="{{ settings().user_id }}.{{ dag.dag_id }}.provision.lake_check",
            folder=f"{FOLDER}/{code.content_hash}",
            order={CHECK: ()},
            notebook_params={**LAKE_PARAMETERS, **SERVICE_CREDENTIAL, "bucket": "s3a://{{ settings().bucket }}"},
            job_cluster=JOB_CLUSTER,
            instance_profile_arn=INSTANCE_PROFILE,
            notebook_timeout=TIMEOUT,
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

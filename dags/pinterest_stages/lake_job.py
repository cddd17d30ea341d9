"""What the lake's stages share: where the code goes, the job that runs it, and parameters of every notebook."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

from include.lake.code_bundle import CodeBundle
from include.lake.job import Order, job_cluster
from pinterest.operators.databricks_workflow import LaunchWorkflowOperator
from pinterest.operators.databricks_workspace import UploadCodeOperator
from pinterest_stages.tags import OWNER_TAGS

FOLDER = "{{ settings().databricks.folder }}"

JOB_CLUSTER = job_cluster(
    node_type="{{ settings().databricks.node_type }}",
    tags={**OWNER_TAGS, "dag_id": "{{ dag.dag_id }}"},
    policy_id="{{ settings().databricks.policy_id or '' }}",
    data_security_mode="{{ settings().databricks.data_security_mode }}",
)
INSTANCE_PROFILE = "{{ settings().databricks.instance_profile_arn or '' }}"

LAKE_PARAMETERS = {
    "run_id": "{{ run_id }}",
    "catalog": "{{ settings().databricks.catalog }}",
    "schema": "{{ settings().databricks.schema_name }}",
    "user_id": "{{ settings().user_id }}",
    "storage": "{{ settings().databricks.storage }}",
    "secret_scope": "{{ settings().databricks.secret_scope }}",
    "credentials_table": "{{ settings().databricks.credentials_table }}",
}
"""Which run it is, where the lake is, and how the bucket may be read."""

SERVICE_CREDENTIAL = {"service_credential": "{{ settings().databricks.kinesis.service_credential or '' }}"}
"""How the data streams may be read, for the notebooks that do, or look whether they can be."""


def upload_code(code: CodeBundle) -> UploadCodeOperator:
    return UploadCodeOperator(task_id="upload", folder=FOLDER, bundle=code, execution_timeout=timedelta(minutes=10))


def launch_job(
    code: CodeBundle, *, order: Order, parameters: dict[str, Any], timeout: timedelta, part: str = ""
) -> LaunchWorkflowOperator:
    """Launch the notebooks of ``order`` on a job cluster of their own.

    :param timeout: of each notebook
    :param part: which of the DAG's jobs it is, where it has several
    """
    return LaunchWorkflowOperator(
        task_id="launch",
        job_name=f"{{{{ settings().user_id }}}}.{{{{ dag.dag_id }}}}{part}",
        folder=f"{FOLDER}/{code.content_hash}",
        order=order,
        notebook_params=parameters,
        job_cluster=JOB_CLUSTER,
        instance_profile_arn=INSTANCE_PROFILE,
        notebook_timeout=timeout,
    )

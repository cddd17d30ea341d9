"""From the bucket to nine tables of analyses, on Databricks: load, clean three streams, analyse.

Seed steps: upload the notebooks, read the topics' objects from the bucket into dataframes, clean the three of them,
query them, and have Airflow run all that as a Databricks job every day.
"""

from __future__ import annotations

from datetime import timedelta

from airflow.sdk import chain, task_group

from include import bucket_layout
from include.lake.code_bundle import CodeBundle
from include.lake.contract import ANALYZE, CLEAN, LOAD
from include.lake.job import CLUSTER_KEY, INSTANCE_PROFILE, job_cluster, notebook_parameters
from pinterest.operators.bookmark import AdvanceBookmarkOperator
from pinterest.operators.databricks_workflow import NotebookOperator, WorkflowTaskGroup
from pinterest.operators.databricks_workspace import UploadCodeOperator
from pinterest.operators.lake_counts import LakeCountsOperator

FOLDER = "{{ settings().databricks.folder }}"


@task_group(group_id="lake_batch")
def lake_batch() -> None:
    code = CodeBundle()
    upload = UploadCodeOperator(task_id="upload", folder=FOLDER, bundle=code, execution_timeout=timedelta(minutes=10))

    def notebook(name: str) -> NotebookOperator:
        return NotebookOperator(
            task_id=name,
            databricks_task_key=name,
            notebook_path=f"{FOLDER}/{code.content_hash}/{name}",
            job_cluster_key=CLUSTER_KEY,
            execution_timeout=timedelta(hours=1),
        )

    job = WorkflowTaskGroup(
        group_id="job",
        owner_name="{{ settings().user_id }}",
        databricks_conn_id="databricks_default",
        job_clusters=[job_cluster()],
        instance_profile_arn=INSTANCE_PROFILE,
        notebook_params=notebook_parameters(
            manifest_key=bucket_layout.manifest("{{ dag.dag_id }}", "{{ run_id }}"), run_id="{{ run_id }}"
        ),
    )
    with job:
        chain(notebook(LOAD), [notebook(name) for name in CLEAN.values()], notebook(ANALYZE))

    counts = LakeCountsOperator(task_id="counts", run=job.run, execution_timeout=timedelta(minutes=10))
    bookmark = AdvanceBookmarkOperator(task_id="bookmark", loaded=counts.output, execution_timeout=timedelta(minutes=5))

    chain(upload, job, counts, bookmark)

"""From the bucket to nine tables of analyses, on Databricks: load, clean the three entities, analyze.

Seed steps: upload the notebooks, read the topics' objects from the bucket into dataframes, clean the three of them,
query them, and have Airflow run all that as a Databricks job every day.
"""

from __future__ import annotations

from datetime import timedelta

from airflow.sdk import TaskGroup, chain, task_group

from include import bucket_layout
from include.lake.code_bundle import CodeBundle
from include.lake.contract import ANALYZE, CLEAN, LOAD
from pinterest.operators.bookmark import AdvanceBookmarkOperator
from pinterest.operators.databricks_workflow import LaunchWorkflowOperator, NotebookOperator
from pinterest.operators.databricks_workspace import UploadCodeOperator
from pinterest.operators.lake_counts import LakeCountsOperator
from pinterest_stages.lake_job import FOLDER, INSTANCE_PROFILE, JOB_CLUSTER, LAKE_PARAMETERS

ORDER: dict[str, tuple[str, ...]] = {
    LOAD: (),
    **dict.fromkeys(CLEAN.values(), (LOAD,)),
    ANALYZE: tuple(CLEAN.values()),
}
"""By notebook: the notebooks that must succeed before it, on Databricks and in Airflow."""

# Databricks and any other Spark read addresses with s3a.
MANIFEST = f"s3a://{{{{ settings().bucket }}}}/{bucket_layout.manifest('{{ dag.dag_id }}', '{{ run_id }}')}"
NOTEBOOK_TIMEOUT = timedelta(hours=1)


@task_group(group_id="lake_batch")
def lake_batch() -> None:
    code = CodeBundle()
    upload = UploadCodeOperator(task_id="upload", folder=FOLDER, bundle=code, execution_timeout=timedelta(minutes=10))

    with TaskGroup("job") as job:
        launch = LaunchWorkflowOperator(
            task_id="launch",
            job_name="{{ settings().user_id }}.{{ dag.dag_id }}.batch.lake_batch.job",
            folder=f"{FOLDER}/{code.content_hash}",
            order=ORDER,
            notebook_params={"manifest": MANIFEST, **LAKE_PARAMETERS},
            job_cluster=JOB_CLUSTER,
            instance_profile_arn=INSTANCE_PROFILE,
            notebook_timeout=NOTEBOOK_TIMEOUT,
        )
        notebooks = {
            name: NotebookOperator(task_id=name, notebook=name, run=launch.output, execution_timeout=NOTEBOOK_TIMEOUT)
            for name in ORDER
        }
        for name, before in ORDER.items():
            chain([notebooks[one] for one in before] or launch, notebooks[name])

    counts = LakeCountsOperator(task_id="counts", run=launch.output, execution_timeout=timedelta(minutes=10))
    bookmark = AdvanceBookmarkOperator(task_id="bookmark", loaded=counts.output, execution_timeout=timedelta(minutes=5))

    chain(upload, job, counts, bookmark)

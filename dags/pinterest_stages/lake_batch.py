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
from pinterest.operators.databricks_workflow import NotebookOperator
from pinterest.operators.lake_counts import LakeCountsOperator
from pinterest_stages.lake_job import LAKE_PARAMETERS, launch_job, upload_code

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
    upload = upload_code(code)

    with TaskGroup("job") as job:
        launch = launch_job(
            code,
            order=ORDER,
            parameters={"manifest": MANIFEST, **LAKE_PARAMETERS},
            timeout=NOTEBOOK_TIMEOUT,
            part=".batch.lake_batch.job",
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

"""From Kinesis to three tables, on Databricks: one job reads the data streams, cleans their records and merges them.

Seed steps: read the data streams with ``spark.readStream.format("kinesis")``, clean each as the batch notebooks do,
and write it to ``<user_id>_pin_table``, ``<user_id>_geo_table`` and ``<user_id>_user_table`` with a checkpoint.
"""

from __future__ import annotations

from datetime import timedelta

from airflow.sdk import chain, task_group

from include import bucket_layout
from include.lake.code_bundle import CodeBundle
from include.lake.contract import STREAM
from pinterest.operators.identity import KeepTablesOperator
from pinterest.operators.stream_counts import TableCountsOperator
from pinterest.operators.stream_job import StreamJobOperator
from pinterest.sensors.lake_stream import CommittedStreamSensor
from pinterest_stages.lake_job import (
    FOLDER,
    INSTANCE_PROFILE,
    JOB_CLUSTER,
    LAKE_PARAMETERS,
    SERVICE_CREDENTIAL,
    upload_code,
)

TRIGGER = "{{ settings().lake_stream.trigger }}"

POSTED = bucket_layout.posting_progress("{{ dag.dag_id }}", "{{ run_id }}", "stream")

NOTEBOOK_PARAMETERS = {
    **LAKE_PARAMETERS,
    **SERVICE_CREDENTIAL,
    "region": "{{ settings().region }}",
    "data_streams": "{{ settings().data_streams | tojson }}",
    "checkpoints": "{{ settings().checkpoints }}",
    "progress": f"s3a://{{{{ settings().bucket }}}}/{POSTED}",
    "trigger": TRIGGER,
    "interval_seconds": "{{ settings().lake_stream.interval_seconds }}",
}


@task_group(group_id="lake_stream")
def lake_stream(checkpoints: str) -> None:
    """:param checkpoints: template expression: what the task ``identity`` returned"""
    code = CodeBundle()
    upload = upload_code(code)
    job = StreamJobOperator(
        task_id="job",
        job_name="{{ settings().user_id }}.lake_stream",
        notebook_path=f"{FOLDER}/{code.content_hash}/{STREAM}",
        notebook_params={
            **NOTEBOOK_PARAMETERS,
            "checkpoint_names": f"{{{{ {checkpoints}['names'] | tojson }}}}",
            "tables": f"{{{{ {checkpoints}['tables'] | tojson }}}}",
        },
        job_cluster=JOB_CLUSTER,
        instance_profile_arn=INSTANCE_PROFILE,
        trigger=TRIGGER,
        execution_timeout=timedelta(hours=2),
    )
    committed = CommittedStreamSensor(
        task_id="committed",
        run=job.output,
        timeout=timedelta(hours=1).total_seconds(),
        execution_timeout=timedelta(hours=1, minutes=5),
    )
    counts = TableCountsOperator(task_id="counts", run=job.output, execution_timeout=timedelta(minutes=30))

    tables = KeepTablesOperator(task_id="tables", run=job.output)

    chain(upload, job, committed, [counts, tables])

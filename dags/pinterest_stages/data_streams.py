"""The three Kinesis data streams: one for pins, one for where they were posted, one for who posted them.

Seed steps: create the data streams ``streaming-<UserId>-pin``, ``-geo`` and ``-user``; wait until they are active.
Beyond the seeds: capacity mode, retention and encryption are settings, and a data stream that differs is changed to
match.
"""

from __future__ import annotations

from datetime import timedelta

from airflow.sdk import task_group

from include.settings import ENTITIES
from pinterest.operators.kinesis import KinesisCreateStreamOperator
from pinterest_stages.tags import TAGS

DATA_STREAM = {
    "mode": "{{ settings().kinesis.mode or '' }}",
    "shards": "{{ settings().kinesis.shards }}",
    "retention_hours": "{{ settings().kinesis.retention_hours }}",
    "encryption": "{{ settings().kinesis.encryption }}",
    "kms_key": "{{ settings().kinesis.kms_key }}",
    "tags": TAGS,
}


@task_group(group_id="data_streams")
def data_streams() -> None:
    for entity in ENTITIES:
        KinesisCreateStreamOperator(
            task_id=entity,
            stream_name=f"{{{{ settings().data_stream('{entity}') }}}}",
            stream=DATA_STREAM,
            execution_timeout=timedelta(minutes=30),
        )

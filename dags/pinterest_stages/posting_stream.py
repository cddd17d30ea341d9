"""Posts to Kinesis: rows of the three source tables, through the REST API, into the three data streams.

Seed step: ``user_posting_emulation_streaming.py``, the same endless loop as for Kafka, but with a PUT of each row to
``/streams/<stream>/record``. Beyond the seeds: the shards are read to prove that every acknowledged record is there.
"""

from __future__ import annotations

from datetime import timedelta

from airflow.sdk import chain, task_group

from include.settings import ENTITIES
from pinterest.operators.posting import PostToKinesisOperator
from pinterest.operators.stream_counts import ShardCountsOperator
from pinterest_stages.posting_arguments import POSTING_ARGUMENTS


@task_group(group_id="posting_stream")
def posting_stream() -> None:
    post = PostToKinesisOperator(
        task_id="post",
        mode="{{ params.mode }}",
        data_streams={entity: f"{{{{ settings().data_stream('{entity}') }}}}" for entity in ENTITIES},
        **POSTING_ARGUMENTS,
    )
    shards = ShardCountsOperator(task_id="shards", execution_timeout=timedelta(minutes=30))

    chain(post, shards)

"""Posts to Kafka: rows of the three source tables, through the REST API, to the three topics.

Seed step: ``user_posting_emulation.py``, which draws a row number, reads that row of ``pinterest_data``,
``geolocation_data`` and ``user_data``, and posts each to its topic in an endless loop. Here, a run makes a given number
of posts and starts where the last run ended.
"""

from __future__ import annotations

from datetime import timedelta

from airflow.sdk import task_group

from include.settings import ENTITIES
from pinterest.operators.posting import PostToKafkaOperator


@task_group(group_id="posting")
def posting() -> None:
    PostToKafkaOperator(
        task_id="post",
        posts="{{ params.posts }}",
        seed="{{ params.seed }}",
        start="{{ params.start }}",
        pace="{{ params.pace }}",
        batch_size="{{ params.batch_size }}",
        topics={entity: f"{{{{ settings().topic('{entity}') }}}}" for entity in ENTITIES},
        bucket="{{ settings().bucket }}",
        api_name="{{ settings().rest_api_name }}",
        stage_name="{{ settings().rest_api.stage }}",
        invoke_url_format="{{ settings().rest_api.invoke_url_format }}",
        api_key_parameter="{{ settings().api_key_parameter }}",
        retries=3,
        execution_timeout=timedelta(hours=2),
    )

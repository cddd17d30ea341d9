"""Posts to Kafka: rows of the three source tables, through the REST API, to the three topics.

Seed step: ``user_posting_emulation.py``, which draws a row number, reads that row of ``pinterest_data``,
``geolocation_data`` and ``user_data``, and posts each to its topic in an endless loop. Here, a run makes a given number
of posts and starts where the last run ended.
"""

from __future__ import annotations

from airflow.sdk import task_group

from include.settings import ENTITIES
from pinterest.operators.posting import PostToKafkaOperator
from pinterest_stages.posting_arguments import POSTING_ARGUMENTS


@task_group(group_id="posting")
def posting() -> None:
    PostToKafkaOperator(
        task_id="post",
        topics={entity: f"{{{{ settings().topic('{entity}') }}}}" for entity in ENTITIES},
        **POSTING_ARGUMENTS,
    )

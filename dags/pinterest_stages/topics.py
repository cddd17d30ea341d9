"""Three topics, one for each entity, and one for dead letters.

Seed steps: look up the MSK cluster's bootstrap servers and ZooKeeper address, and create ``<user_id>.pin``,
``<user_id>.geo`` and ``<user_id>.user`` with ``kafka-topics.sh`` on the client machine. Beyond the seeds: topics that
were deleted and made again are noticed.
"""

from __future__ import annotations

from datetime import timedelta
from typing import NamedTuple

from airflow.sdk import TaskGroup, chain

from pinterest.operators.identity import TopicIdentityOperator
from pinterest.operators.kafka_brokers import KafkaBrokersOperator
from pinterest.operators.kafka_client import KafkaClientScriptOperator
from pinterest_stages.tags import OWNER_TAGS


class Topics(NamedTuple):
    """The stage, and a template expression for later stages: what its task ``brokers`` returned."""

    stage: TaskGroup
    brokers: str


def topics() -> Topics:
    with TaskGroup("topics") as stage:
        found = KafkaBrokersOperator(task_id="brokers")
        brokers = f"ti.xcom_pull(task_ids='{found.task_id}')"
        copies = f"'' if {brokers}['serverless'] else settings().kafka.replication_factor"
        created = KafkaClientScriptOperator(
            task_id="topics",
            script="topics/create_topics.sh",
            environment={
                "BOOTSTRAP_SERVERS": f"{{{{ {brokers}['bootstrap_servers'] }}}}",
                "TOPICS": "{{ settings().topics.values() | join(' ') }}",
                "DEAD_LETTER_TOPIC": "{{ settings().dead_letter_topic }}",
                "PARTITIONS": "{{ settings().kafka.partitions }}",
                "REPLICATION_FACTOR": f"{{{{ {copies} }}}}",
                "LARGEST_DEAD_LETTER": f"{{{{ 8388608 if {brokers}['serverless'] else 10485760 }}}}",
            },
        )
        identity = TopicIdentityOperator(
            task_id="identity",
            on_new_identity="{{ params.on_new_identity }}",
            makes_sink=True,
            owner_tags=OWNER_TAGS,
            execution_timeout=timedelta(minutes=60),
        )
        chain(found, created, identity)
    return Topics(stage, brokers)

"""Three topics, one per table, and one for dead letters.

Seed steps: read the bootstrap servers and ZooKeeper's address off the MSK cluster, create ``<user_id>.pin``,
``<user_id>.geo`` and ``<user_id>.user`` with ``kafka-topics.sh`` on the client machine.
"""

from __future__ import annotations

from airflow.sdk import chain, task_group

from pinterest.operators.kafka_client import KafkaClientScriptOperator
from pinterest.operators.msk import MskGetBrokersOperator

BROKERS = "ti.xcom_pull(task_ids=task.task_group.parent_group.child_id('topics.brokers'))"
"""Expression for templates of this stage and those beside it: what the task ``brokers`` found."""

BOOTSTRAP_SERVERS = f"{{{{ {BROKERS}['bootstrap_servers'] }}}}"


@task_group(group_id="topics")
def topics() -> None:
    brokers = MskGetBrokersOperator(
        task_id="brokers",
        cluster_name="{{ settings().kafka.cluster_name }}",
        authentication="{{ settings().kafka.authentication }}",
    )
    topics = KafkaClientScriptOperator(
        task_id="topics",
        script="topics/create_topics.sh",
        environment={
            "BOOTSTRAP_SERVERS": BOOTSTRAP_SERVERS,
            "TOPICS": "{{ settings().topics.values() | join(' ') }}",
            "DEAD_LETTER_TOPIC": "{{ settings().dead_letter_topic }}",
            "PARTITIONS": "{{ settings().kafka.partitions }}",
            "REPLICATION_FACTOR": "{{ settings().kafka.replication_factor }}",
        },
    )

    chain(brokers, topics)

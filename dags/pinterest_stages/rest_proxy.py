"""Kafka's REST proxy on the client machine, where API Gateway can reach it.

Seed steps: download and unpack the proxy, write ``kafka-rest.properties`` (brokers, IAM), and run
``kafka-rest-start``.
"""

from __future__ import annotations

from airflow.sdk import chain, task_group

from pinterest.operators.kafka_client import KafkaClientScriptOperator


@task_group(group_id="rest_proxy")
def rest_proxy(brokers: str) -> None:
    """:param brokers: see :class:`~pinterest_stages.topics.Topics`"""
    archive = KafkaClientScriptOperator(
        task_id="archive",
        script="rest_proxy/install_rest_proxy.sh",
        download="rest_proxy",
    )
    properties = KafkaClientScriptOperator(
        task_id="properties",
        script="rest_proxy/write_rest_properties.sh",
        environment={
            "BOOTSTRAP_SERVERS": f"{{{{ {brokers}['bootstrap_servers'] }}}}",
            "ZOOKEEPER": f"{{{{ {brokers}['zookeeper'] or '' }}}}",
        },
    )

    chain(archive, properties, start_rest_proxy("start"))


def start_rest_proxy(task_id: str) -> KafkaClientScriptOperator:
    """Start the proxy unless it is running, for example after the machine was stopped and started again."""
    return KafkaClientScriptOperator(
        task_id=task_id,
        script="rest_proxy/start_rest_proxy.sh",
        environment={
            "LISTEN_HOST": "{{ settings().rest_proxy.listen_host }}",
            "PORT": "{{ settings().rest_proxy.port }}",
            "START_SECONDS": "90",
        },
    )

"""Kafka itself: the MSK cluster, found or created; or with ``kafka.mode: self_hosted`` a broker on the client machine.

Seed steps: the cluster is there; one seed unpacks Kafka on one machine and starts it by hand. In an account with
nothing in it, the cluster is created in MSK's console: type, zones, storage, authentication, and half an hour of
waiting. None is created unless ``account.provision`` is set.
"""

from __future__ import annotations

from datetime import timedelta
from typing import NamedTuple

from airflow.sdk import TaskGroup

from pinterest.operators.kafka_brokers import StartBrokerOperator
from pinterest.operators.msk_cluster import MskClusterOperator
from pinterest_stages.tags import TAGS


class Kafka(NamedTuple):
    """The stage's tasks. The cluster needs the network, and the broker the client machine."""

    cluster: MskClusterOperator
    broker: StartBrokerOperator


def kafka(vpc_id: str, security_group: str) -> Kafka:
    """:param vpc_id, security_group: see :class:`~pinterest_stages.network.Network`"""
    with TaskGroup("kafka"):
        cluster = MskClusterOperator(
            task_id="cluster",
            provision="{{ settings().makes_cluster }}",
            cluster_name="{{ settings().kafka.cluster_name }}",
            kafka_version="{{ settings().kafka.version }}",
            instance_type="{{ settings().kafka.instance_type }}",
            brokers="{{ settings().kafka.brokers }}",
            storage_gib="{{ settings().kafka.storage_gib }}",
            authentication="{{ settings().kafka.authentication }}",
            vpc_id=f"{{{{ {vpc_id} }}}}",
            subnets="{{ settings().kafka.subnets | tojson }}",
            security_group=f"{{{{ {security_group} }}}}",
            tags=TAGS,
            execution_timeout=timedelta(minutes=75),
        )
        broker = start_broker("broker")
    return Kafka(cluster, broker)


def start_broker(task_id: str) -> StartBrokerOperator:
    """Start the broker on the client machine unless it runs, or Kafka is on MSK."""
    return StartBrokerOperator(
        task_id=task_id,
        script="kafka/start_broker.sh",
        environment={"START_SECONDS": "90", "SYSTEMD": "/run/systemd/system", "UNITS": "/etc/systemd/system"},
    )

"""The flows: which stages, in which order. A DAG runs one flow; ``pinterest_pipeline`` runs them all."""

from __future__ import annotations

from typing import cast

from airflow.sdk import TaskGroup, chain, task_group

from pinterest.operators.identity import DataStreamIdentityOperator
from pinterest_stages.bucket import bucket
from pinterest_stages.data_streams import data_streams
from pinterest_stages.kafka import kafka
from pinterest_stages.kafka_client import kafka_client
from pinterest_stages.lake_batch import lake_batch
from pinterest_stages.lake_check import lake_check
from pinterest_stages.lake_stream import lake_stream
from pinterest_stages.landing import landing
from pinterest_stages.network import network
from pinterest_stages.posting import posting
from pinterest_stages.posting_stream import posting_stream
from pinterest_stages.rest_api import rest_api
from pinterest_stages.rest_proxy import rest_proxy
from pinterest_stages.s3_sink import s3_sink
from pinterest_stages.topics import topics
from pinterest_stages.vpc_link import vpc_link


@task_group(group_id="provision")
def provision() -> None:
    check = lake_check()
    net, store = network(), bucket()
    created, api = topics(), rest_api()
    client = kafka_client(net.vpc_id, net.client_group)
    machine = cast("TaskGroup", client).get_child_by_label("instance")
    private_way = vpc_link(f"ti.xcom_pull(task_ids='{machine.node_id}')", net.proxy_caller_group)
    chain([net.stage, store], client)
    brokers = kafka(net.vpc_id, net.broker_group)
    chain(net.stage, brokers.cluster, created.stage)
    chain(client, brokers.broker, created.stage, [s3_sink(created.brokers), rest_proxy(created.brokers)], api)
    chain(machine, private_way, api)  # AWS takes minutes for it, and the machine is set up meanwhile
    data_streams()
    api >> check.checked  # nobody waits for its cluster before the rest is done


@task_group(group_id="batch")
def batch() -> None:
    chain(posting(), landing(), lake_batch())


@task_group(group_id="stream")
def stream() -> None:
    identity = DataStreamIdentityOperator(task_id="identity", on_new_identity="{{ params.on_new_identity }}")
    chain(identity, posting_stream(), lake_stream(f"ti.xcom_pull(task_ids='{identity.task_id}')"))

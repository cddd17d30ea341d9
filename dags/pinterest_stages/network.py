"""The network: what the client machine is launched into, and who may reach it and the brokers.

Seed steps: find the VPC, let SSH into the client machine's security group and the client machine into the cluster's,
and create the gateway endpoint by which MSK Connect reaches S3. Nothing is done unless ``account.provision`` is set.
"""

from __future__ import annotations

from datetime import timedelta
from typing import NamedTuple

from airflow.sdk import TaskGroup

from pinterest.operators.network import FindVpcOperator, S3EndpointOperator, SecurityGroupsOperator
from pinterest_stages.tags import TAGS

PROVISION = "{{ settings().account.provision }}"


class Network(NamedTuple):
    """The stage, and template expressions for later stages: the VPC's id, and the security groups of the client
    machine, of what calls its REST proxy, and of the brokers."""

    stage: TaskGroup
    vpc_id: str
    client_group: str
    proxy_caller_group: str
    broker_group: str


def network() -> Network:
    with TaskGroup("network") as stage:
        vpc = FindVpcOperator(
            task_id="vpc",
            provision=PROVISION,
            vpc_id="{{ settings().network.vpc_id or '' }}",
            execution_timeout=timedelta(minutes=5),
        )
        vpc_id = f"ti.xcom_pull(task_ids='{vpc.task_id}') or ''"
        groups = SecurityGroupsOperator(
            task_id="groups",
            provision=PROVISION,
            vpc_id=f"{{{{ {vpc_id} }}}}",
            names={
                "client": "{{ settings().client_group }}",
                "brokers": "{{ settings().broker_group }}",
                "proxy_callers": "{{ settings().proxy_caller_group }}",
            },
            ssh_from="{{ settings().network.ssh_from | tojson }}",
            proxy_port="{{ settings().rest_proxy.port }}",
            broker_port="{{ settings().broker_port }}",
            own_broker="{{ settings().kafka.mode == 'self_hosted' }}",
            tags=TAGS,
            execution_timeout=timedelta(minutes=10),
        )
        endpoint = S3EndpointOperator(
            task_id="s3_endpoint",
            provision=PROVISION,
            vpc_id=f"{{{{ {vpc_id} }}}}",
            tags=TAGS,
            execution_timeout=timedelta(minutes=5),
        )
        vpc >> [groups, endpoint]
    made = f"(ti.xcom_pull(task_ids='{groups.task_id}') or {{}})"
    ids = (f"{made}.get('{name}', '')" for name in ("client", "proxy_callers", "brokers"))
    return Network(stage, vpc_id, *ids)

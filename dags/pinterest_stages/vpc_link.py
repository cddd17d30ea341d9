"""The private way from API Gateway to the REST proxy: a VPC link, and an internal load balancer behind it.

Nobody did this by hand: the seeds open the proxy's port to the Internet, where anybody may write to the topics. With
``rest_proxy.exposure: internet`` it stays so, and nothing is done here.
"""

from __future__ import annotations

from datetime import timedelta
from typing import cast

from airflow.sdk import chain, task_group

from pinterest.operators.load_balancer import ListenerOperator, LoadBalancerOperator, TargetGroupOperator
from pinterest.operators.vpc_link import VpcLinkOperator
from pinterest_stages.tags import TAGS

EXPOSURE = "{{ settings().exposure }}"
NAME = "{{ settings().vpc_link }}"
PORT = "{{ settings().rest_proxy.port }}"


@task_group(group_id="vpc_link")
def vpc_link(instance_id: str, security_group: str) -> None:
    """:param instance_id: template expression for the id of the client machine's instance
    :param security_group: see :class:`~pinterest_stages.network.Network`
    """
    target_group = TargetGroupOperator(
        task_id="target_group",
        exposure=EXPOSURE,
        tags=TAGS,
        group_name=NAME,
        instance_id=f"{{{{ {instance_id} }}}}",
        port=PORT,
        execution_timeout=timedelta(minutes=5),
    )
    load_balancer = LoadBalancerOperator(
        task_id="load_balancer",
        exposure=EXPOSURE,
        tags=TAGS,
        load_balancer_name=NAME,
        instance_id=f"{{{{ {instance_id} }}}}",
        security_group=f"{{{{ {security_group} }}}}",
        execution_timeout=timedelta(minutes=15),
    )
    listener = ListenerOperator(
        task_id="listener",
        exposure=EXPOSURE,
        tags=TAGS,
        load_balancer=cast("str", load_balancer.output),
        target_group=cast("str", target_group.output),
        port=PORT,
        execution_timeout=timedelta(minutes=5),
    )
    link = VpcLinkOperator(
        task_id="link",
        exposure=EXPOSURE,
        tags=TAGS,
        link_name=NAME,
        load_balancer=cast("str", load_balancer.output),
        execution_timeout=timedelta(minutes=20),
    )
    chain([target_group, load_balancer], listener)
    chain(load_balancer, link)

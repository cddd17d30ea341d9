"""The triggers that wait for a load balancer, and for a VPC link."""

from __future__ import annotations

import asyncio
from unittest import mock

import pytest

from pinterest.hooks.api_gateway import ApiGatewayHook
from pinterest.hooks.load_balancer import LoadBalancerHook
from pinterest.triggers.vpc_link import LoadBalancerActiveTrigger, VpcLinkAvailableTrigger

AWS = {"aws_conn_id": "aws_default", "region_name": "us-east-1", "verify": None, "botocore_config": None}
WAIT = {"made": True, "waiter_delay": 0, "waiter_max_attempts": 2}
KINDS = [
    (LoadBalancerActiveTrigger, {"arn": "arn:lb"}, {"LoadBalancerArns": ["arn:lb"]}, LoadBalancerHook),
    (VpcLinkAvailableTrigger, {"link_id": "l1"}, {"vpcLinkId": "l1"}, ApiGatewayHook),
]


@pytest.mark.parametrize(("kind", "arguments", "asked", "hook"), KINDS)
def test_a_trigger_survives_the_database(kind, arguments, asked, hook):
    path, kept = kind(**arguments, **WAIT, **AWS).serialize()
    again = kind(**kept)

    assert path == f"pinterest.triggers.vpc_link.{kind.__name__}"
    assert again.serialize() == (path, kept)
    assert again.waiter_args == asked
    assert isinstance(again.hook(), hook)


@pytest.mark.parametrize(
    ("trigger", "waiter", "told"),
    [
        (
            LoadBalancerActiveTrigger(arn="arn:lb", **WAIT),
            "load_balancer_active",
            {"load_balancer": {"arn": "arn:lb", "made": True}},
        ),
        (
            VpcLinkAvailableTrigger(link_id="l1", **WAIT),
            "vpc_link_available",
            {"vpc_link": {"link_id": "l1", "made": True}},
        ),
    ],
)
def test_a_trigger_tells_of_what_it_is_and_whether_it_was_made(monkeypatch, trigger, waiter, told):
    monkeypatch.setattr("airflow.providers.amazon.aws.triggers.base.async_wait", mock.AsyncMock())
    hook = mock.MagicMock(get_async_conn=mock.AsyncMock())
    monkeypatch.setattr(trigger, "hook", lambda: hook)

    async def first_event():
        return await anext(trigger.run())

    assert asyncio.run(first_event()).payload == {"status": "success", **told}
    assert hook.get_waiter.call_args.args == (waiter,)

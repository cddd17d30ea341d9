"""AWS clients whose answers a test lists beforehand: botocore checks each request and answer by the service's model."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from functools import cache
from typing import Any
from unittest import mock

import boto3
import pytest
from airflow.providers.amazon.aws.hooks.ssm import SsmHook
from botocore.stub import Stubber

from pinterest.hooks.api_gateway import ApiGatewayHook
from pinterest.hooks.ec2 import Ec2AccountHook
from pinterest.hooks.iam import IamHook
from pinterest.hooks.kinesis import KinesisStreamHook
from pinterest.hooks.load_balancer import LoadBalancerHook
from pinterest.hooks.msk import MskHook
from pinterest.hooks.msk_connect import MskConnectHook
from pinterest.operators.kinesis import KinesisStreamLink
from pinterest.operators.msk_connect import MskConnectConnectorLink


@cache
def client_of(service: str) -> Any:
    """Made once: that takes longer than most tests."""
    return boto3.client(service, region_name="us-east-1")


@contextmanager
def stubbed(monkeypatch, hook_class, service: str) -> Iterator[Stubber]:
    """The hook's client, stubbed. At the end no answer may be left over."""
    client = client_of(service)
    with Stubber(client) as stub:
        monkeypatch.setattr(hook_class, "conn", client, raising=False)
        monkeypatch.setattr(hook_class, "_client", client, raising=False)
        monkeypatch.setattr(hook_class, "conn_region_name", "us-east-1", raising=False)
        monkeypatch.setattr(hook_class, "conn_partition", "aws", raising=False)
        yield stub
        stub.assert_no_pending_responses()


@pytest.fixture
def gateway(monkeypatch):
    with stubbed(monkeypatch, ApiGatewayHook, "apigateway") as stub:
        yield stub


@pytest.fixture
def parameters(monkeypatch):
    with stubbed(monkeypatch, SsmHook, "ssm") as stub:
        yield stub


@pytest.fixture
def iam(monkeypatch):
    with stubbed(monkeypatch, IamHook, "iam") as stub:
        yield stub


@pytest.fixture
def kinesis(monkeypatch):
    monkeypatch.setattr(KinesisStreamLink, "persist", mock.Mock())
    with stubbed(monkeypatch, KinesisStreamHook, "kinesis") as stub:
        yield stub


@pytest.fixture
def msk(monkeypatch):
    with stubbed(monkeypatch, MskHook, "kafka") as stub:
        yield stub


@pytest.fixture
def connect(monkeypatch):
    monkeypatch.setattr(MskConnectHook, "expand_role", lambda _, role: f"arn:aws:iam::000000000000:role/{role}")
    monkeypatch.setattr(MskConnectConnectorLink, "persist", mock.Mock())
    with stubbed(monkeypatch, MskConnectHook, "kafkaconnect") as stub:
        yield stub


@pytest.fixture
def ec2(monkeypatch):
    with stubbed(monkeypatch, Ec2AccountHook, "ec2") as stub:
        yield stub


@pytest.fixture
def balancing(monkeypatch):
    with stubbed(monkeypatch, LoadBalancerHook, "elbv2") as stub:
        yield stub

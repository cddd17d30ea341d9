"""What Airflow's own role may do is what the code calls, no more and no less: ``policies/airflow.json``, where it makes
the account ``policies/provision.json`` besides, for a VPC link ``policies/vpc_link.json``, for ``pinterest_teardown``
``policies/teardown.json``, and for the account's doctor ``policies/doctor.json``.

A call is found by its name: an attribute, or a text for a paginator, that is an operation of one of the services.
An operation whose name is put together while it runs is not found, so the code spells them out.
"""

from __future__ import annotations

import ast
import json
from functools import cache
from pathlib import Path

import botocore.session
import pytest
from botocore import xform_name
from botocore.model import ServiceModel

from include.aws.inventory import KINDS, TagCall
from include.aws.permissions import permission, policies_with
from include.aws.policies import policy
from tests import iam
from tests.builders import settings

ROOT = Path(__file__).parents[2]
CODE = ("dags", "plugins", "include")
SERVICES = (
    *("apigateway", "ec2", "elbv2", "iam", "kafka", "kafkaconnect", "kinesis", "logs", "s3", "service-quotas"),
    *("sns", "ssm"),
)

OF_PROVIDER_METHODS = {"get_parameter_value": "ssm:GetParameter"}
OF_ONE_SERVICE = {
    "list_tags_for_resource": "kafkaconnect:ListTagsForResource",
    "tag_resource": "kafkaconnect:TagResource",
    "describe_tags": "elasticloadbalancing:DescribeTags",
    "put_integration": "apigateway:PUT",
}
"""Operations that several services have, and that only the modules of one of them call."""

TABLE = ROOT / "include/aws/inventory.py"
"""Spells operations that several services have; here, they are taken from its ``KINDS``."""


@pytest.fixture(scope="module")
def actions() -> dict[str, str]:
    """The IAM action for each name that a boto3 client, or the provider's hook, has for an operation."""
    found = dict(OF_PROVIDER_METHODS)
    for service in SERVICES:
        found |= actions_of(service)
    return {**found, **OF_ONE_SERVICE}


@cache
def model_of(service: str) -> ServiceModel:
    return botocore.session.get_session().get_service_model(service)


@cache
def actions_of(service: str) -> dict[str, str]:
    model = model_of(service)
    return {
        xform_name(name): permission(service, name, model.operation_model(name).http["method"])
        for name in model.operation_names
    }


def of_the_inventory() -> set[str]:
    found = set()
    for kind in KINDS.values():
        own = actions_of(kind.service)
        found |= {own[kind.operation]} | ({own[kind.tags.operation]} if isinstance(kind.tags, TagCall) else set())
    return found


@cache
def names(source: str) -> frozenset[str]:
    """Attributes, and texts such as a paginator's operation."""
    nodes = list(ast.walk(ast.parse(source)))
    texts = {node.value for node in nodes if isinstance(node, ast.Constant) and isinstance(node.value, str)}
    return frozenset(texts | {node.attr for node in nodes if isinstance(node, ast.Attribute)})


def called(actions: dict[str, str]) -> set[str]:
    sources = [path.read_text() for folder in CODE for path in (ROOT / folder).rglob("*.py") if path != TABLE]
    found = {actions[name] for source in sources for name in names(source) if name in actions} | of_the_inventory()
    found |= {"s3:DeleteObjectVersion"} if "s3:DeleteObject" in found else set()  # of all versions
    for path in (ROOT / "plugins/pinterest/waiters").glob("*.json"):
        waiters = json.loads(path.read_text())["waiters"].values()
        own = actions_of(path.stem)
        found |= {own[xform_name(waiter["operation"])] for waiter in waiters}
    return found.union(*(iam.ASKED_ALONG.get(action, set()) for action in found))


POLICIES = ("airflow", "provision", "teardown", "vpc_link", "doctor")


def test_airflows_policies_allow_what_the_code_calls(actions):
    everything = settings(kafka_client={}, notify={"topic_arn": "arn:aws:sns:us-east-1:123456789012:told"})
    allowed = [iam.actions(policy(name, everything, "123456789012")) for name in POLICIES]

    assert set().union(*allowed) == called(actions)


def test_whoever_lacks_a_permission_is_told_a_policy_that_has_it(actions):
    assert [action for action in called(actions) if not policies_with(action)] == []


def test_what_only_a_teardown_needs_is_a_policy_of_its_own():
    document = policy("airflow", settings(), "123456789012")
    removing = ("Remove", "See", "ListEvery", "ListVpc", "ListAll")
    more = policy("teardown", settings(), "123456789012")

    assert all(statement["Sid"].startswith(removing) for statement in more["Statement"])
    assert {grant for grant in iam.grants(more) if iam.allows(document, *grant)} == set()


def test_no_two_services_have_an_operation_of_the_same_name_that_is_called(actions):
    wanted = called(actions)
    owners: dict[str, list[str]] = {}
    for service in SERVICES:
        for operation in model_of(service).operation_names:
            owners.setdefault(xform_name(operation), []).append(service)

    shared = [name for name, found in owners.items() if len(found) > 1 and actions[name] in wanted]
    assert set(shared) == set(OF_ONE_SERVICE)
    paths = [path for folder in CODE for path in (ROOT / folder).rglob("*.py") if path != TABLE]
    calling = {path.name for path in paths if OF_ONE_SERVICE.keys() & names(path.read_text())}
    assert calling == {"msk_connect.py", "load_balancer.py", "api_gateway.py", "api_gateway_backend.py"}


@pytest.mark.parametrize(
    ("line", "action"),
    [
        ("hook.conn.put_gateway_response(**which)", "apigateway:PUT"),
        ("self.conn.get_paginator('list_custom_plugins')", "kafkaconnect:ListCustomPlugins"),
        ("ssm.get_parameter_value(parameter)", "ssm:GetParameter"),
        ("Change('', 'stop_stream_encryption', {})", "kinesis:StopStreamEncryption"),
        ("s3.head_object(Bucket=bucket)", "s3:GetObject"),
    ],
)
def test_a_call_is_found(actions, line, action):
    assert {actions[name] for name in names(line) if name in actions} == {action}

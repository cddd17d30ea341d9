"""What a policy document allows: actions and resources with IAM's wildcards. Conditions are taken as met."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping
from typing import Any, NamedTuple

OF_A_VPC_LINK = {
    "ec2:DeleteVpcEndpointServiceConfigurations",
    "ec2:DescribeVpcEndpointServiceConfigurations",
    "ec2:ModifyVpcEndpointServicePermissions",
}

ASKED_ALONG = {
    "apigateway:DELETE": OF_A_VPC_LINK,
    "apigateway:POST": {"ec2:CreateVpcEndpointServiceConfiguration", "iam:CreateServiceLinkedRole", *OF_A_VPC_LINK},
    "ec2:CreateSecurityGroup": {"ec2:CreateTags"},
    "ec2:CreateVpcEndpoint": {"ec2:CreateTags"},
    "ec2:ImportKeyPair": {"ec2:CreateTags"},
    "ec2:RunInstances": {"ec2:CreateTags", "iam:PassRole"},
    "elasticloadbalancing:CreateLoadBalancer": {
        "elasticloadbalancing:AddTags",
        "ec2:DescribeAccountAttributes",
        "ec2:DescribeAddresses",
        "ec2:DescribeInternetGateways",
        "ec2:DescribeSecurityGroups",
        "ec2:DescribeSubnets",
        "ec2:DescribeVpcs",
        "iam:CreateServiceLinkedRole",
    },
    "elasticloadbalancing:CreateListener": {"elasticloadbalancing:AddTags"},
    "elasticloadbalancing:CreateTargetGroup": {
        "elasticloadbalancing:AddTags",
        "ec2:DescribeInternetGateways",
        "ec2:DescribeVpcs",
    },
    "elasticloadbalancing:RegisterTargets": {
        "ec2:DescribeInstances",
        "ec2:DescribeInternetGateways",
        "ec2:DescribeSubnets",
        "ec2:DescribeVpcs",
    },
    "iam:AddRoleToInstanceProfile": {"iam:PassRole"},
    "iam:CreateInstanceProfile": {"iam:TagInstanceProfile"},
    "iam:CreateRole": {"iam:TagRole"},
    "s3:CreateBucket": {"s3:TagResource"},
    "ssm:PutParameter": {"ssm:AddTagsToResource"},
    "kafka:CreateClusterV2": {
        "kafka:TagResource",
        "iam:AttachRolePolicy",
        "iam:CreateServiceLinkedRole",
        "iam:PutRolePolicy",
        "kms:CreateGrant",
        "kms:DescribeKey",
        "ec2:DescribeSecurityGroups",
        "ec2:DescribeSubnets",
        "ec2:DescribeVpcs",
    },
    "kinesis:CreateStream": {"kinesis:AddTagsToStream"},
    "kafkaconnect:CreateCustomPlugin": {"kafkaconnect:TagResource"},
    "kafkaconnect:CreateWorkerConfiguration": {"kafkaconnect:TagResource"},
    "kafkaconnect:CreateConnector": {
        "kafkaconnect:TagResource",
        "iam:PassRole",
        "iam:CreateServiceLinkedRole",
        "ec2:CreateNetworkInterface",
        "ec2:DescribeSecurityGroups",
        "ec2:DescribeSubnets",
        "ec2:DescribeVpcs",
        "logs:CreateLogDelivery",
        "logs:DescribeLogGroups",
        "logs:DescribeResourcePolicies",
        "logs:GetLogDelivery",
        "logs:ListLogDeliveries",
        "logs:PutResourcePolicy",
    },
    "kafkaconnect:DeleteConnector": {"logs:DeleteLogDelivery"},
    "logs:CreateLogGroup": {"logs:TagResource"},
}
"""What else a service wants its caller to be allowed, for the requests as they are made here."""

NEEDS_NO_PERMISSION = {"sts:GetCallerIdentity"}


class Grant(NamedTuple):
    """One action on one resource, as a statement names them."""

    action: str
    resource: str

    def covers(self, action: str, resource: str) -> bool:
        """Actions are the same in any case, resources are not."""
        return matches(self.action.lower(), action.lower()) and matches(self.resource, resource)


def grants(document: Mapping[str, Any]) -> Iterator[Grant]:
    for statement in document["Statement"]:
        assert statement["Effect"] == "Allow", statement
        for action in as_list(statement["Action"]):
            for resource in as_list(statement["Resource"]):
                yield Grant(action, resource)


def allows(document: Mapping[str, Any], action: str, resource: str) -> bool:
    return any(grant.covers(action, resource) for grant in grants(document))


def unused(document: Mapping[str, Any], calls: Iterable[tuple[str, str]]) -> set[Grant]:
    """Grants that no call of ``calls`` (action, resource) needs."""
    made = set(calls)
    return {grant for grant in grants(document) if not any(grant.covers(*call) for call in made)}


def actions(document: Mapping[str, Any]) -> set[str]:
    return {grant.action for grant in grants(document)}


def as_list(value: str | list[str]) -> list[str]:
    return [value] if isinstance(value, str) else value


def matches(pattern: str, text: str) -> bool:
    """``*`` stands for any text, also with slashes, and ``?`` for one character."""
    wildcards = {"*": ".*", "?": "."}
    return re.fullmatch("".join(wildcards.get(part, re.escape(part)) for part in pattern), text, re.DOTALL) is not None

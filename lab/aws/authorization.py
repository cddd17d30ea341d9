"""What a call to ministack asks for in IAM's words: actions, and the resources that they are on.

ministack has the rules, for a mode in which it enforces policies. They are used here without that mode.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Any
from urllib.parse import parse_qs, unquote

from lab.aws.kinesis.records import RefusedError, ShardIterator
from lab.state import ACCOUNT, REGION, USER_ID

S3 = "s3"
EC2 = "ec2"
ELB = "elasticloadbalancing"
MADE_ON_ELB = {"CreateLoadBalancer": "loadbalancer/net", "CreateTargetGroup": "targetgroup"}
"""What is made by its name. Every other operation that changes something names one resource by its ARN."""
ON_EC2 = {
    "AuthorizeSecurityGroupIngress": ("security-group",),
    "CreateSecurityGroup": ("security-group", "vpc"),
    "CreateVpcEndpoint": ("vpc-endpoint", "vpc", "route-table"),
    "DeleteKeyPair": ("key-pair",),
    "DeleteSecurityGroup": ("security-group",),
    "DeleteVpcEndpoints": ("vpc-endpoint",),
    "GetConsoleOutput": ("instance",),
    "ImportKeyPair": ("key-pair",),
    "ModifyVpcEndpoint": ("vpc-endpoint", "route-table"),
    "RevokeSecurityGroupIngress": ("security-group",),
    "RunInstances": ("instance", "volume", "image", "subnet", "network-interface", "security-group", "key-pair"),
    "StartInstances": ("instance",),
    "TerminateInstances": ("instance",),
}
"""Kinds of resources that an operation of EC2 asks for; any other asks for none. Their names are not looked up."""
KEY_PAIR = f"{USER_ID}-key-pair"
CLUSTER = re.compile(r"/clusters/(arn:[^/]+/[^/]+/[^/]+)")
ITERATOR = re.compile(rb'"ShardIterator": ?"([^"]+)"')


def headers_of(scope: dict[str, Any]) -> dict[str, str]:
    return {name.decode("latin-1"): value.decode("latin-1") for name, value in scope["headers"]}


def query_of(scope: dict[str, Any]) -> dict[str, Any]:
    return parse_qs(scope["query_string"].decode(), keep_blank_values=True)


def key_of(scope: dict[str, Any]) -> str:
    """The access key, from the header or a presigned address."""
    from ministack.core import router

    return str(router.extract_access_key_id(headers_of(scope), query_of(scope)))


def is_s3(scope: dict[str, Any]) -> bool:
    from ministack.core import router

    return bool(router.detect_service(scope["method"], scope["path"], headers_of(scope), query_of(scope)) == S3)


def asked(scope: dict[str, Any], body: bytes) -> Iterator[tuple[str, str]]:
    """Pairs of action and resource; the resource is ``*`` where the action is on none."""
    from ministack.core import iam_actions, router

    method, headers, query = scope["method"], headers_of(scope), query_of(scope)
    path = scope.get("raw_path", b"").decode() or scope["path"]
    if headers.get("content-type", "").startswith("application/x-www-form-urlencoded"):
        query = {**parse_qs(body.decode(errors="replace"), keep_blank_values=True), **query}
    service = router.detect_service(method, path, headers, query)
    if service == ELB:
        yield on_elb(query)
        return
    if service == EC2:
        yield from on_ec2(str(query.get("Action", [""])[0]))
        return
    action = iam_actions.extract_iam_action(service, method, path, headers, body, query)
    if action is None:
        return
    region = router.extract_region(headers, query)
    resource = iam_actions.extract_resource_arn(service, method, path, headers, body, query, region, ACCOUNT)
    if profile := query.get("InstanceProfileName"):  # also where the call names a role, too
        resource = f"arn:aws:iam::{ACCOUNT}:instance-profile/{profile[0]}"
    yield action, resource_of(service, resource, unquote(path), body)
    if service == S3:
        for more, copied in iam_actions.s3_additional_checks(method, path, headers, body, query):
            yield more, unquote(copied)


def on_ec2(operation: str) -> Iterator[tuple[str, str]]:
    """ministack's rules name no resources of EC2."""
    for kind in ON_EC2.get(operation, ()):
        owner, name = "" if kind == "image" else ACCOUNT, KEY_PAIR if kind == "key-pair" else "any"
        yield f"ec2:{operation}", f"arn:aws:ec2:{REGION}:{owner}:{kind}/{name}"
    if operation not in ON_EC2:
        yield f"ec2:{operation}", "*"


def on_elb(query: dict[str, Any]) -> tuple[str, str]:
    """The first of the ARNs is what AWS asks for; operations that only read are on no resource."""
    given = {name: str(values[0]) for name, values in query.items()}
    operation = given.get("Action", "")
    if operation in MADE_ON_ELB:
        made = f"{MADE_ON_ELB[operation]}/{given.get('Name', '')}/0123456789abcdef"
        return f"{ELB}:{operation}", f"arn:aws:elasticloadbalancing:{REGION}:{ACCOUNT}:{made}"
    names = ("ListenerArn", "LoadBalancerArn", "TargetGroupArn")
    found = next((given[name] for name in names if name in given), "*")
    return f"{ELB}:{operation}", "*" if operation.startswith("Describe") else found


def resource_of(service: str, found: str, path: str, body: bytes) -> str:
    """The resource, where ministack's rules do not name it as AWS does."""
    cluster, iterator = CLUSTER.search(path), ITERATOR.search(body)
    if service == "kafka":
        return cluster[1] if cluster else "*"
    if service == "ssm":
        return found.replace(f":{ACCOUNT}:parameter/aws/", "::parameter/aws/")  # AWS's own are in no account
    if service == "kinesis" and found == "*" and iterator:
        try:
            return ShardIterator.of(iterator[1].decode()).stream_arn
        except RefusedError:
            return found
    return unquote(found) if service == S3 else found

"""What a call to ministack asks for in IAM's words: actions, and the resources that they are on.

ministack has the rules, for a mode in which it enforces policies. They are used here without that mode.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Any
from urllib.parse import parse_qs, unquote

from lab.aws.kinesis.records import RefusedError, ShardIterator
from lab.state import ACCOUNT

S3 = "s3"
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
    action = iam_actions.extract_iam_action(service, method, path, headers, body, query)
    if action is None:
        return
    region = router.extract_region(headers, query)
    resource = iam_actions.extract_resource_arn(service, method, path, headers, body, query, region, ACCOUNT)
    yield action, resource_of(service, resource, unquote(path), body)
    if service == S3:
        for more, copied in iam_actions.s3_additional_checks(method, path, headers, body, query):
            yield more, unquote(copied)


def resource_of(service: str, found: str, path: str, body: bytes) -> str:
    """The resource, where ministack's rules do not name it as AWS does."""
    cluster, iterator = CLUSTER.search(path), ITERATOR.search(body)
    if service == "kafka":
        return cluster[1] if cluster else "*"
    if service == "ec2":
        return "*"
    if service == "kinesis" and found == "*" and iterator:
        try:
            return ShardIterator.of(iterator[1].decode()).stream_arn
        except RefusedError:
            return found
    return unquote(found) if service == S3 else found

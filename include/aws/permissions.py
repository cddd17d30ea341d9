"""Which permission a call of AWS takes, and which of our policies has it."""

from __future__ import annotations

import re

from include.aws.policies import FOLDER, TEMPLATES

IAM_PREFIXES = {
    "elbv2": "elasticloadbalancing",
    "apigatewayv2": "apigateway",
    "service-quotas": "servicequotas",
}
S3_ACTIONS = {
    "CopyObject": "PutObject",
    "DeleteBucketLifecycle": "PutLifecycleConfiguration",
    "DeleteObjects": "DeleteObject",
    "GetBucketEncryption": "GetEncryptionConfiguration",
    "GetBucketLifecycleConfiguration": "GetLifecycleConfiguration",
    "GetPublicAccessBlock": "GetBucketPublicAccessBlock",
    "HeadBucket": "ListBucket",
    "HeadObject": "GetObject",
    "ListBuckets": "ListAllMyBuckets",
    "ListObjectVersions": "ListBucketVersions",
    "ListObjectsV2": "ListBucket",
    "PutBucketEncryption": "PutEncryptionConfiguration",
    "PutBucketLifecycleConfiguration": "PutLifecycleConfiguration",
    "PutPublicAccessBlock": "PutBucketPublicAccessBlock",
}
"""Operations of S3 whose permission has another name."""

DENIED = frozenset(
    {"AccessDenied", "AccessDeniedException", "ForbiddenException", "UnauthorizedException", "UnauthorizedOperation"}
)
"""Codes with which services say that the caller may not do this."""

OF_AIRFLOW = ("airflow", "provision", "vpc_link", "teardown", "doctor")


def permission(service: str, operation: str, verb: str) -> str:
    """The IAM action of an operation. API Gateway's actions are HTTP verbs.

    :param service: boto3's name of the service
    :param operation: its name in the service's model
    :param verb: its HTTP verb
    """
    prefix = IAM_PREFIXES.get(service, service)
    if service == "s3":
        operation = S3_ACTIONS.get(operation, operation)
    return f"{prefix}:{verb if prefix == 'apigateway' else operation}"


def policies_with(action: str) -> list[str]:
    """Our policies for Airflow's role that have the action."""
    named = re.compile(rf'"{re.escape(action)}"')
    return [name for name in OF_AIRFLOW if named.search((TEMPLATES / FOLDER / f"{name}.json").read_text())]

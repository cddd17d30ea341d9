"""The bucket: how it is made, and what keeps it private, encrypted and recoverable."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from include.aws.ownership import as_pairs
from include.aws.policies import Document

NO_CONSTRAINT = "us-east-1"
"""The region whose buckets S3 makes without being told the region; it does not take its name."""

NO_PUBLIC_ACCESS = dict.fromkeys(
    ("BlockPublicAcls", "IgnorePublicAcls", "BlockPublicPolicy", "RestrictPublicBuckets"), True
)
ENCRYPTION = {"Rules": [{"ApplyServerSideEncryptionByDefault": {"SSEAlgorithm": "AES256"}}]}
VERSIONING = {"Status": "Enabled"}


def create_request(bucket: str, region: str, tags: Mapping[str, str]) -> dict[str, Any]:
    """The arguments of ``CreateBucket``. The tags come with it, so no bucket of ours is ever without them."""
    place = {} if region == NO_CONSTRAINT else {"LocationConstraint": region}
    return {"Bucket": bucket, "CreateBucketConfiguration": {**place, "Tags": as_pairs(tags)}}


def tls_only(bucket: str) -> Document:
    """The bucket policy's statement that refuses everything that comes without TLS."""
    statement = {
        "Sid": "TlsOnly",
        "Effect": "Deny",
        "Principal": "*",
        "Action": "s3:*",
        "Resource": [f"arn:aws:s3:::{bucket}", f"arn:aws:s3:::{bucket}/*"],
        "Condition": {"Bool": {"aws:SecureTransport": "false"}},
    }
    return {"Version": "2012-10-17", "Statement": [statement]}


def is_encrypted(configuration: Mapping[str, Any]) -> bool:
    """Whether new objects are encrypted by default, whatever the key."""
    return any(
        rule.get("ApplyServerSideEncryptionByDefault", {}).get("SSEAlgorithm")
        for rule in configuration.get("Rules", [])
    )

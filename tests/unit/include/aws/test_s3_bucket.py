"""How the bucket is made, by S3's own model."""

from __future__ import annotations

import boto3
import pytest
from botocore.stub import Stubber

from include.aws.s3_bucket import ENCRYPTION, create_request, is_encrypted, tls_only
from tests.builders import BUCKET


@pytest.mark.parametrize(("region", "place"), [("us-east-1", {}), ("eu-west-1", {"LocationConstraint": "eu-west-1"})])
def test_a_bucket_is_made_in_its_region_with_its_tags(region, place):
    request = create_request(BUCKET, region, {"project": "p", "expires_at": ""})
    s3 = boto3.client("s3", region_name=region, aws_access_key_id="a", aws_secret_access_key="b")
    with Stubber(s3) as stub:
        stub.add_response("create_bucket", {}, request)
        s3.create_bucket(**request)

    assert request["CreateBucketConfiguration"] == {**place, "Tags": [{"Key": "project", "Value": "p"}]}


@pytest.mark.parametrize(
    ("found", "encrypted"),
    [
        ({}, False),
        ({"Rules": [{"BucketKeyEnabled": True}]}, False),
        (ENCRYPTION, True),
        ({"Rules": [{"ApplyServerSideEncryptionByDefault": {"SSEAlgorithm": "aws:kms"}}]}, True),
    ],
)
def test_any_key_encrypts(found, encrypted):
    assert is_encrypted(found) is encrypted


def test_the_bucket_and_all_in_it_are_reached_by_tls_only():
    [statement] = tls_only(BUCKET)["Statement"]

    assert statement["Resource"] == [f"arn:aws:s3:::{BUCKET}", f"arn:aws:s3:::{BUCKET}/*"]
    assert (statement["Effect"], statement["Condition"]) == ("Deny", {"Bool": {"aws:SecureTransport": "false"}})

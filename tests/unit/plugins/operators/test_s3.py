"""The bucket's lifecycle rules, read and written as a whole."""

from __future__ import annotations

import boto3
import pytest
from botocore.exceptions import ClientError
from botocore.stub import Stubber

from include.aws.s3_lifecycle import with_ours
from pinterest.operators.s3 import S3LifecycleOperator
from tests.builders import BUCKET

OTHERS = {"ID": "logs", "Status": "Enabled", "Filter": {"Prefix": "logs/"}, "Expiration": {"Days": 1}}
SIZE = {"TransitionDefaultMinimumObjectSize": "varies_by_storage_class"}


@pytest.fixture
def s3(monkeypatch):
    client = boto3.client("s3", region_name="us-east-1", aws_access_key_id="a", aws_secret_access_key="b")
    with Stubber(client) as stub:
        monkeypatch.setattr(S3LifecycleOperator, "hook", type("Hook", (), {"conn": client}))
        yield stub
        stub.assert_no_pending_responses()


def run(days="90"):
    S3LifecycleOperator(task_id="lifecycle", bucket=BUCKET, days=days).execute({})


def found(s3, *rules, **more):
    s3.add_response("get_bucket_lifecycle_configuration", {"Rules": [*rules], **more}, {"Bucket": BUCKET})


def refused(s3, code):
    s3.add_client_error("get_bucket_lifecycle_configuration", service_error_code=code)


def put(s3, *rules, **more):
    request = {"Bucket": BUCKET, "LifecycleConfiguration": {"Rules": [*rules]}, **more}
    s3.add_response("put_bucket_lifecycle_configuration", {}, request)


def test_a_bucket_without_rules_gets_ours(s3):
    refused(s3, "NoSuchLifecycleConfiguration")
    put(s3, *with_ours([], 90))

    run()


def test_rules_of_others_stay_with_what_holds_for_all(s3):
    found(s3, OTHERS, **SIZE)
    put(s3, OTHERS, *with_ours([], 90), **SIZE)

    run()


def test_a_rerun_changes_nothing(s3):
    found(s3, *with_ours([OTHERS], 90))

    run()


@pytest.mark.parametrize("others", [[], [OTHERS]])
def test_without_days_ours_are_removed(s3, others):
    found(s3, *with_ours(others, 90))
    if others:
        put(s3, OTHERS)
    else:
        s3.add_response("delete_bucket_lifecycle", {}, {"Bucket": BUCKET})

    run(days="")


def test_without_days_no_permission_is_needed(s3):
    refused(s3, "AccessDenied")

    run(days="")


def test_with_days_a_missing_permission_fails(s3):
    refused(s3, "AccessDenied")

    with pytest.raises(ClientError, match="AccessDenied"):
        run()

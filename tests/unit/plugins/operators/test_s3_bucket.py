"""The bucket: made once, private, and never anybody else's. botocore checks each request by S3's model."""

from __future__ import annotations

import json

import boto3
import pytest
from botocore.exceptions import ClientError
from botocore.stub import Stubber

from include.aws.policies import with_statements
from include.aws.s3_bucket import ENCRYPTION, NO_PUBLIC_ACCESS, create_request, tls_only
from include.faults import LastingError
from pinterest.operators.s3_bucket import S3BucketOperator
from pinterest.retry_policy import lasts
from tests.builders import BUCKET
from tests.unit.client_machine_parts import OURS, TAGS

ACCOUNT = "123456789012"
WHERE = {"Bucket": BUCKET, "ExpectedBucketOwner": ACCOUNT}
THEIRS = {"Sid": "Theirs", "Effect": "Allow", "Principal": {"AWS": "a"}, "Action": "s3:GetObject", "Resource": "*"}
ALL = ["without public access", "encrypted", "versioned", "by TLS only"]


@pytest.fixture
def s3(monkeypatch):
    client = boto3.client("s3", region_name="us-east-1", aws_access_key_id="a", aws_secret_access_key="b")
    with Stubber(client) as stub:
        monkeypatch.setattr(
            S3BucketOperator, "hook", type("Hook", (), {"conn": client, "conn_region_name": "us-east-1"})
        )
        yield stub
        stub.assert_no_pending_responses()


def ensure(provision="True"):
    operator = S3BucketOperator(task_id="bucket", bucket=BUCKET, account_id=ACCOUNT, provision=provision, tags=TAGS)
    return operator.execute({})


def found(s3, region="us-east-1"):
    s3.add_response("head_bucket", {"BucketRegion": region}, WHERE)


def missing(s3):
    s3.add_client_error("head_bucket", "404", http_status_code=404, expected_params=WHERE)


def made(s3):
    s3.add_response("create_bucket", {}, create_request(BUCKET, "us-east-1", TAGS))


def tagged(s3, tags=OURS):
    if tags is None:
        return s3.add_client_error("get_bucket_tagging", "NoSuchTagSet")
    return s3.add_response("get_bucket_tagging", {"TagSet": tags}, WHERE)


def settings_are(s3, *, access=NO_PUBLIC_ACCESS, encryption=ENCRYPTION, versioning="Enabled", policy=None):
    if access is None:
        s3.add_client_error("get_public_access_block", "NoSuchPublicAccessBlockConfiguration")
    else:
        s3.add_response("get_public_access_block", {"PublicAccessBlockConfiguration": access}, WHERE)
    if encryption is None:
        s3.add_client_error("get_bucket_encryption", "ServerSideEncryptionConfigurationNotFoundError")
    else:
        s3.add_response("get_bucket_encryption", {"ServerSideEncryptionConfiguration": encryption}, WHERE)
    s3.add_response("get_bucket_versioning", {"Status": versioning} if versioning else {}, WHERE)
    if policy is None:
        s3.add_client_error("get_bucket_policy", "NoSuchBucketPolicy")
    else:
        s3.add_response("get_bucket_policy", {"Policy": json.dumps(policy)}, WHERE)


def put(s3, *, access=True, encryption=True, versioning=True, policy=None):
    if access:
        request = {**WHERE, "PublicAccessBlockConfiguration": NO_PUBLIC_ACCESS}
        s3.add_response("put_public_access_block", {}, request)
    if encryption:
        s3.add_response("put_bucket_encryption", {}, {**WHERE, "ServerSideEncryptionConfiguration": ENCRYPTION})
    if versioning:
        s3.add_response("put_bucket_versioning", {}, {**WHERE, "VersioningConfiguration": {"Status": "Enabled"}})
    s3.add_response("put_bucket_policy", {}, {**WHERE, "Policy": json.dumps(policy or tls_only(BUCKET))})


def test_a_bucket_is_made_and_protected(s3):
    missing(s3)
    made(s3)
    settings_are(s3, access=None, encryption=None, versioning=None)
    tagged(s3)
    put(s3)

    assert ensure() == ["made", *ALL]


def test_a_rerun_changes_nothing(s3):
    found(s3)
    settings_are(s3, policy=tls_only(BUCKET))

    assert ensure() == []


def test_what_was_begun_is_completed(s3):
    found(s3)
    settings_are(s3, versioning=None)
    tagged(s3)
    put(s3, access=False, encryption=False)

    assert ensure() == ["versioned", "by TLS only"]


def test_what_others_undid_comes_back_and_their_statements_stay(s3):
    theirs = {"Version": "2012-10-17", "Statement": [THEIRS]}
    found(s3)
    settings_are(s3, access={**NO_PUBLIC_ACCESS, "BlockPublicPolicy": False}, versioning="Suspended", policy=theirs)
    tagged(s3)
    put(s3, encryption=False, policy=with_statements(theirs, tls_only(BUCKET)))

    assert ensure() == ["without public access", "versioned", "by TLS only"]


@pytest.mark.parametrize("tags", [None, [], OURS[:1]])
def test_a_bucket_of_others_is_adopted_as_it_is(s3, capsys, tags):
    found(s3)
    settings_are(s3, versioning=None)
    tagged(s3, tags)

    assert ensure() == []
    assert "was made by others, and is not: versioned, by TLS only" in capsys.readouterr().out


def test_a_bucket_that_another_run_makes_at_once_is_adopted(s3):
    missing(s3)
    s3.add_client_error("create_bucket", "BucketAlreadyOwnedByYou")
    settings_are(s3, policy=tls_only(BUCKET))

    assert ensure() == ["made by another run"]


def test_a_name_that_somebody_else_has_fails_the_task(s3):
    missing(s3)
    s3.add_client_error("create_bucket", "BucketAlreadyExists")

    with pytest.raises(LastingError, match=rf"s3://{BUCKET} belongs to another account.*Choose another user_id"):
        ensure()


def test_a_bucket_of_another_account_that_lets_us_in_fails_the_task(s3):
    s3.add_client_error("head_bucket", "403", http_status_code=403, expected_params=WHERE)

    with pytest.raises(LastingError, match=rf"belongs to another account than {ACCOUNT}, or .*s3:ListBucket"):
        ensure()


def test_a_bucket_in_another_region_fails_the_task(s3):
    found(s3, "eu-west-1")

    with pytest.raises(LastingError, match=r"is in eu-west-1, and the setting region is 'us-east-1'"):
        ensure()


@pytest.mark.parametrize(
    ("code", "lasting"), [("AccessDenied", True), ("TooManyBuckets", True), ("OperationAborted", False)]
)
def test_a_refusal_is_told_as_it_is(s3, code, lasting):
    missing(s3)
    s3.add_client_error("create_bucket", code, "role/airflow is not authorized to perform: s3:CreateBucket")

    with pytest.raises(ClientError, match=rf"{code}.*CreateBucket.*role/airflow") as error:
        ensure()
    assert lasts(error.value) is lasting


def test_where_nothing_is_made_a_bucket_is_only_found(s3):
    found(s3)

    assert ensure("False") == []


def test_where_nothing_is_made_a_missing_bucket_is_named(s3):
    missing(s3)

    with pytest.raises(LastingError, match=rf"s3://{BUCKET} does not exist: make it, or set account\.provision"):
        ensure("False")

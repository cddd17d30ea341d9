"""With what the stream notebook reads the data streams and the bucket, from its parameters."""

from __future__ import annotations

import json
from types import SimpleNamespace

import pytest

from pinterest_lake.stream_job import StreamJob

GIVEN = {
    "run_id": "r",
    "user_id": "0e36c8cd403d",
    "catalog": "main",
    "data_streams": json.dumps({"pin": "pins"}),
    "checkpoints": "s3a://bucket/checkpoints",
    "storage": "secret_scope",
}
SECRETS = {"aws_access_key_id": "AKIA", "aws_secret_access_key": "secret"}


class Widgets:
    def __init__(self, given):
        self.values = {}
        self.given = given

    def text(self, name, default):
        self.values[name] = default

    def get(self, name):
        return self.given.get(name, self.values[name])


def job(**given):
    configured = {}
    spark = SimpleNamespace(conf=SimpleNamespace(set=configured.__setitem__))
    dbutils = SimpleNamespace(
        widgets=Widgets({**GIVEN, **given}), secrets=SimpleNamespace(get=lambda scope, key: SECRETS[key])
    )
    return StreamJob.of_notebook(spark, dbutils), configured


def test_keys_read_bucket_and_data_streams():
    made, configured = job()

    assert made.credentials == {"awsAccessKey": "AKIA", "awsSecretKey": "secret"}
    assert configured["fs.s3a.bucket.bucket.access.key"] == "AKIA"


def test_a_service_credential_reads_the_data_streams_and_keys_the_bucket():
    made, configured = job(service_credential="kinesis")

    assert made.credentials == {"serviceCredential": "kinesis"}
    assert configured["fs.s3a.bucket.bucket.access.key"] == "AKIA"


def test_an_instance_profile_needs_no_credentials():
    made, configured = job(storage="instance_profile")

    assert made.credentials == {}
    assert not any(name.startswith("fs.") for name in configured)


def test_what_the_run_has_posted_may_lie_in_another_bucket_than_the_checkpoints():
    made, configured = job(progress="s3a://posts/posting/d/r.stream.json")

    assert made.progress == "s3a://posts/posting/d/r.stream.json"
    assert configured["fs.s3a.bucket.posts.access.key"] == "AKIA"
    assert job()[0].progress == ""


def test_no_job_without_a_catalog():
    with pytest.raises(ValueError, match="notebook parameter catalog is empty"):
        job(catalog="")

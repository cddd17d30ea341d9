"""Sessions that share botocore's models: parsed once a process, and else the provider's own."""

from __future__ import annotations

from unittest import mock

from airflow.providers.amazon.aws.hooks.base_aws import AwsConnectionWrapper
from botocore.loaders import JSONFileLoader

from lab.aws_sessions import MODELS, SharedModelsSessionFactory

ACCOUNT = {"aws_access_key_id": "a test's", "aws_secret_access_key": "a test's", "region_name": "eu-west-1"}


def new_session():
    connection = AwsConnectionWrapper(conn=None)
    return SharedModelsSessionFactory(conn=connection)._create_basic_session(ACCOUNT)


def test_a_model_is_parsed_once_for_all_sessions():
    new_session().client("ec2")
    parsed = []
    load = JSONFileLoader.load_file

    def counted(loader, path):
        parsed.append(path)
        return load(loader, path)

    with mock.patch.object(JSONFileLoader, "load_file", counted):
        client = new_session().client("ec2")

    assert parsed == []
    assert client.meta.region_name == "eu-west-1"


def test_sessions_keep_apart_what_is_theirs():
    one, other = new_session(), new_session()

    assert one.get_credentials() is not other.get_credentials()
    assert one.resource("s3").meta.client.meta.region_name == "eu-west-1"
    assert len(MODELS.search_paths) == len(set(MODELS.search_paths))

"""The four ways to read the bucket. Nothing is read here: what is set, and what address comes back."""

from __future__ import annotations

from types import SimpleNamespace

import pytest

from pinterest_lake.storage import StorageError, open_bucket

URI = "s3a://user-0e36c8cd403d-bucket/landing/dag/run/manifest.json"
KEY = "fs.s3a.bucket.user-0e36c8cd403d-bucket.access.key"
SECRET = "fs.s3a.bucket.user-0e36c8cd403d-bucket.secret.key"
SCOPE = {("pinterest", "aws_access_key_id"): "AK", ("pinterest", "aws_secret_access_key"): "s/k+"}


class DBUtils:
    def __init__(self):
        self.mounted = {}
        self.secrets = SimpleNamespace(get=lambda scope, key: SCOPE[scope, key])
        self.fs = SimpleNamespace(
            mounts=lambda: [SimpleNamespace(mountPoint=point) for point in self.mounted], mount=self.mount
        )

    def mount(self, source, mount_point):
        if mount_point in self.mounted:
            raise AssertionError(f"Directory already mounted: {mount_point}")
        self.mounted[mount_point] = source


@pytest.fixture
def session(spark):
    return spark.newSession()


@pytest.fixture(scope="module")
def credentials(spark, tmp_path_factory):
    path = str(tmp_path_factory.mktemp("storage") / "authentication_credentials")
    row = spark.createDataFrame([("AK", "s/k+")], "`Access key ID` STRING, `Secret access key` STRING")
    row.write.format("delta").option("delta.columnMapping.mode", "name").save(path)
    return path


def test_instance_profile_sets_nothing(session):
    assert open_bucket(session, DBUtils(), URI, mode="instance_profile") == URI
    assert session.conf.get(KEY, None) is None


def test_secret_scope_is_for_this_bucket_and_session(spark, session):
    assert open_bucket(session, DBUtils(), URI, mode="secret_scope", secret_scope="pinterest") == URI

    assert (session.conf.get(KEY), session.conf.get(SECRET)) == ("AK", "s/k+")
    assert session._jsparkSession.sessionState().newHadoopConf().get(SECRET) == "s/k+"
    assert spark.conf.get(KEY, None) is None


def test_credentials_table(session, credentials):
    assert open_bucket(session, DBUtils(), URI, mode="credentials_table", credentials_table=credentials) == URI
    assert (session.conf.get(KEY), session.conf.get(SECRET)) == ("AK", "s/k+")


def test_mount_is_made_once(session, credentials):
    databricks = DBUtils()

    for _ in range(2):
        uri = open_bucket(session, databricks, URI, mode="mount", credentials_table=credentials)
        assert uri == "dbfs:/mnt/user-0e36c8cd403d-bucket/landing/dag/run/manifest.json"
    assert databricks.mounted == {"/mnt/user-0e36c8cd403d-bucket": "s3a://AK:s%2Fk%2B@user-0e36c8cd403d-bucket"}


def test_an_unknown_mode_is_named(session):
    with pytest.raises(StorageError, match="got 'keys', expected one of instance_profile"):
        open_bucket(session, DBUtils(), URI, mode="keys")

"""The four ways to read the bucket. Nothing is read here: what is set, and what address comes back."""

from __future__ import annotations

from types import SimpleNamespace

import pytest

from pinterest_lake.storage import StorageError, keys, open_bucket

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


@pytest.fixture
def stored(session, tmp_path):
    """Stores a credentials table and returns its path."""

    def store(rows, *columns):
        frame = session.createDataFrame(rows, ", ".join(f"`{name}` STRING" for name in columns))
        frame.write.format("delta").option("delta.columnMapping.mode", "name").save(str(tmp_path / "credentials"))
        return str(tmp_path / "credentials")

    return store


@pytest.mark.parametrize(
    "columns",
    [
        ("\ufeffAccess key ID", "Secret access key"),
        ("ï»¿Access key ID", "Secret access key"),
        (" access key id ", "SECRET ACCESS KEY\t"),
        ("access_key_id", "secret_access_key"),
        ('\ufeff"Access key ID"', '"Secret access key"'),
    ],
)
def test_columns_as_a_csv_file_left_them(session, stored, columns):
    table = stored([("AK", " s/k+ ")] * 2, *columns)

    assert keys(session, DBUtils(), "credentials_table", credentials_table=table) == ["AK", "s/k+"]


def test_more_columns_in_another_order(session, stored):
    table = stored([("me", "s/k+", "AK")], "User name", "Secret access key", "Access key ID")

    assert keys(session, DBUtils(), "credentials_table", credentials_table=table) == ["AK", "s/k+"]


@pytest.mark.parametrize(
    ("rows", "columns", "said"),
    [
        (
            [("AK", "s/k+")],
            ("_c0", "_c1"),
            "has the columns '_c0', '_c1', expected 'Access key ID', 'Secret access key'$",
        ),
        ([("AK",)], ("Access key ID",), "has the columns 'Access key ID', expected"),
        ([], ("Access key ID", "Secret access key"), "has no row, expected one: a pair of keys"),
        ([("A", "b"), ("C", "d")], ("Access key ID", "Secret access key"), "has several rows, expected one"),
        ([("AK", None)], ("Access key ID", "Secret access key"), "has no value in 'Secret access key'"),
    ],
)
def test_what_is_wrong_with_the_table_is_named(session, stored, rows, columns, said):
    table = stored(rows, *columns)

    with pytest.raises(StorageError, match=rf"databricks.credentials_table: '{table}' {said}") as caught:
        keys(session, DBUtils(), "credentials_table", credentials_table=table)
    assert "s/k+" not in str(caught.value)


@pytest.mark.parametrize("table", ["spark_catalog.default.no_such_table", "/no/such/folder"])
def test_a_table_that_is_not_there_is_named(session, table):
    with pytest.raises(StorageError, match=rf"'{table}' cannot be read: .+ Expected a Delta table with the columns"):
        keys(session, DBUtils(), "credentials_table", credentials_table=table)


def test_a_secret_that_is_not_there_is_named(session):
    with pytest.raises(StorageError, match="the secret 'aws_access_key_id' of the scope 'other' cannot be read"):
        keys(session, DBUtils(), "secret_scope", secret_scope="other")


def test_mount_is_made_once(session, credentials):
    databricks = DBUtils()

    for _ in range(2):
        uri = open_bucket(session, databricks, URI, mode="mount", credentials_table=credentials)
        assert uri == "dbfs:/mnt/user-0e36c8cd403d-bucket/landing/dag/run/manifest.json"
    assert databricks.mounted == {"/mnt/user-0e36c8cd403d-bucket": "s3a://AK:s%2Fk%2B@user-0e36c8cd403d-bucket"}


def test_an_unknown_mode_is_named(session):
    with pytest.raises(StorageError, match="got 'keys', expected one of instance_profile"):
        open_bucket(session, DBUtils(), URI, mode="keys")

"""How a notebook may read the bucket: one of four ways, chosen by a setting."""

from __future__ import annotations

from typing import Any
from urllib.parse import quote

from pyspark.sql import SparkSession

from pinterest_lake.contract import STORAGE_MODES

SECRETS = ("aws_access_key_id", "aws_secret_access_key")
CREDENTIALS = ("Access key ID", "Secret access key")


class StorageError(ValueError):
    """A storage setting is wrong. The message names it, its value and what is expected."""


def open_bucket(
    spark: SparkSession, dbutils: Any, uri: str, *, mode: str, secret_scope: str = "", credentials_table: str = ""
) -> str:
    """Make the bucket of ``uri`` readable; return the address to read ``uri`` at from then on.

    ``instance_profile``: the cluster may read it already. ``secret_scope`` and ``credentials_table``: with the keys
    stored there, for this bucket and this session only. ``mount``: under ``/mnt/<bucket>``; a bucket that is not
    mounted yet is mounted with the table's keys, as the seeds did. Raises StorageError for any other mode.
    """
    _check(mode)
    scheme, _, address = uri.partition("://")
    bucket, _, key = address.partition("/")
    if mode in ("secret_scope", "credentials_table"):
        _use(spark, bucket, keys(spark, dbutils, mode, secret_scope=secret_scope, credentials_table=credentials_table))
    elif mode == "mount":
        mount_point = f"/mnt/{bucket}"
        if mount_point not in {mount.mountPoint for mount in dbutils.fs.mounts()}:
            access_key, secret_key = _from_table(spark, credentials_table)
            dbutils.fs.mount(f"{scheme}://{access_key}:{quote(secret_key, safe='')}@{bucket}", mount_point)
        return f"dbfs:{mount_point}/{key}"
    return uri


def keys(
    spark: SparkSession, dbutils: Any, mode: str, *, secret_scope: str = "", credentials_table: str = ""
) -> list[str]:
    """The access key and its secret, for what is not read through the bucket's address; empty if the cluster needs
    none."""
    _check(mode)
    if mode == "instance_profile":
        return []
    if mode == "secret_scope":
        return [dbutils.secrets.get(scope=secret_scope, key=name) for name in SECRETS]
    return _from_table(spark, credentials_table)


def _check(mode: str) -> None:
    if mode not in STORAGE_MODES:
        raise StorageError(f"databricks.storage: got {mode!r}, expected one of {', '.join(STORAGE_MODES)}")


def _use(spark: SparkSession, bucket: str, keys: list[str]) -> None:
    for name, value in zip(("access.key", "secret.key"), keys, strict=True):
        spark.conf.set(f"fs.s3a.bucket.{bucket}.{name}", value)


def _from_table(spark: SparkSession, table: str) -> list[str]:
    """The keys in the seeds' credentials table: a Delta table of one row, given by path or by name."""
    is_path = "/" in table
    credentials = spark.read.format("delta").load(table) if is_path else spark.table(table)
    row = credentials.select(*CREDENTIALS).first()
    if row is None:
        raise StorageError(f"databricks.credentials_table: {table!r} is empty, expected one row of {CREDENTIALS}")
    return [row[name] for name in CREDENTIALS]

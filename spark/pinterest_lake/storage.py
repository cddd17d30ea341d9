"""How a notebook may read the bucket: one of four ways, chosen by a setting."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any
from urllib.parse import quote

from pyspark.errors import PySparkException
from pyspark.sql import DataFrame, SparkSession

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
        return [_secret(dbutils, secret_scope, name) for name in SECRETS]
    return _from_table(spark, credentials_table)


def _check(mode: str) -> None:
    if mode not in STORAGE_MODES:
        raise StorageError(f"databricks.storage: got {mode!r}, expected one of {', '.join(STORAGE_MODES)}")


def _use(spark: SparkSession, bucket: str, keys: list[str]) -> None:
    for name, value in zip(("access.key", "secret.key"), keys, strict=True):
        spark.conf.set(f"fs.s3a.bucket.{bucket}.{name}", value)


def _secret(dbutils: Any, scope: str, name: str) -> str:
    try:
        return str(dbutils.secrets.get(scope=scope, key=name))
    except Exception as error:  # Databricks raises an error of the JVM
        raise StorageError(
            f"databricks.secret_scope: the secret {name!r} of the scope {scope!r} cannot be read: {_first_line(error)}"
        ) from error


def _from_table(spark: SparkSession, table: str) -> list[str]:
    """The keys in the seeds' credentials table: a Delta table of one row, given by path or by name.

    Its columns may be spelled as a CSV file left them: with a byte order mark, quotes, blanks, in any case.
    """
    is_path = "/" in table
    setting = f"databricks.credentials_table: {table!r}"
    try:
        credentials = spark.read.format("delta").load(table) if is_path else spark.table(table)
        named = _columns(credentials)
        if None in named.values():
            raise StorageError(
                f"{setting} has the columns {_listed(credentials.columns)}, expected {_listed(CREDENTIALS)}"
            )
        rows = credentials.select(*(credentials[f"`{name}`"] for name in named.values())).distinct().take(2)
    except PySparkException as error:
        raise StorageError(
            f"{setting} cannot be read: {_first_line(error)}. Expected a Delta table with the columns "
            f"{_listed(CREDENTIALS)}"
        ) from error
    if len(rows) != 1:
        raise StorageError(f"{setting} has {'no row' if not rows else 'several rows'}, expected one: a pair of keys")
    found = dict(zip(named, (str(value or "").strip() for value in rows[0]), strict=True))
    empty = [name for name, value in found.items() if not value]
    if empty:
        raise StorageError(f"{setting} has no value in {_listed(empty)}")
    return [*found.values()]


def _columns(credentials: DataFrame) -> dict[str, str | None]:
    """The table's own name of each column that is looked for, or None."""
    spelled = {_plain(name): name for name in credentials.columns}
    return {name: spelled.get(_plain(name)) for name in CREDENTIALS}


def _plain(name: str) -> str:
    """Without a byte order mark, also one that was read as Latin-1, without quotes, and with single blanks."""
    bare = name.replace("\ufeff", "").removeprefix("ï»¿")
    return " ".join(bare.replace("_", " ").replace('"', " ").split()).casefold()


def _listed(names: Iterable[str]) -> str:
    return ", ".join(map(repr, names))


def _first_line(error: Exception) -> str:
    return str(error).strip().partition("\n")[0]

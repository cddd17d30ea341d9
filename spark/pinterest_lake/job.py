"""One notebook's share of a run: its parameters, the bucket opened, the lake and the manifest at hand."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from pyspark.sql import SparkSession

from pinterest_lake.manifest import Manifest, read_manifest
from pinterest_lake.storage import open_bucket
from pinterest_lake.tables import Lake

PARAMETERS = {
    "manifest": "",
    "run_id": "",
    "catalog": "hive_metastore",
    "schema": "pinterest",
    "storage": "instance_profile",
    "secret_scope": "pinterest",
    "credentials_table": "/user/hive/warehouse/authentication_credentials",
}


@dataclass(frozen=True)
class Job:
    """What the notebooks do. Every step can be run again: it then changes nothing and counts the same rows."""

    lake: Lake
    manifest: Manifest
    run_id: str

    @classmethod
    def of_notebook(cls, spark: SparkSession, dbutils: Any) -> Job:
        """Read the notebook's widgets, which the job's parameters fill."""
        for name, default in PARAMETERS.items():
            dbutils.widgets.text(name, default)
        given = {name: dbutils.widgets.get(name) for name in PARAMETERS}
        missing = [name for name in ("manifest", "run_id") if not given[name]]
        if missing:
            raise ValueError(f"notebook parameter {' and '.join(missing)} is empty; start the notebook from the DAG")
        uri = open_bucket(
            spark,
            dbutils,
            given["manifest"],
            mode=given["storage"],
            secret_scope=given["secret_scope"],
            credentials_table=given["credentials_table"],
        )
        lake = Lake(spark, given["catalog"], given["schema"])
        return cls(lake, read_manifest(spark, uri), given["run_id"])

"""One notebook's share of a run: its parameters, the bucket opened, the lake and the manifest at hand."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from pyspark.sql import SparkSession

from pinterest_lake import widgets
from pinterest_lake.manifest import Manifest, read_manifest
from pinterest_lake.storage import open_bucket
from pinterest_lake.tables import Lake


@dataclass(frozen=True)
class Job:
    """What the batch notebooks work with. Every step can be repeated: it then changes nothing and counts the same
    rows."""

    lake: Lake
    manifest: Manifest
    run_id: str

    @classmethod
    def of_notebook(cls, spark: SparkSession, dbutils: Any) -> Job:
        """Read the notebook's widgets, which the job's parameters fill.

        Raises ValueError if a parameter is missing, StorageError or ManifestError if one is wrong.
        """
        given = widgets.read(dbutils, "batch")
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

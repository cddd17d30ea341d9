"""One notebook's share of a run: its parameters, the bucket opened, the lake and the manifest at hand."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from pyspark.sql import SparkSession

from pinterest_lake import widgets
from pinterest_lake.manifest import Manifest, read_manifest
from pinterest_lake.session_settings import FEW_ROWS, MANY, interpreted
from pinterest_lake.storage import open_bucket
from pinterest_lake.tables import Lake, silver_table


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

    def plan_load(self) -> None:
        """Plan the load's queries by how much the run has landed. The session is the notebook's own."""
        self._plan(sum(landed.size for landed in self.manifest.topics.values()))

    def plan_clean(self, entity: str) -> None:
        """Plan the cleaning's queries by how much the run has landed, and by what silver holds."""
        with interpreted(self.lake.spark):  # Delta has the count in its log
            stored = self.lake.table(silver_table(entity)).count()
        self._plan(self.manifest.topics[entity].size + stored)

    def _plan(self, rows: int) -> None:
        if rows < MANY:
            for name, value in FEW_ROWS.items():
                self.lake.spark.conf.set(name, value)

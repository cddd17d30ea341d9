"""One run of the batch on a lake, step by step as the notebooks do it."""

from __future__ import annotations

from pinterest_lake import bronze, silver
from pinterest_lake.manifest import read_manifest


def load(lake, uri, entity="pin", run_id="run"):
    return bronze.load(lake, read_manifest(lake.spark, uri), entity, run_id)


def clean(lake, uri, entity="pin", run_id="run"):
    return silver.refresh(lake, read_manifest(lake.spark, uri).topics[entity], entity, run_id)


def offsets(lake, partition, table="bronze_pin"):
    """The offsets that bronze holds of one partition, one for each row."""
    rows = lake.table(table).where(f"partition = {partition}").select("offset").collect()
    return sorted(row.offset for row in rows)


def version(lake, table):
    return lake.spark.sql(f"DESCRIBE HISTORY {lake.name(table)} LIMIT 1").first().version


def files(lake, table):
    return set(lake.table(table).inputFiles())

"""One run of the batch on a lake, step by step as the notebooks do it."""

from __future__ import annotations

from pinterest_lake import bronze, silver
from pinterest_lake.manifest import read_manifest


def load(lake, uri, stream="pin", run_id="run"):
    return bronze.load(lake, read_manifest(lake.spark, uri), stream, run_id)


def clean(lake, uri, stream="pin", run_id="run"):
    return silver.refresh(lake, read_manifest(lake.spark, uri).topics[stream], stream, run_id)


def positions(lake, table="bronze_pin"):
    return sorted((row.partition, row.offset) for row in lake.table(table).select("partition", "offset").collect())


def version(lake, table):
    return lake.spark.sql(f"DESCRIBE HISTORY {lake.name(table)} LIMIT 1").first().version


def files(lake, table):
    return set(lake.table(table).inputFiles())

# Databricks notebook source
# MAGIC %md
# MAGIC # Load: S3 objects to `bronze_pin`, `bronze_geo`, `bronze_user`
# MAGIC Reads the objects that the run's manifest names. Each (topic, partition, offset) is stored once, whatever is
# MAGIC replayed; unreadable lines go to `quarantine`. A rerun changes nothing.

# COMMAND ----------
import json

from pinterest_lake.bronze import bookmark, load_all
from pinterest_lake.job import Job
from pinterest_lake.lake_check import check_identity, check_tables, identity, tables_of_batch

job = Job.of_notebook(spark, dbutils)
job.plan_load()
check_tables(job.lake, tables_of_batch())
check_identity(job.lake, job.manifest.tables)
job.lake.create()

# COMMAND ----------
counts = load_all(job.lake, job.manifest, job.run_id)

# COMMAND ----------
quarantined = {entity: count.pop("quarantined") for entity, count in counts.items()}
dbutils.notebook.exit(
    json.dumps({"bronze": counts, "quarantined": quarantined, "bookmark": bookmark(job.manifest), **identity(job.lake, tables_of_batch())})
)

# Databricks notebook source
# MAGIC %md
# MAGIC # Stream: three Kinesis data streams to `<user id>_pin_table`, `_geo_table`, `_user_table`
# MAGIC One row per `ind`, the latest record wins; refused records go to `quarantine` with a reason. Takes what is there
# MAGIC and ends, or runs until it is canceled (`trigger`). A restart loses and repeats nothing.

# COMMAND ----------
import json

from pinterest_lake.lake_check import identity, tables_of_stream
from pinterest_lake.stream_counts import of_notebook
from pinterest_lake.stream_job import StreamJob
from pinterest_lake.stream_query import run

job = StreamJob.of_notebook(spark, dbutils)

# COMMAND ----------
counts = run(job)

# COMMAND ----------
dbutils.notebook.exit(json.dumps({"stream": counts, **of_notebook(job), **identity(job.lake, tables_of_stream(job.user_id))}))

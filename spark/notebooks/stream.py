# Databricks notebook source
# MAGIC %md
# MAGIC # Stream: three Kinesis data streams to `<user id>_pin_table`, `_geo_table`, `_user_table`
# MAGIC One row for each `ind`, the latest record wins; what may not pass goes to `quarantine` with its reason. Takes
# MAGIC what is there and ends, or runs until it is cancelled (`trigger`). A restart loses and repeats nothing.

# COMMAND ----------
import json

from pinterest_lake.stream_job import StreamJob
from pinterest_lake.stream_query import run

job = StreamJob.of_notebook(spark, dbutils)

# COMMAND ----------
dbutils.notebook.exit(json.dumps({"stream": run(job)}))

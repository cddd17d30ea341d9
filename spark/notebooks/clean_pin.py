# Databricks notebook source
# MAGIC %md
# MAGIC # Clean posts: `bronze_pin` to `pin`
# MAGIC Takes the lines that this run loaded, writes one row for each `ind`; what may not pass goes to `quarantine`
# MAGIC with its reason. A rerun changes nothing.

# COMMAND ----------
import json

from pinterest_lake.job import Job
from pinterest_lake.silver import refresh

job = Job.of_notebook(spark, dbutils)

# COMMAND ----------
counts = refresh(job.lake, job.manifest.topics["pin"], "pin", job.run_id)

# COMMAND ----------
dbutils.notebook.exit(json.dumps({"silver": {"pin": counts}}))

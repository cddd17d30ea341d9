# Databricks notebook source
# MAGIC %md
# MAGIC # Clean users: `bronze_user` to `user`
# MAGIC Takes the lines that this run loaded and writes one row per `ind`; refused records go to `quarantine` with a
# MAGIC reason. A rerun changes nothing.

# COMMAND ----------
import json

from pinterest_lake.job import Job
from pinterest_lake.silver import refresh

job = Job.of_notebook(spark, dbutils)

# COMMAND ----------
job.plan_clean("user")
counts = refresh(job.lake, job.manifest.topics["user"], "user", job.run_id)

# COMMAND ----------
dbutils.notebook.exit(json.dumps({"silver": {"user": counts}}))

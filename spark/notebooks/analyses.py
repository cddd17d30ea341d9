# Databricks notebook source
# MAGIC %md
# MAGIC # Analyses: `pin`, `geo`, `user` to `posts`, and `posts` to the gold tables
# MAGIC Brings `posts` up to date with what changed; the same silver gives the same tables.

# COMMAND ----------
import json

from pinterest_lake.gold import refresh
from pinterest_lake.job import Job

job = Job.of_notebook(spark, dbutils)

# COMMAND ----------
dbutils.notebook.exit(json.dumps(refresh(job.lake)))

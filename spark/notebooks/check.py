# Databricks notebook source
# MAGIC %md
# MAGIC # Check: storage, schema and tables, before anything is posted
# MAGIC Opens the bucket, creates the schema if it is missing, and compares the columns of the tables that exist. Writes no
# MAGIC row; returns the tables' ids.

# COMMAND ----------
import json

from pinterest_lake import lake_check

# COMMAND ----------
dbutils.notebook.exit(json.dumps(lake_check.of_notebook(spark, dbutils)))

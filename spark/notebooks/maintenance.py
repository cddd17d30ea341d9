# Databricks notebook source
# MAGIC %md
# MAGIC # Maintenance: few files, and none that no recent version has
# MAGIC Compacts tables of many small files, deletes files that have been out of use for days, and rows of `stream_batches`
# MAGIC that are older than any run is kept. Changes no row of any other table. A rerun finds little to do.

# COMMAND ----------
import json

from pinterest_lake import maintenance

# COMMAND ----------
dbutils.notebook.exit(json.dumps(maintenance.of_notebook(spark, dbutils)))

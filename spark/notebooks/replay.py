# Databricks notebook source
# MAGIC %md
# MAGIC # Replay: second chances for refused records, and silver made anew
# MAGIC With `dry_run`, it counts and lists what it would do, and writes nothing. A second run changes nothing.

# COMMAND ----------
import json

from pinterest_lake.replay import Replay, run

replay = Replay.of_notebook(spark, dbutils)

# COMMAND ----------
dbutils.notebook.exit(json.dumps(run(replay)))

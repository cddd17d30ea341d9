"""The lab's Databricks cluster: one resident Spark session that runs notebooks and SQL statements.

Run with the Spark environment's interpreter: ``{envs/spark}/bin/python -m lab.spark_worker``. One process, because an
embedded Derby metastore has one owner and a warm session starts a notebook in a second, a cold one in fifteen.

What a notebook sees as on Databricks: source format with cells, ``%md``, ``%sql``, ``%run``; ``spark``, ``sc``,
``dbutils``, ``display``; its own folder on ``sys.path``; a session of its own; Delta as the default table format.

Known differences:
- one Python process for all tasks: a library is imported afresh when no other task of its folder runs; threads that a
  notebook leaves behind live on in the worker;
- ``SparkSession.builder.getOrCreate()`` gives the worker's base session, not the notebook's (use ``spark``);
- cancel stops Spark work and Python code at once, but a call that blocks outside both (``time.sleep``, a socket) ends
  first; after a minute the run is given up as canceled;
- the value of a cell's last expression is not shown; ``%pip``, ``%sh``, ``%fs``, ``dbutils.notebook.run`` and task
  values fail;
- ``spark.sql(text, args=…)`` binds nothing: Delta 4.4's parser drops the arguments on Spark 4.1;
- one catalog, ``spark_catalog``: no ``USE CATALOG``, ``GRANT``, volumes or ``read_files``.
"""

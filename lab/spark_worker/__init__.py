"""The lab's Databricks cluster: one resident Spark session that runs notebooks and SQL statements.

Run with the Spark environment's interpreter: ``{envs/spark}/bin/python -m lab.spark_worker``. It is a single process,
because an embedded Derby metastore has one owner, and a warm session starts a notebook in a second, a cold one in
fifteen.

``<state>/spark-defaults.conf``, where it exists, holds settings of Spark that replace the lab's, one ``name value`` a
line, from the worker's next start on.

A notebook finds what it finds on Databricks: source format with cells, ``%md``, ``%sql``, ``%run``; ``spark``, ``sc``,
``dbutils``, ``display``; its own folder on ``sys.path``; its own session; Delta as the default table format.

Known differences:
- all tasks share one Python process: a library is imported afresh only if no other task of its folder is running;
  threads that a notebook leaves behind live on in the worker;
- ``SparkSession.builder.getOrCreate()`` returns the worker's base session, not the notebook's (use ``spark``);
- cancel stops Spark work and Python code at once, but a call that blocks outside both (``time.sleep``, a socket)
  finishes first; after a minute the run is reported as canceled anyway;
- the value of a cell's last expression is not shown; ``%pip``, ``%sh``, ``%fs``, ``dbutils.notebook.run`` and task
  values fail;
- ``spark.sql(text, args=…)`` binds nothing: Delta 4.4's parser drops the arguments on Spark 4.1;
- there is one catalog, ``spark_catalog``: no ``USE CATALOG``, ``GRANT``, volumes or ``read_files``.
"""

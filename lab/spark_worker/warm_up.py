"""Speeds up the first notebook: loads the classes of the metastore, Delta and JSON in advance."""

from __future__ import annotations

import logging
import shutil
import time
from pathlib import Path

from pyspark.sql import SparkSession

log = logging.getLogger("lab.spark_worker")


def warm_up(base: SparkSession, scratch: Path) -> None:
    """Write, merge and read a small private Delta table. A failure is only logged."""
    began = time.monotonic()
    folder = scratch / "warm_up"
    try:
        spark = base.newSession()
        spark.sql("SHOW TABLES").collect()
        rows = spark.sql("""SELECT 1 AS ind, '{"a": 1}' AS line""")
        rows.write.format("delta").save(str(folder))
        rows.createOrReplaceTempView("rows")
        spark.sql(
            f"MERGE INTO delta.`{folder}` AS kept USING rows ON kept.ind = rows.ind "
            "WHEN MATCHED THEN UPDATE SET * WHEN NOT MATCHED THEN INSERT *"
        )
        spark.sql(f"SELECT from_json(line, 'a int').a AS a, count(*) FROM delta.`{folder}` GROUP BY 1").collect()
        log.info("warmed up in %.1f s", time.monotonic() - began)
    except Exception:
        log.exception("warm-up failed; the first notebook will be slow")
    finally:
        shutil.rmtree(folder, ignore_errors=True)

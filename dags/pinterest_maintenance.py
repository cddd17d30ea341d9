"""The weekly part: a lake of few files, which keeps no file for good that no version needs.

**Does**: looks after every table that the other DAGs write, of the batch and of the stream. Tables of many small files
are compacted, files that have been in no version for a week are deleted, and `stream_batches` forgets batches older
than `maintenance.run_days`. Tables of Unity Catalog that predictive optimization looks after are left to Databricks.
The task `lake_maintenance.maintenance` returns what was done, by table.

**Params**: none; the settings `maintenance.*` say how long what is kept, and who looks after the tables.

**Reruns**: safe at any task and at any time, also beside the other DAGs: no row changes, a commit that meets another
one is tried again, and whoever reads a version of the last days finds its files. A second run finds little to do.

**Fails when**: a table of one of the pipeline's names is somebody else's, or the job fails on Databricks.

**Undo**: nothing needs to be undone. Pause this DAG to keep every version; the tables then grow with every run.
"""

from __future__ import annotations

from datetime import timedelta

from airflow.sdk import dag

from pinterest.dag_defaults import DAG_DEFAULTS, Tag
from pinterest_stages.lake_maintenance import lake_maintenance
from pinterest_stages.release import CODE


@dag(
    dag_id="pinterest_maintenance",
    schedule="@weekly",
    dagrun_timeout=timedelta(hours=3),
    tags=[Tag.MAINTENANCE, CODE],
    doc_md=__doc__,
    **DAG_DEFAULTS,
)
def pinterest_maintenance() -> None:
    lake_maintenance()


pinterest_maintenance()

"""The way back: everything that the other DAGs made is removed, and an inventory proves that nothing of it bills.

**Does**: removes what has the tags `project=pinterest-pipeline` and `user_id=<user_id>`, in dependency order: the jobs
on Databricks and their runs, the REST API with its usage plan, key, parameter and role, the connector with its plugin
and worker configuration, the data streams (**the records that they still keep go with them**), and an MSK cluster that
the pipeline created (**all topics go with it**), machine and network. On the client machine, it stops the REST proxy
and removes the files that the pipeline put there; in the workspace, the uploaded code; in the bucket, the lifecycle
rules. What others made is left and listed. Then it lists, in every service, all that has the tags or the user id in its
name, and fails if anything of ours is left that should not be. Pause the other DAGs first.

**Params**: `dry_run` (the default) lists all this and changes nothing. `keep` names what stays. `delete_data_of`
repeats the bucket's name to delete data, too: topics, objects in the bucket with all versions, the lake's tables.
Without it, they stay, and so do Kafka's tools on the client machine. `only_expired` removes only what is past its tag
`expires_at`, and is the reaper of forgotten trials.

**Reruns**: safe at any task and at any time. What is gone already is a success; a second teardown changes nothing.
`pinterest_pipeline` makes everything again: posts go on where they stopped, and new data streams are read from their
beginning.

**Fails when**: `delete_data_of` is not the bucket's name (nothing was removed), a permission is missing (it is named,
with the role that lacks it), a service refuses, or something of ours is left (each is named).

**Undo**: run `pinterest_pipeline`. Deleted data does not come back; Databricks keeps dropped tables of Unity Catalog
for seven days (`UNDROP TABLE`).
"""

from __future__ import annotations

from datetime import timedelta

from airflow.sdk import dag

from pinterest.dag_defaults import DAG_DEFAULTS, Tag
from pinterest.teardown_params import TEARDOWN_PARAMS
from pinterest_stages.release import CODE
from pinterest_stages.teardown import teardown


@dag(
    dag_id="pinterest_teardown",
    schedule=None,
    is_paused_upon_creation=False,
    dagrun_timeout=timedelta(hours=3),
    params=TEARDOWN_PARAMS,
    tags=[Tag.SETUP, CODE],
    doc_md=__doc__,
    **DAG_DEFAULTS,
)
def pinterest_teardown() -> None:
    teardown()


pinterest_teardown()

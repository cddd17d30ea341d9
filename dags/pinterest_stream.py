"""The part that repeats every hour: post to Kinesis, bring the tables up to date, and count.

**Does**: runs the stream half of `pinterest_pipeline` on what that DAG has set up. Rows go through the REST API into
three Kinesis data streams; a Databricks job reads them, cleans the records and merges them into the three
`<user_id>_…_table`s. The setting `lake_stream.trigger` decides how the job runs. With `available_now`, every run of
this DAG starts the job, which ends when nothing is left to read. With `processing_time`, the job runs all the time, and
rows are in the tables seconds after they are posted; a run of this DAG starts the job if it is not running, and
otherwise watches it.

**Params**: `posts`, how many; `seed`, which sequence of them; `start`, where in it; `pace`; `batch_size`, how many
records are read at a time; `mode`, one record per request or many; `on_new_identity`, what to do if a data stream or
the lake is not the one that earlier runs have left.

**Reruns**: safe at any task. Posting continues where it stopped; the job continues from its checkpoints, and a record
that is read twice changes nothing. Never delete the folder with the checkpoints.

Airflow refuses backfills, since a run posts what is next, whatever its time.

**Fails when**: the REST API or a data stream does not exist (run `pinterest_pipeline` once), a record is lost on the
way or expires before it is read, too many are refused or quarantined, or a hop cannot be counted; `reconcile.verdict`
names the hop, the entity and the positions. `stream.lake_stream.committed` fails when a job that should run all the
time has ended, or when it commits nothing for `lake_stream.stalled_minutes` while records wait; it says where the job
is stuck.

**Undo**: nothing in the source changes. What a run added stays; replaying the same posts changes nothing. To end
the job that runs all the time, pause this DAG and cancel the run of `<user_id>.lake_stream` on Databricks. Do the same
before you change `lake_stream.trigger` back, and to make the job pick up new code.
"""

from __future__ import annotations

from datetime import timedelta

from airflow.sdk import chain, dag

from pinterest.dag_defaults import DAG_DEFAULTS, NO_BACKFILL, Tag
from pinterest.notifier import verdict_within
from pinterest.posting_params import STREAM_POSTING_PARAMS
from pinterest_stages.flows import stream
from pinterest_stages.reconcile import reconcile
from pinterest_stages.release import CODE


@dag(
    dag_id="pinterest_stream",
    schedule="@hourly",
    dagrun_timeout=timedelta(hours=3),
    deadline=verdict_within(timedelta(hours=1)),
    params=STREAM_POSTING_PARAMS,
    tags=[Tag.STREAM, CODE],
    doc_md=__doc__,
    **DAG_DEFAULTS,
    **NO_BACKFILL,
)
def pinterest_stream() -> None:
    chain(stream(), reconcile("stream"))


pinterest_stream()

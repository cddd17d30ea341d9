"""What repeats every quarter of an hour: post to Kinesis, bring the tables up to date, count.

**Does**: the stream half of `pinterest_pipeline`, over what that DAG has set up: rows go through the REST API into
three Kinesis streams, and a Databricks job reads the streams, cleans their records and merges them into the three
`<user_id>_…_table`s. How the job runs is the setting `lake_stream.trigger`. With `available_now`, every run of this DAG
starts the job, which ends when nothing is left. With `processing_time` the job runs all the time, and rows are in the
tables seconds after they are posted: a run of this DAG starts the job if it does not run, and otherwise watches it.

**Params**: how many posts, which seed, where to start, at what pace, how many records a batch, one record a request
or many.

**Reruns**: safe at any task. Posting goes on where it stopped; the job goes on from its checkpoints, and a record that
is read twice changes nothing. The folder of the checkpoints must never be deleted.

**Fails when**: the REST API or a stream is not there (run `pinterest_pipeline` once), a record is lost on the way or
expired before it was read, or a hop cannot be counted; `reconcile.verdict` names the hop, the stream and the
positions. `stream.lake_stream.committed` fails when a job that should run all the time has ended, or when it commits
nothing for `lake_stream.stalled_minutes` while records wait, and says where it stands still.

**Undo**: nothing in the source changes. What a run added stays; a replay of the same posts changes nothing. To end
the job that runs all the time, pause this DAG and cancel the run of `<user_id>.lake_stream` on Databricks; the same
before `lake_stream.trigger` is set back, and to have it take up new code.
"""

from __future__ import annotations

from datetime import timedelta

from airflow.sdk import chain, dag

from pinterest.dag_defaults import DAG_DEFAULTS, Tag
from pinterest.posting_params import STREAM_POSTING_PARAMS
from pinterest_stages.flows import stream
from pinterest_stages.reconcile import reconcile


@dag(
    dag_id="pinterest_stream",
    schedule="*/15 * * * *",
    dagrun_timeout=timedelta(hours=3),
    params=STREAM_POSTING_PARAMS,
    tags=[Tag.STREAM],
    doc_md=__doc__,
    **DAG_DEFAULTS,
)
def pinterest_stream() -> None:
    chain(stream(), reconcile("stream"))


pinterest_stream()

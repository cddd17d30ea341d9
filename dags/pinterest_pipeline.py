"""The whole pipeline in one run.

**Does**: makes sure that every part exists (Kafka client, topics, S3 sink, REST proxy, REST API, data streams) and that
the lake is ready. Then the same posts take two routes. Batch: through the API to Kafka and on to S3; Databricks loads,
cleans and analyzes them. Stream: through the API to Kinesis; Spark reads the data streams, cleans the records and
merges them into three tables. Every hop of both routes is counted.

**Params**: `posts`, how many; `seed`, which sequence of them; `start`, where in it; `pace`; `batch_size`, how many
records per request; `mode`, for Kinesis, one record per request or many. `on_new_identity` and `replace_connector` say
what to do if a topic, a data stream, the lake or the connector is not the one that earlier runs have left.

**Reruns**: safe at any task. Setup adopts what exists, posting continues where it stopped, and the lake stores each
record once. Never delete the folder with the streaming job's checkpoints.

**Fails when**: a part cannot be created, something under a name of ours is not what earlier runs have left (the task
`identity` names both), a table of the lake is somebody else's, a record is lost on the way, too many are refused or
quarantined, or a hop cannot be counted; `reconcile.verdict` names the hop, the entity and the positions.

**Undo**: nothing in the source changes. What a run added stays; replaying the same posts changes nothing.
"""

from __future__ import annotations

from datetime import timedelta

from airflow.sdk import chain, dag

from pinterest.dag_defaults import DAG_DEFAULTS, Tag
from pinterest.notifier import verdict_within
from pinterest.posting_params import REPLACE_CONNECTOR, STREAM_POSTING_PARAMS
from pinterest_stages.flows import batch, provision, stream
from pinterest_stages.reconcile import reconcile
from pinterest_stages.release import CODE


@dag(
    dag_id="pinterest_pipeline",
    schedule=None,
    is_paused_upon_creation=False,
    dagrun_timeout=timedelta(hours=3),
    deadline=verdict_within(timedelta(hours=2)),
    params={**STREAM_POSTING_PARAMS, **REPLACE_CONNECTOR},
    tags=[Tag.SETUP, Tag.BATCH, Tag.STREAM, CODE],
    doc_md=__doc__,
    **DAG_DEFAULTS,
)
def pinterest_pipeline() -> None:
    chain(provision(), [batch(), stream()], reconcile("batch", "stream"))


pinterest_pipeline()

"""The whole pipeline in one run.

**Does**: makes sure that every part exists (Kafka client, topics, S3 sink, REST proxy, REST API), posts rows
through the API, waits until S3 holds them, loads, cleans and analyses them on Databricks, and counts them at
every hop.

**Params**: how many posts, which seed, where to start, at what pace, how many records a request.

**Reruns**: safe at any task. Set-up adopts what is there, posting goes on where it stopped, and the lake stores a
record once.

**Fails when**: a part cannot be made, a record is lost on the way, or a hop cannot be counted;
`reconcile.verdict` names the hop, the stream and the positions.

**Undo**: nothing in the source changes. What a run added stays; a replay of the same posts changes nothing.
"""

from __future__ import annotations

from datetime import timedelta

from airflow.sdk import chain, dag

from pinterest.defaults import DAG_DEFAULTS, Tag
from pinterest.posting_params import POSTING_PARAMS
from pinterest_stages.flows import batch, provision
from pinterest_stages.reconcile import reconcile


@dag(
    dag_id="pinterest_pipeline",
    schedule=None,
    is_paused_upon_creation=False,
    dagrun_timeout=timedelta(hours=3),
    params=POSTING_PARAMS,
    tags=[Tag.SETUP, Tag.BATCH],
    doc_md=__doc__,
    **DAG_DEFAULTS,
)
def pinterest_pipeline() -> None:
    chain(provision(), batch(), reconcile("batch"))


pinterest_pipeline()

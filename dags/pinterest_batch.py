"""What repeats every day: post, land, load, clean, analyse, count.

**Does**: the batch half of `pinterest_pipeline`, over what that DAG has set up: sees that the REST proxy runs, sends
rows through the REST API to Kafka, on to S3, and on Databricks into bronze, silver and the nine analyses.

**Params**: how many posts, which seed, where to start, at what pace, how many records a request.

**Reruns**: safe at any task. Posting goes on where it stopped, and the lake stores a record once.

**Fails when**: the REST API is not there (run `pinterest_pipeline` once), a record is lost on the way, or a hop
cannot be counted; `reconcile.verdict` names the hop, the stream and the positions.

**Undo**: nothing in the source changes. What a run added stays; a replay of the same posts changes nothing.
"""

from __future__ import annotations

from datetime import timedelta

from airflow.sdk import chain, dag

from pinterest.dag_defaults import DAG_DEFAULTS, Tag
from pinterest.posting_params import POSTING_PARAMS
from pinterest_stages.flows import batch
from pinterest_stages.reconcile import reconcile
from pinterest_stages.rest_proxy import start_rest_proxy


@dag(
    dag_id="pinterest_batch",
    schedule="@daily",
    dagrun_timeout=timedelta(hours=3),
    params=POSTING_PARAMS,
    tags=[Tag.BATCH],
    doc_md=__doc__,
    **DAG_DEFAULTS,
)
def pinterest_batch() -> None:
    chain(start_rest_proxy("rest_proxy"), batch(), reconcile("batch"))


pinterest_batch()

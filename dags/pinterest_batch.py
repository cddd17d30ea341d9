"""The daily part: post, land, load, clean, analyze and count.

**Does**: runs the batch half of `pinterest_pipeline` on what that DAG has set up. It makes sure that the REST proxy,
and with `kafka.mode: self_hosted` the broker, is running and that the REST API points to it, sends rows through the
REST API to Kafka and on to S3, and loads them on Databricks into bronze, silver and the nine analyses.

**Params**: `posts`, how many; `seed`, which sequence of them; `start`, where in it; `pace`; `batch_size`, how many
records per request; `on_new_identity`, what to do if a topic or the lake is not the one that earlier runs have left.

**Reruns**: safe at any task. Posting continues where it stopped, and the lake stores each record once.

Airflow refuses backfills: a run posts what is next, whatever its day, and days that were missed are loaded by
the next run. To load or clean again what is there, run `pinterest_replay`.

**Fails when**: the REST API does not exist (run `pinterest_pipeline` once), a record is lost on the way, too many
are refused or quarantined, or a hop cannot be counted; `reconcile.verdict` names the hop, the entity and the positions.

**Undo**: nothing in the source changes. What a run added stays; replaying the same posts changes nothing.
"""

from __future__ import annotations

from datetime import timedelta

from airflow.sdk import chain, dag

from pinterest.dag_defaults import DAG_DEFAULTS, NO_BACKFILL, Tag
from pinterest.notifier import verdict_within
from pinterest.operators.identity import TopicIdentityOperator
from pinterest.posting_params import POSTING_PARAMS
from pinterest_stages.flows import batch
from pinterest_stages.kafka import start_broker
from pinterest_stages.reconcile import reconcile
from pinterest_stages.release import CODE
from pinterest_stages.rest_api import rest_api_backend
from pinterest_stages.rest_proxy import start_rest_proxy


@dag(
    dag_id="pinterest_batch",
    schedule="@daily",
    dagrun_timeout=timedelta(hours=3),
    deadline=verdict_within(timedelta(hours=2)),
    params=POSTING_PARAMS,
    tags=[Tag.BATCH, CODE],
    doc_md=__doc__,
    **DAG_DEFAULTS,
    **NO_BACKFILL,
)
def pinterest_batch() -> None:
    identity = TopicIdentityOperator(task_id="identity", on_new_identity="{{ params.on_new_identity }}")
    broker, proxy, backend = start_broker("broker"), start_rest_proxy("rest_proxy"), rest_api_backend()
    chain(broker, [identity, proxy])
    chain(proxy, backend)
    chain([identity, backend], batch(), reconcile("batch"))


pinterest_batch()

"""Sets up what the other DAGs need, and says beforehand what that is and what it costs.

**Does**: with `dry_run`, which is the default, lists what is there, what would be made, and an estimate of what it
costs: the table is in the log of the task `plan`, which also returns it. Nothing is made or changed. Without `dry_run`,
the same list, and then everything that `pinterest_pipeline` does before it posts: network, bucket, roles, key pair,
client machine, MSK cluster, topics, S3 sink, REST proxy, REST API, data streams, and the check of the lake. What is
there is used as it is.

**Params**: `dry_run`; and, as in `pinterest_pipeline`, `on_new_identity` and `replace_connector`, which say what to do
if a topic, the lake or the connector is not the one that earlier runs have left.

**Reruns**: safe at any task. What exists is adopted, and a second run makes and changes nothing. A task that was
killed or lost AWS' answer finds what it had made; what cannot be handed over is deleted again.

**Fails when**: AWS refuses a call (the error names the operation and the role: see the policies `airflow` and
`provision`), a name belongs to another account, a quota is used up, or something is missing and `account.provision` is
off.

**Undo**: run `pinterest_teardown`. It goes by the tags `project=pinterest-pipeline` and `user_id`, which everything has
that is made.
"""

from __future__ import annotations

from datetime import timedelta

from airflow.sdk import Param, chain, dag, task

from pinterest.dag_defaults import DAG_DEFAULTS, Tag
from pinterest.operators.account_plan import AccountPlanOperator
from pinterest.posting_params import ON_NEW_IDENTITY_PARAM, REPLACE_CONNECTOR
from pinterest_stages.flows import provision
from pinterest_stages.release import CODE

DRY_RUN: dict[str, Param] = {
    "dry_run": Param(
        True,
        type="boolean",
        title="Dry run",
        description="Whether to list what would be made and what it costs, and to make nothing.",
    ),
}


@task.short_circuit(execution_timeout=timedelta(minutes=5))
def proceed(dry_run: str) -> bool:
    """Whether anything is to be made; else all that follows is skipped."""
    return dry_run == "False"


@dag(
    dag_id="pinterest_provision",
    schedule=None,
    is_paused_upon_creation=False,
    dagrun_timeout=timedelta(hours=3),
    params={**DRY_RUN, **ON_NEW_IDENTITY_PARAM, **REPLACE_CONNECTOR},
    tags=[Tag.SETUP, CODE],
    doc_md=__doc__,
    **DAG_DEFAULTS,
)
def pinterest_provision() -> None:
    plan = AccountPlanOperator(task_id="plan", execution_timeout=timedelta(minutes=10))
    chain(plan, proceed("{{ params.dry_run }}"), provision())


pinterest_provision()

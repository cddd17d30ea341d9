"""Second chances: refused records that pass after all, silver made anew, the bucket loaded again.

**Does**: by the param `what`,

- `quarantine`: records that were refused and pass by today's rules, or with a corrected record that you give, go into
  silver, or into the stream's tables. Each counts by its own position: what came later is not undone. Those that are
  still refused stay. A row of `quarantine` is never changed but for `released_at`, `released_by`, `correction` and
  `replays`.
- `dead_letters`: the same for those of them that the S3 sink could not take.
- `silver`: `pin`, `geo` and `user` anew from bronze, by today's rules: after a rule has changed (a daily run says when
  silver holds rows of earlier rules), or after a table was dropped. With `positions`, only what these offsets bear on.
  The new rows appear in one commit of each table.
- `landing`: what the bucket holds, into the lake again: into a new catalog or schema, or after tables were lost. From
  the day `since`, or from `positions` on; by default everything. Kafka is not asked.

With `dry_run`, which is the default, it counts and lists what would happen, and writes nothing.

**Params**: `what`; `dry_run`; which records, by `entities`, `reasons`, `run_ids`, `positions` and, for `landing`, the
day `since`; `corrections`, the key of a JSON file in the bucket (`corrections/…`), `{position: record}`; `max_replays`,
how often a record may be replayed.

**Reruns**: safe at any task, and beside other runs. Replaying twice changes nothing. A run that was killed leaves each
table in its old or new state, and the next one does what is left.

**Fails when**: a correction has no record in quarantine, a table of the lake is missing or somebody else's, or the
counts do not agree; `reconcile.verdict` names the entity. What `landing` does not find in the bucket, and the documents
of the run that landed it do not explain, is lost and named; if those documents have expired (`maintenance.run_days`),
nothing is loaded. Objects under `set_aside/` are not looked at.

**Undo**: nothing that was sent is changed. A correction can be corrected again. Silver made by other rules comes back
by deploying those rules and replaying `silver`. The stream's tables cannot be made anew, since bronze does not hold
their records: drop them, and run `pinterest_pipeline` with `on_new_identity=load_all`: it reads what Kinesis holds.
"""

from __future__ import annotations

from datetime import timedelta

from airflow.sdk import dag

from pinterest.dag_defaults import DAG_DEFAULTS, Tag
from pinterest.replay_params import REPLAY_PARAMS
from pinterest_stages.lake_replay import lake_replay
from pinterest_stages.landing_again import landing_again
from pinterest_stages.release import CODE


@dag(
    dag_id="pinterest_replay",
    schedule=None,
    is_paused_upon_creation=False,
    dagrun_timeout=timedelta(hours=6),
    params=REPLAY_PARAMS,
    tags=[Tag.BATCH, Tag.STREAM, CODE],
    doc_md=__doc__,
    **DAG_DEFAULTS,
)
def pinterest_replay() -> None:
    lake_replay()
    landing_again()


pinterest_replay()

"""Tags for what the pipeline creates. ``OWNER_TAGS`` name the owner, ``TAGS`` also the run that created it, and how
long it is kept; operators leave out a tag without a value."""

from __future__ import annotations

from include.aws.ownership import EXPIRES_AT, owner_tags

OWNER_TAGS = owner_tags("{{ settings().user_id }}")
TAGS = {
    **OWNER_TAGS,
    "dag_id": "{{ dag.dag_id }}",
    "run_id": "{{ run_id }}",
    EXPIRES_AT: "{{ settings().expires_at(dag_run.start_date) }}",
}

"""Tags for what the pipeline creates. ``OWNER_TAGS`` name the owner, ``TAGS`` also the run that created it."""

from __future__ import annotations

OWNER_TAGS = {"project": "pinterest-pipeline", "user_id": "{{ settings().user_id }}"}
TAGS = {**OWNER_TAGS, "dag_id": "{{ dag.dag_id }}", "run_id": "{{ run_id }}"}

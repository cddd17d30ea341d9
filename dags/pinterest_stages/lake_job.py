"""What the lake's two stages have in common: where the code goes, the cluster, and parameters of every notebook."""

from __future__ import annotations

from include.lake.job import job_cluster
from pinterest_stages.tags import OWNER_TAGS

FOLDER = "{{ settings().databricks.folder }}"

JOB_CLUSTER = job_cluster(
    node_type="{{ settings().databricks.node_type }}",
    tags={**OWNER_TAGS, "dag_id": "{{ dag.dag_id }}"},
    policy_id="{{ settings().databricks.policy_id or '' }}",
    data_security_mode="{{ settings().databricks.data_security_mode }}",
)
INSTANCE_PROFILE = "{{ settings().databricks.instance_profile_arn or '' }}"

LAKE_PARAMETERS = {
    "run_id": "{{ run_id }}",
    "catalog": "{{ settings().databricks.catalog }}",
    "schema": "{{ settings().databricks.schema_name }}",
    "user_id": "{{ settings().user_id }}",
    "storage": "{{ settings().databricks.storage }}",
    "secret_scope": "{{ settings().databricks.secret_scope }}",
    "credentials_table": "{{ settings().databricks.credentials_table }}",
}
"""Which run it is, where the lake is, and how the bucket may be read."""

SERVICE_CREDENTIAL = {"service_credential": "{{ settings().databricks.kinesis.service_credential or '' }}"}
"""How the data streams may be read, for the notebooks that do, or look whether they can be."""

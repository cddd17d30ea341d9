"""Requests to the Databricks Jobs API."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

CLUSTER_KEY = "lake"
INSTANCE_PROFILE = "{{ settings().databricks.instance_profile_arn or '' }}"
RUNTIME = "18.x-scala2.13"


def job_cluster() -> dict[str, Any]:
    """One node that all notebooks of a run share and that goes away with it. A day of posts needs no second one."""
    return {
        "job_cluster_key": CLUSTER_KEY,
        "new_cluster": {
            "spark_version": RUNTIME,
            "node_type_id": "{{ settings().databricks.node_type }}",
            "num_workers": 0,
            "data_security_mode": "SINGLE_USER",
            "spark_conf": {
                "spark.databricks.cluster.profile": "singleNode",
                "spark.master": "local[*, 4]",
                "spark.sql.session.timeZone": "UTC",
            },
            "custom_tags": {
                "ResourceClass": "SingleNode",
                "project": "pinterest-pipeline",
                "user_id": "{{ settings().user_id }}",
                "dag_id": "{{ dag.dag_id }}",
            },
        },
    }


def with_instance_profile(cluster: Mapping[str, Any], arn: str) -> dict[str, Any]:
    """The same job cluster on machines that have the profile; without one, as it was."""
    if not arn:
        return dict(cluster)
    return {**cluster, "new_cluster": {**cluster["new_cluster"], "aws_attributes": {"instance_profile_arn": arn}}}


def notebook_parameters(*, manifest_key: str, run_id: str) -> dict[str, str]:
    """What every notebook of a batch run is given. ``s3a`` addresses work on Databricks and on any other Spark."""
    return {"manifest": f"s3a://{{{{ settings().bucket }}}}/{manifest_key}", **lake_parameters(run_id)}


def lake_parameters(run_id: str) -> dict[str, str]:
    """What every notebook is given: whose run it is, where the lake is, how the bucket may be read."""
    lake = "settings().databricks"
    return {
        "run_id": run_id,
        "catalog": f"{{{{ {lake}.catalog }}}}",
        "schema": f"{{{{ {lake}.schema_name }}}}",
        "user_id": "{{ settings().user_id }}",
        "storage": f"{{{{ {lake}.storage }}}}",
        "secret_scope": f"{{{{ {lake}.secret_scope }}}}",
        "credentials_table": f"{{{{ {lake}.credentials_table }}}}",
    }

"""The settings of a Databricks job, as the Jobs API takes them."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from datetime import timedelta
from typing import Any

CLUSTER_KEY = "lake"
RUNTIME = "18.x-scala2.13"

type Order = Mapping[str, Collection[str]]
"""By notebook: the notebooks that must succeed before it."""


def job_cluster(
    *, node_type: str, tags: Mapping[str, str], policy_id: str = "", data_security_mode: str = "SINGLE_USER"
) -> dict[str, Any]:
    """One node, shared by all notebooks of a run and deleted with it. A day of posts does not need a second one.

    :param policy_id: the compute policy that it obeys, which also gives what is not set here; none if empty
    """
    return {
        "job_cluster_key": CLUSTER_KEY,
        "new_cluster": {
            "spark_version": RUNTIME,
            "node_type_id": node_type,
            "num_workers": 0,
            "policy_id": policy_id,
            "data_security_mode": data_security_mode,
            "spark_conf": {
                "spark.databricks.cluster.profile": "singleNode",
                "spark.master": "local[*, 4]",
                "spark.sql.session.timeZone": "UTC",
            },
            "custom_tags": {"ResourceClass": "SingleNode", **tags},
        },
    }


def as_requested(cluster: Mapping[str, Any], instance_profile_arn: str) -> dict[str, Any]:
    """A job cluster whose templates are rendered, as the Jobs API takes it: without what is empty.

    :param instance_profile_arn: instance profile of its machines; none if empty
    """
    asked = {name: value for name, value in cluster["new_cluster"].items() if value != ""}
    if "policy_id" in asked:
        asked["apply_policy_default_values"] = True
    if instance_profile_arn:
        asked["aws_attributes"] = {"instance_profile_arn": instance_profile_arn}
    return {**cluster, "new_cluster": asked}


def notebook_task(
    path: str,
    *,
    parameters: Mapping[str, str],
    cluster_key: str,
    after: Collection[str] = (),
    timeout: timedelta | None = None,
) -> dict[str, Any]:
    """A task that runs a workspace notebook. Its key is the notebook's name.

    :param after: keys of the tasks that must succeed first
    :param timeout: Databricks cancels the task after this time; without one it may run forever
    """
    task: dict[str, Any] = {
        "task_key": path.rsplit("/", 1)[-1],
        "depends_on": [{"task_key": key} for key in after],
        "job_cluster_key": cluster_key,
        "notebook_task": {"notebook_path": path, "source": "WORKSPACE", "base_parameters": dict(parameters)},
    }
    if timeout is not None:
        task["timeout_seconds"] = int(timeout.total_seconds())
    return task


def job_settings(name: str, *, cluster: Mapping[str, Any], tasks: Collection[Mapping[str, Any]]) -> dict[str, Any]:
    """One run of the job at a time, and all of its tasks on one cluster."""
    return {"name": name, "max_concurrent_runs": 1, "job_clusters": [cluster], "tasks": [*tasks]}

"""The settings of Databricks jobs, as the Jobs API takes them."""

from __future__ import annotations

from databricks.sdk.service.compute import ClusterSpec

from include.lake.job import as_requested, job_cluster


def requested(instance_profile_arn="", **given):
    cluster = job_cluster(node_type="m5d.xlarge", tags={"project": "p"}, **given)
    return as_requested(cluster, instance_profile_arn)["new_cluster"]


def is_databricks_own(cluster):
    """Whether Databricks' SDK knows every name and value."""
    return ClusterSpec.from_dict(cluster).as_dict() == cluster


def test_a_cluster_without_policy_and_instance_profile_names_none():
    cluster = requested()

    assert {"policy_id", "apply_policy_default_values", "aws_attributes"} & cluster.keys() == set()
    assert cluster["data_security_mode"] == "SINGLE_USER"
    assert cluster["custom_tags"]["project"] == "p"
    assert cluster["num_workers"] == 0
    assert is_databricks_own(cluster)


def test_a_cluster_obeys_the_policy_and_takes_its_defaults():
    cluster = requested(policy_id="E0123456789ABCDE", data_security_mode="USER_ISOLATION")

    assert (cluster["policy_id"], cluster["apply_policy_default_values"]) == ("E0123456789ABCDE", True)
    assert cluster["data_security_mode"] == "USER_ISOLATION"
    assert is_databricks_own(cluster)


def test_a_clusters_machines_have_the_instance_profile():
    assert requested("arn:aws:iam::1:instance-profile/x")["aws_attributes"] == {
        "instance_profile_arn": "arn:aws:iam::1:instance-profile/x"
    }

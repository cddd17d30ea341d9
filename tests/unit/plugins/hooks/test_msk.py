"""The cluster of a name, and its brokers."""

from __future__ import annotations

import pytest

from pinterest.hooks.msk import MskError, MskHook
from tests.unit.plugins.msk_connect_parts import cluster, serverless_cluster


@pytest.mark.parametrize(
    ("clusters", "said"),
    [
        pytest.param([], "No MSK cluster 'c' in us-east-1: set kafka.cluster_name.*: none", id="none"),
        pytest.param([cluster("c2")], "No MSK cluster 'c'.*: c2", id="prefix only"),
        pytest.param([cluster("c", State="CREATING")], "MSK cluster 'c' is CREATING, not ACTIVE", id="not ready"),
        pytest.param(
            [cluster("c", State="FAILED", StateInfo={"Code": "X", "Message": "no room"})],
            "MSK cluster 'c' is FAILED X no room, not ACTIVE",
            id="failed",
        ),
    ],
)
def test_cluster_that_will_not_do(msk, clusters, said):
    for _ in range(1 if clusters and clusters[0]["ClusterName"] == "c" else 2):
        msk.add_response("list_clusters_v2", {"ClusterInfoList": clusters}, {"ClusterNameFilter": "c"})

    with pytest.raises(MskError, match=said):
        MskHook().brokers("c", "iam")


@pytest.mark.parametrize(("authentication", "servers"), [("iam", "b1:9098,b2:9098"), ("none", "b1:9092,b2:9092")])
def test_brokers_of_the_authentication_mode(msk, authentication, servers):
    zookeeper = "z2:2181,z1:2181" if authentication == "iam" else ""
    found = [cluster("c2"), cluster("c", zookeeper=zookeeper)]
    msk.add_response("list_clusters_v2", {"ClusterInfoList": found}, {"ClusterNameFilter": "c"})
    offered = {"BootstrapBrokerString": "b2:9092,b1:9092", "BootstrapBrokerStringSaslIam": "b2:9098,b1:9098"}
    msk.add_response("get_bootstrap_brokers", offered, {"ClusterArn": "arn:c"})

    assert MskHook().brokers("c", authentication) == {
        "cluster_arn": "arn:c",
        "bootstrap_servers": servers,
        "zookeeper": "z1:2181,z2:2181" if zookeeper else None,
        "subnets": ["subnet-1"],
        "security_groups": ["sg-1"],
        "serverless": False,
    }


def test_cluster_without_the_listener(msk):
    msk.add_response("list_clusters_v2", {"ClusterInfoList": [cluster("c")]})
    msk.add_response("get_bootstrap_brokers", {"BootstrapBrokerStringTls": "b:9094"})

    with pytest.raises(MskError, match=r"has no BootstrapBrokerStringSaslIam .* it offers BootstrapBrokerStringTls"):
        MskHook().brokers("c", "iam")


def test_a_serverless_cluster_is_found_too(msk):
    msk.add_response("list_clusters_v2", {"ClusterInfoList": [cluster("c2"), serverless_cluster("c")]})
    msk.add_response("get_bootstrap_brokers", {"BootstrapBrokerStringSaslIam": "boot:9098"}, {"ClusterArn": "arn:c"})

    assert MskHook().brokers("c", "iam") == {
        "cluster_arn": "arn:c",
        "bootstrap_servers": "boot:9098",
        "zookeeper": None,
        "subnets": ["subnet-1", "subnet-2"],
        "security_groups": ["sg-1"],
        "serverless": True,
    }


def test_a_cluster_of_the_name_is_found_on_any_page(msk):
    msk.add_response("list_clusters_v2", {"ClusterInfoList": [cluster("c2")], "NextToken": "n"})
    next_page = {"ClusterNameFilter": "c", "NextToken": "n"}
    msk.add_response("list_clusters_v2", {"ClusterInfoList": [cluster("c")]}, next_page)

    assert MskHook().find_cluster("c")["ClusterArn"] == "arn:c"


def test_a_cluster_that_is_gone_is_none(msk):
    msk.add_client_error("describe_cluster_v2", "NotFoundException")

    assert MskHook().describe("arn:c") is None

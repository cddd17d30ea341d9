"""The brokers that a stage hands on."""

from __future__ import annotations

import pytest

from pinterest.operators.msk import MskGetBrokersOperator
from tests.unit.plugins.msk_connect_parts import cluster


@pytest.mark.parametrize(
    ("authentication", "servers"), [("iam", "b1:9098,b2:9098"), ("none", "b1:9092,b2:9092")]
)  # fmt: skip
def test_brokers_of_the_authentication_mode(msk, authentication, servers):
    zookeeper = "z2:2181,z1:2181" if authentication == "iam" else ""
    found = [cluster("pinterest-msk-cluster-2"), cluster(ZookeeperConnectString=zookeeper)]
    msk.add_response("list_clusters", {"ClusterInfoList": found}, {"ClusterNameFilter": "pinterest-msk-cluster"})
    msk.add_response(
        "get_bootstrap_brokers",
        {"BootstrapBrokerString": "b2:9092,b1:9092", "BootstrapBrokerStringSaslIam": "b2:9098,b1:9098"},
        {"ClusterArn": "arn:pinterest-msk-cluster"},
    )
    operator = MskGetBrokersOperator(task_id="b", cluster_name="pinterest-msk-cluster", authentication=authentication)

    assert operator.execute({}) == {
        "cluster_arn": "arn:pinterest-msk-cluster",
        "bootstrap_servers": servers,
        "zookeeper": "z1:2181,z2:2181" if zookeeper else None,
        "subnets": ["subnet-1"],
        "security_groups": ["sg-1"],
    }

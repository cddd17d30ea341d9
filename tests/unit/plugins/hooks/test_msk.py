"""The cluster of a name, and its brokers."""

from __future__ import annotations

import pytest

from pinterest.hooks.msk import MskError, MskHook
from tests.unit.plugins.msk_connect_parts import cluster


@pytest.mark.parametrize(
    ("clusters", "said"),
    [
        pytest.param([], "No MSK cluster 'c' in us-east-1: set kafka.cluster_name.*: none", id="none"),
        pytest.param([cluster("c2")], "No MSK cluster 'c'.*: c2", id="prefix only"),
        pytest.param([cluster("c", State="CREATING")], "MSK cluster 'c' is CREATING, not ACTIVE", id="not ready"),
    ],
)
def test_cluster_that_will_not_do(msk, clusters, said):
    msk.add_response("list_clusters", {"ClusterInfoList": clusters})

    with pytest.raises(MskError, match=said):
        MskHook().brokers("c", "iam")


def test_cluster_without_the_listener(msk):
    msk.add_response("list_clusters", {"ClusterInfoList": [cluster("c")]})
    msk.add_response("get_bootstrap_brokers", {"BootstrapBrokerStringTls": "b:9094"})

    with pytest.raises(MskError, match=r"has no BootstrapBrokerStringSaslIam .* it offers BootstrapBrokerStringTls"):
        MskHook().brokers("c", "iam")

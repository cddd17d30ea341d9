"""The script that writes kafka-rest.properties."""

from __future__ import annotations

import pytest

from tests.local.client_scripts.client_machine import IAM_PROPERTIES


@pytest.mark.parametrize(
    ("authentication", "zookeeper", "expected"),
    [
        pytest.param(
            "none",
            "",
            ["listeners=http://127.0.0.1:18082", "bootstrap.servers=b1:9092,b2:9092", "producer.acks=all",
             "client.security.protocol=PLAINTEXT"],
            id="plain, KRaft",
        ),
        pytest.param(
            "iam",
            "z1:2181,z2:2181",
            ["listeners=http://127.0.0.1:18082", "bootstrap.servers=b1:9092,b2:9092",
             "zookeeper.connect=z1:2181,z2:2181", "producer.acks=all",
             *("client." + line for line in IAM_PROPERTIES.format(role="").splitlines())],
            id="IAM, ZooKeeper",
        ),
    ],
)  # fmt: skip
def test_rest_proxy_properties(run, home, authentication, zookeeper, expected):
    sections = {
        "kafka": {"authentication": authentication},
        "rest_proxy": {"listen_host": "127.0.0.1", "port": 18082},
    }
    environment = {"BOOTSTRAP_SERVERS": "b1:9092,b2:9092", "ZOOKEEPER": zookeeper}

    assert run("rest_proxy/write_rest_properties.sh", environment, sections=sections)[1].startswith("changed:")
    assert (home / "kafka-rest/kafka-rest.properties").read_text().splitlines() == expected
    assert run("rest_proxy/write_rest_properties.sh", environment, sections=sections)[:2] == (0, "unchanged")

"""The script that writes kafka-rest.properties."""

from __future__ import annotations

import pytest

from pinterest.hooks.kafka_client import LASTING
from tests.local.client_scripts.client_machine import IAM_PROPERTIES

SCRIPT = "rest_proxy/write_rest_properties.sh"
ENVIRONMENT = {"BOOTSTRAP_SERVERS": "b1:9092", "ZOOKEEPER": ""}
ALLOWED = [
    "api.v3.enable=false",
    "access.control.allow.origin=*",
    "access.control.allow.methods=DELETE,GET,HEAD,OPTIONS,PATCH,POST,PUT",
]


@pytest.mark.parametrize(
    ("authentication", "zookeeper", "expected"),
    [
        pytest.param(
            "none",
            "",
            ["listeners=http://127.0.0.1:18082", "bootstrap.servers=b1:9092,b2:9092", "producer.acks=all",
             *ALLOWED, "client.security.protocol=PLAINTEXT"],
            id="plain, KRaft",
        ),
        pytest.param(
            "iam",
            "z1:2181,z2:2181",
            ["listeners=http://127.0.0.1:18082", "bootstrap.servers=b1:9092,b2:9092",
             "zookeeper.connect=z1:2181,z2:2181", "producer.acks=all", *ALLOWED,
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


def test_properties_of_an_earlier_version_are_kept_beside_their_replacement(run, home):
    (home / "kafka-rest").mkdir()
    earlier = "listeners=http://0.0.0.0:8082\nbootstrap.servers=old:9092\nproducer.acks=all\nclient.sasl.mechanism=X\n"
    (home / "kafka-rest/kafka-rest.properties").write_text(earlier)

    assert run(SCRIPT, ENVIRONMENT)[1].startswith("changed: ")
    assert (home / "kafka-rest/kafka-rest.properties.replaced.1").read_text() == earlier


@pytest.mark.parametrize("mine", ["# my proxy\nlisteners=http://0.0.0.0:8082\n", "schema.registry.url=http://x\n"])
def test_properties_of_the_user_are_in_the_way(run, home, mine):
    (home / "kafka-rest").mkdir()
    (home / "kafka-rest/kafka-rest.properties").write_text(mine)

    code, _, stderr = run(SCRIPT, ENVIRONMENT)

    assert code == LASTING
    assert f"{home}/kafka-rest/kafka-rest.properties is in the way" in stderr
    assert (home / "kafka-rest/kafka-rest.properties").read_text() == mine


@pytest.mark.parametrize("script", [SCRIPT, "rest_proxy/install_rest_proxy.sh"])
def test_a_file_in_place_of_the_folder_is_in_the_way(run, web, home, script):
    (home / "kafka-rest").write_text("mine")

    code, _, stderr = run(script, ENVIRONMENT | web.offer("/rest.tgz", b""))

    assert code == LASTING
    assert f"{home}/kafka-rest is in the way" in stderr
    assert (home / "kafka-rest").read_text() == "mine"

"""The scripts that write client.properties and kafka-rest.properties."""

from __future__ import annotations

import pytest

IAM_PROPERTIES = """\
security.protocol=SASL_SSL
sasl.mechanism=AWS_MSK_IAM
sasl.jaas.config=software.amazon.msk.auth.iam.IAMLoginModule required{role};
sasl.client.callback.handler.class=software.amazon.msk.auth.iam.IAMClientCallbackHandler
"""


@pytest.mark.parametrize(
    ("section", "expected"),
    [
        pytest.param({}, IAM_PROPERTIES.format(role=""), id="iam"),
        pytest.param(
            {"role_arn": "arn:aws:iam::1:role/r"},
            IAM_PROPERTIES.format(role=' awsRoleArn="arn:aws:iam::1:role/r"'),
            id="iam with a role",
        ),
        pytest.param({"authentication": "none"}, "security.protocol=PLAINTEXT\n", id="none"),
    ],
)
def test_client_properties(run, kafka, section, expected):
    file = kafka / "bin/client.properties"
    for first in ("changed: ", "unchanged"):
        code, line, _ = run("kafka_client/write_client_properties.sh", sections={"kafka": section})
        assert (code, line[:9]) == (0, first)
        assert file.read_text() == expected
        assert file.stat().st_mode & 0o777 == 0o644
    assert [p.name for p in (kafka / "bin").iterdir()] == ["client.properties"]


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

"""The brokers, wherever they are: as MSK tells of them, or as the machine does."""

from __future__ import annotations

from typing import Any

import pytest

from pinterest.hooks import kafka_brokers
from pinterest.hooks.kafka_brokers import SelfHostedBroker, find_brokers
from pinterest.hooks.kafka_client import KafkaClientHook, KafkaClientSetupError
from tests.builders import USER_ID, settings
from tests.unit.plugins.msk_connect_parts import cluster

SELF_HOSTED = {"mode": "self_hosted"}
MACHINE = {
    "InstanceId": "i-1",
    "VpcId": "vpc-1",
    "PrivateIpAddress": "10.0.0.7",
    "SecurityGroups": [{"GroupId": "sg-c"}],
}


@pytest.fixture
def machine(monkeypatch) -> dict[str, Any]:
    found = dict(MACHINE)
    monkeypatch.setattr(KafkaClientHook, "find_instance", lambda _: found)
    return found


def network(ec2, *groups):
    zones = {"s1": "a", "s2": "a", "s3": "b", "s4": "c", "s5": "d"}
    subnets = [{"SubnetId": name, "AvailabilityZone": zone} for name, zone in zones.items()]
    in_vpc = {"Name": "vpc-id", "Values": ["vpc-1"]}
    ec2.add_response("describe_subnets", {"Subnets": subnets}, {"Filters": [in_vpc]})
    found = [{"GroupName": f"{USER_ID}-msk", "GroupId": one} for one in groups]
    by_name = {"Name": "group-name", "Values": [f"{USER_ID}-msk"]}
    ec2.add_response("describe_security_groups", {"SecurityGroups": found}, {"Filters": [in_vpc, by_name]})


@pytest.mark.parametrize(("groups", "used"), [(["sg-b"], ["sg-b"]), ([], ["sg-c"])])
def test_the_broker_on_the_machine_is_told_of_as_msk_s_are(machine, ec2, groups, used):
    network(ec2, *groups)

    assert find_brokers(settings(kafka=SELF_HOSTED)) == {
        "cluster_arn": "i-1:9092",
        "bootstrap_servers": "10.0.0.7:9092",
        "zookeeper": None,
        "subnets": ["s1", "s3", "s4"],
        "security_groups": used,
        "serverless": False,
    }


def test_the_settings_may_name_another_address(machine):
    assert SelfHostedBroker(settings(kafka=SELF_HOSTED | {"host": "kafka.internal"})).host == "kafka.internal"


def test_a_machine_without_a_private_address_is_named(machine):
    del machine["PrivateIpAddress"]

    with pytest.raises(KafkaClientSetupError, match=r"i-1 has no private address: set kafka\.host"):
        _ = SelfHostedBroker(settings(kafka=SELF_HOSTED)).host


def test_else_msk_is_asked(msk, monkeypatch):
    monkeypatch.setattr(kafka_brokers, "SelfHostedBroker", None)
    msk.add_response(
        "list_clusters_v2", {"ClusterInfoList": [cluster()]}, {"ClusterNameFilter": "pinterest-msk-cluster"}
    )
    msk.add_response("get_bootstrap_brokers", {"BootstrapBrokerStringSaslIam": "b2:9098,b1:9098"})

    assert find_brokers(settings())["bootstrap_servers"] == "b1:9098,b2:9098"

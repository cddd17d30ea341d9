"""MSK clusters as plain data: in which subnets, as which request, at which price."""

from __future__ import annotations

import pytest

from include.aws.msk import (
    broker_subnets,
    create_request,
    differences,
    network_of,
    priced_as_found,
    state_of,
    zones_for,
)
from tests.unit.plugins.msk_connect_parts import cluster, serverless_cluster


def subnet(name, zone, zone_id="use1-az1"):
    return {"SubnetId": name, "AvailabilityZone": zone, "AvailabilityZoneId": zone_id}


def request(**more):
    asked = {
        "name": "c",
        "kafka_version": "3.9.x",
        "instance_type": "kafka.t3.small",
        "brokers": 2,
        "storage_gib": 20,
        "subnets": ["s1", "s2"],
        "security_groups": ["sg-1"],
        "authentication": "iam",
        "tags": {"user_id": "u", "expires_at": ""},
    }
    return create_request(**{**asked, **more})


@pytest.mark.parametrize(("brokers", "zones"), [(2, 2), (3, 3), (4, 2), (6, 3), (8, 2), (9, 3)])
def test_brokers_stand_in_two_or_three_zones(brokers, zones):
    assert (zones_for(brokers), brokers % zones) == (zones, 0)


def test_brokers_have_one_subnet_in_each_zone():
    subnets = [subnet("s4", "c"), subnet("s2", "a"), subnet("s1", "a"), subnet("s3", "b")]

    assert broker_subnets(subnets, 2) == ["s1", "s3"]
    assert broker_subnets(subnets, 3) == ["s1", "s3", "s4"]
    assert broker_subnets(subnets[1:3], 2) == ["s1"]


def test_brokers_are_not_in_the_zone_that_msk_does_not_serve():
    assert broker_subnets([subnet("s1", "a", "use1-az3"), subnet("s2", "b"), subnet("s3", "c")], 2) == ["s2", "s3"]


@pytest.mark.parametrize(("authentication", "iam", "transit"), [("iam", True, "TLS"), ("none", False, "TLS_PLAINTEXT")])
def test_a_new_cluster_lets_in_those_whom_the_settings_name(authentication, iam, transit):
    made = request(authentication=authentication)["Provisioned"]

    assert made["ClientAuthentication"] == {
        "Sasl": {"Iam": {"Enabled": iam}},
        "Unauthenticated": {"Enabled": not iam},
    }
    assert made["EncryptionInfo"]["EncryptionInTransit"] == {"ClientBroker": transit, "InCluster": True}


def test_a_tag_without_a_value_is_left_out():
    assert request()["Tags"] == {"user_id": "u"}


def test_a_cluster_of_either_type_has_a_network():
    assert network_of(cluster()) == (["subnet-1"], ["sg-1"])
    assert network_of(serverless_cluster()) == (["subnet-1", "subnet-2"], ["sg-1"])


def test_what_is_there_is_priced_by_its_type():
    assert priced_as_found(serverless_cluster()) == {"msk:serverless": 1.0}
    assert priced_as_found(cluster()) == {"msk:kafka.m5.large": 3.0, "msk:storage_gib": 0.0}


def test_the_state_has_the_service_s_reason():
    assert state_of({"State": "ACTIVE"}) == "ACTIVE"
    assert state_of({"State": "FAILED", "StateInfo": {"Code": "X", "Message": "no room"}}) == "FAILED X no room"


def test_what_a_cluster_has_otherwise_is_named():
    assert differences(cluster(), request()) == ["brokers 3, not 2", "instance_type kafka.m5.large, not kafka.t3.small"]
    assert differences(cluster(), request(brokers=3, instance_type="kafka.m5.large")) == []
    assert differences(serverless_cluster(), request()) == []

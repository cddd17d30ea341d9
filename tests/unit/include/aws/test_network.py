"""Who gets into which security group, what is missing there, and where an instance is launched."""

from __future__ import annotations

import pytest

from include.aws.network import (
    Rule,
    launch_subnets,
    lets_somebody_in,
    missing_rules,
    other_rules,
    permissions,
    wanted_rules,
)

GROUPS = {"client": "sg-c", "brokers": "sg-b", "proxy_callers": "sg-p"}
ANYWHERE = "0.0.0.0/0"


def opened(first, last=None, protocol="tcp", **sources):
    return {"IpProtocol": protocol, "FromPort": first, "ToPort": last or first, **sources}


def by_address(*blocks):
    return {"IpRanges": [{"CidrIp": block} for block in blocks]}


def by_group(*groups):
    return {"UserIdGroupPairs": [{"GroupId": group, "UserId": "000000000000"} for group in groups]}


def test_every_way_in_is_named():
    wanted = wanted_rules(GROUPS, ssh_from=["203.0.113.7/32", "sg-airflow"], proxy_port=8082, broker_port=9098)

    assert wanted == {
        "client": [(22, "203.0.113.7/32"), (22, "sg-airflow"), (8082, "sg-p")],
        "brokers": [(9098, "sg-c"), (9098, "sg-b")],
        "proxy_callers": [],
    }


def test_a_broker_on_the_client_machine_is_reached_by_the_sink_s_workers_only():
    wanted = wanted_rules(GROUPS, ssh_from=[], proxy_port=8082, broker_port=9092, own_broker=True)

    assert wanted["client"] == [(8082, "sg-p"), (9092, "sg-b")]


@pytest.mark.parametrize(
    ("found", "missing"),
    [
        pytest.param([], True, id="nothing"),
        pytest.param([opened(22, **by_address("203.0.113.7/32", "10.0.0.0/8"))], False, id="one of several blocks"),
        pytest.param([opened(0, 65535, **by_address("203.0.113.7/32"))], False, id="a range of ports"),
        pytest.param([{"IpProtocol": "-1", **by_address("203.0.113.7/32")}], False, id="everything"),
        pytest.param([opened(22, protocol="udp", **by_address("203.0.113.7/32"))], True, id="another protocol"),
        pytest.param([opened(23, **by_address("203.0.113.7/32"))], True, id="another port"),
        pytest.param([opened(22, **by_address("203.0.113.8/32"))], True, id="another address"),
        pytest.param([opened(22, **by_group("sg-c"))], True, id="a group"),
    ],
)
def test_a_rule_that_nothing_allows_is_missing(found, missing):
    rule = Rule(22, "203.0.113.7/32")

    assert missing_rules([rule], found) == ([rule] if missing else [])


def test_what_others_opened_is_named():
    wanted = [Rule(22, "sg-airflow"), Rule(8082, "sg-p")]
    found = [
        opened(22, **by_group("sg-airflow"), **by_address(ANYWHERE)),
        opened(8082, **by_group("sg-p", "sg-x")),
        opened(1, 65535, protocol="udp", Ipv6Ranges=[{"CidrIpv6": "::/0"}]),
        {"IpProtocol": "-1", "PrefixListIds": [{"PrefixListId": "pl-1"}]},
    ]

    assert other_rules(wanted, found) == [
        "TCP 22 from 0.0.0.0/0",
        "TCP 8082 from sg-x",
        "UDP 1-65535 from ::/0",
        "everything from pl-1",
    ]
    assert other_rules(wanted, permissions(wanted)) == []


@pytest.mark.parametrize(
    ("found", "somebody"),
    [
        ([opened(22, **by_address("10.0.0.0/8"))], True),
        ([opened(22, **by_group("sg-airflow"))], True),
        ([{"IpProtocol": "-1", **by_group("sg-airflow")}], True),
        ([opened(22)], False),
        ([opened(8082, **by_address("10.0.0.0/8"))], False),
        ([], False),
    ],
)
def test_whether_anybody_gets_in(found, somebody):
    assert lets_somebody_in(found, 22) is somebody


def test_a_rule_is_asked_for_by_the_kind_of_its_source():
    rules = [Rule(22, "203.0.113.7/32"), Rule(22, "2001:db8::/48"), Rule(9098, "sg-c")]
    asked = permissions(rules)

    assert asked == [
        opened(22, **by_address("203.0.113.7/32")),
        opened(22, Ipv6Ranges=[{"CidrIpv6": "2001:db8::/48"}]),
        opened(9098, UserIdGroupPairs=[{"GroupId": "sg-c"}]),
    ]
    assert missing_rules(rules, asked) == []


def test_the_best_subnet_has_public_addresses_and_the_type():
    def subnet(name, zone, public):
        return {"SubnetId": name, "AvailabilityZone": zone, "MapPublicIpOnLaunch": public}

    found = [subnet("s1", "b", True), subnet("s2", "a", False), subnet("s3", "e", True), subnet("s4", "a", True)]

    assert [one["SubnetId"] for one in launch_subnets(found, {"a", "b"})] == ["s4", "s1", "s2"]
    assert [one["SubnetId"] for one in launch_subnets(found)] == ["s4", "s1", "s3", "s2"]

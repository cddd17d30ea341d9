"""What the whole Internet could reach."""

from __future__ import annotations

import pytest

from include.doctor.exposure import BLOCKS, of_bucket, of_cluster, of_groups

LISTENERS = {8082: "the REST proxy", 9098: "the brokers"}


def group(**permission):
    return {"GroupName": "g", "GroupId": "sg-1", "IpPermissions": [{"IpProtocol": "tcp", **permission}]}


@pytest.mark.parametrize(
    ("permission", "way"),
    [
        (
            {"FromPort": 8082, "ToPort": 8082, "IpRanges": [{"CidrIp": "0.0.0.0/0"}]},
            "TCP 8082 from 0.0.0.0/0 (the REST proxy)",
        ),
        ({"FromPort": 22, "ToPort": 22, "Ipv6Ranges": [{"CidrIpv6": "::/0"}]}, "TCP 22 from ::/0 (SSH)"),
        (
            {"FromPort": 0, "ToPort": 65535, "IpRanges": [{"CidrIp": "0.0.0.0/1"}]},
            "TCP 0-65535 from 0.0.0.0/1 (SSH, the REST proxy, the brokers)",
        ),
        (
            {"IpProtocol": "-1", "IpRanges": [{"CidrIp": "0.0.0.0/0"}]},
            "everything from 0.0.0.0/0 (SSH, the REST proxy, the brokers)",
        ),
        ({"FromPort": 443, "ToPort": 443, "IpRanges": [{"CidrIp": "0.0.0.0/0"}]}, "TCP 443 from 0.0.0.0/0"),
    ],
)
def test_a_rule_for_everybody_is_found(permission, way):
    [found] = of_groups([group(**permission)], LISTENERS)

    assert found.problem == f"security group g (sg-1) lets everybody in: {way}"


@pytest.mark.parametrize(
    "sources",
    [
        {"IpRanges": [{"CidrIp": "203.0.113.7/32"}]},
        {"IpRanges": [{"CidrIp": "10.0.0.0/8"}]},
        {"UserIdGroupPairs": [{"GroupId": "sg-2"}]},
        {"PrefixListIds": [{"PrefixListId": "pl-1"}]},
    ],
)
def test_a_rule_for_some_is_none(sources):
    assert list(of_groups([group(FromPort=22, ToPort=22, **sources)], LISTENERS)) == []


def test_a_closed_bucket_is_well():
    assert list(of_bucket("b", dict.fromkeys(BLOCKS, True), policy_is_public=False)) == []


@pytest.mark.parametrize(
    ("block", "problem"),
    [
        (None, f"bucket b may be made public: {', '.join(BLOCKS)} are off"),
        (
            dict.fromkeys(BLOCKS, True) | {"BlockPublicPolicy": False},
            "bucket b may be made public: BlockPublicPolicy is off",
        ),
    ],
)
def test_a_bucket_that_may_be_made_public_is_found(block, problem):
    [found] = of_bucket("b", block, policy_is_public=False)

    assert found.problem == problem
    assert "put-public-access-block --bucket b" in found.fix


def test_a_bucket_that_is_public_is_found():
    [found] = of_bucket("b", dict.fromkeys(BLOCKS, True), policy_is_public=True)

    assert found.problem == "bucket b is public by its policy"


def test_brokers_with_public_addresses_are_found():
    brokers = {"ConnectivityInfo": {"PublicAccess": {"Type": "SERVICE_PROVIDED_EIPS"}}}

    assert [one.problem for one in of_cluster("c", brokers)] == [
        "MSK cluster c: its brokers have public addresses (SERVICE_PROVIDED_EIPS)"
    ]
    assert list(of_cluster("c", {})) == []

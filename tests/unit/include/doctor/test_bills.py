"""What of ours bills, by list prices."""

from __future__ import annotations

import pytest

from include.aws.inventory import KINDS, Found
from include.aws.plan import prices
from include.doctor.bills import bills, text
from tests.builders import USER_ID, settings


def found(kind, ours=True, **item):
    return Found(kind, f"{USER_ID}-x", "id", {}, ours, item)


@pytest.mark.parametrize(
    ("resource", "priced"),
    [
        (found("instance", InstanceType="t3.small", State={"Name": "running"}), {"ec2:t3.small": 1}),
        (
            found("instance", InstanceType="t3.small", State={"Name": "running"}, PublicIpAddress="1.2.3.4"),
            {"ec2:t3.small": 1, "ec2:public_address": 1},
        ),
        (found("volume", Size=20), {"ec2:disk_gib": 20}),
        (found("Elastic IP"), {"ec2:public_address": 1}),
        (found("data stream", StreamModeDetails={"StreamMode": "ON_DEMAND"}), {"kinesis:on_demand": 1}),
        (found("data stream", StreamModeDetails={"StreamMode": "PROVISIONED"}), {"kinesis:shard": 4}),
        (
            found(
                "MSK cluster",
                Provisioned={"NumberOfBrokerNodes": 3, "BrokerNodeGroupInfo": {"InstanceType": "kafka.m7g.large"}},
            ),
            {"msk:kafka.m7g.large": 3},
        ),
        (
            found("connector", capacity={"provisionedCapacity": {"mcuCount": 2, "workerCount": 3}}),
            {"msk_connect:mcu": 6},
        ),
        (
            found("connector", capacity={"autoScaling": {"mcuCount": 2, "minWorkerCount": 1, "maxWorkerCount": 9}}),
            {"msk_connect:mcu": 2},
        ),
    ],
)
def test_what_is_paid_for(resource, priced):
    [bill] = bills([resource], settings(kinesis={"shards": 4}))

    assert bill.per_hour == pytest.approx(sum(prices().per_hour[what] * many for what, many in priced.items()))
    assert bill.paid_for == KINDS[resource.kind].bills


@pytest.mark.parametrize(
    "resource",
    [
        found("instance", InstanceType="t3.small", State={"Name": "stopped"}),
        found("Elastic IP", InstanceId="i-1"),
        found("VPC endpoint", VpcEndpointType="Gateway"),
        found("role"),
    ],
)
def test_what_costs_nothing_is_left_out(resource):
    assert bills([resource], settings()) == []


@pytest.mark.parametrize("kind", ["bucket", "secret", "log group", "REST API"])
def test_what_is_paid_by_use_has_no_price(kind):
    [bill] = bills([found(kind)], settings())

    assert bill.per_hour is None


def test_the_dearest_comes_first_and_the_sum_is_called_an_estimate():
    rows = bills(
        [
            found("bucket", ours=False),
            found("data stream", StreamModeDetails={"StreamMode": "ON_DEMAND"}),
            found("connector", capacity={"provisionedCapacity": {"mcuCount": 1, "workerCount": 1}}),
        ],
        settings(),
    )
    lines = text(rows, "eu-west-1").splitlines()

    assert [line.split("  ")[0] for line in lines[1:4]] == ["connector", "data stream", "bucket"]
    assert "others'" in lines[3]
    assert lines[5].startswith("estimate: 0.150 USD per hour, 110 per month, by list prices of us-east-1, 2026-11")
    assert lines[6] == "eu-west-1 has other prices"


def test_an_empty_account_bills_nothing():
    assert text([], "us-east-1") == "Nothing of ours bills by the hour."

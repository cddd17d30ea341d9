"""The network: what is found, what is made, and what drifted. botocore checks each request by EC2's model."""

from __future__ import annotations

import pytest
from botocore.exceptions import ClientError, WaiterError

from include.aws.network import DESCRIPTIONS
from include.faults import LastingError
from pinterest.operators.network import FindVpcOperator, S3EndpointOperator, SecurityGroupsOperator
from pinterest.retry_policy import lasts
from tests.builders import USER_ID

VPC = "vpc-0123456789abcdef0"
OF_VPC = {"Name": "vpc-id", "Values": [VPC]}
TAGS = {"project": "pinterest-pipeline", "user_id": USER_ID, "run_id": "r", "expires_at": ""}
PAIRS = [
    {"Key": "project", "Value": "pinterest-pipeline"},
    {"Key": "user_id", "Value": USER_ID},
    {"Key": "run_id", "Value": "r"},
]
NAMES = {"client": "u-kafka-client", "brokers": "u-msk", "proxy_callers": "u-rest-api"}
IDS = {"client": "sg-c", "brokers": "sg-b", "proxy_callers": "sg-p"}
SSH = "203.0.113.7/32"


def by_tag(name, value):
    return {"Filters": [{"Name": name, "Values": [value]}]}


class TestVpc:
    PROJECT = by_tag("tag:project", "pinterest-pipeline")
    DEFAULT = by_tag("is-default", "true")

    def find(self, vpc_id="", provision="True"):
        return FindVpcOperator(task_id="vpc", provision=provision, vpc_id=vpc_id).execute({})

    def vpcs(self, ec2, asked, *ids):
        ec2.add_response("describe_vpcs", {"Vpcs": [{"VpcId": vpc, "CidrBlock": "10.0.0.0/16"} for vpc in ids]}, asked)

    def test_is_the_one_of_the_settings(self, ec2):
        self.vpcs(ec2, {"VpcIds": [VPC]}, VPC)

        assert self.find(VPC) == VPC

    def test_is_the_one_of_the_project(self, ec2):
        self.vpcs(ec2, self.PROJECT, VPC)

        assert self.find() == VPC

    def test_is_the_default_one(self, ec2):
        self.vpcs(ec2, self.PROJECT)
        self.vpcs(ec2, self.DEFAULT, VPC)

        assert self.find() == VPC

    def test_that_is_not_there_is_named(self, ec2):
        ec2.add_client_error("describe_vpcs", "InvalidVpcID.NotFound")

        with pytest.raises(LastingError, match=f"network.vpc_id '{VPC}': there is no such VPC in us-east-1"):
            self.find(VPC)

    def test_without_any_the_choices_are_named(self, ec2):
        self.vpcs(ec2, self.PROJECT)
        self.vpcs(ec2, self.DEFAULT)

        with pytest.raises(LastingError, match=r"no default VPC.*set network\.vpc_id, or make a default VPC"):
            self.find()

    def test_of_two_of_the_project_none_is_taken(self, ec2):
        self.vpcs(ec2, self.PROJECT, "vpc-2", "vpc-1")

        with pytest.raises(LastingError, match=r"2 VPCs have the tag .*: vpc-1, vpc-2; set network\.vpc_id"):
            self.find()

    def test_is_left_to_others_unless_the_account_is_made(self, ec2):
        assert self.find(provision="False") is None


class TestSecurityGroups:
    def ensure(self, **more):
        operator = SecurityGroupsOperator(
            task_id="groups",
            vpc_id=VPC,
            names=NAMES,
            ssh_from=f'["{SSH}"]',
            proxy_port="8082",
            broker_port="9098",
            tags=TAGS,
            **{"provision": "True", **more},
        )
        return operator.execute({})

    def found(self, ec2, *groups):
        names = {"Name": "group-name", "Values": list(NAMES.values())}
        ec2.add_response("describe_security_groups", {"SecurityGroups": [*groups]}, {"Filters": [OF_VPC, names]})

    def group(self, part, *permissions, tags=PAIRS):
        return {"GroupName": NAMES[part], "GroupId": IDS[part], "IpPermissions": [*permissions], "Tags": tags}

    def complete(self, **more):
        rules = {
            "client": [rule(22, address=SSH), rule(8082, group="sg-p")],
            "brokers": [rule(9098, group="sg-c"), rule(9098, group="sg-b")],
            "proxy_callers": [],
        }
        return [self.group(part, *more.get(part, found)) for part, found in rules.items()]

    def made(self, ec2, part):
        tagged = [{"ResourceType": "security-group", "Tags": PAIRS}]
        request = {
            "GroupName": NAMES[part],
            "Description": DESCRIPTIONS[part],
            "VpcId": VPC,
            "TagSpecifications": tagged,
        }
        ec2.add_response("create_security_group", {"GroupId": IDS[part]}, request)
        there = {"SecurityGroups": [{"GroupId": IDS[part]}]}
        ec2.add_response("describe_security_groups", there, {"GroupIds": [IDS[part]]})

    def allowed(self, ec2, part, *rules):
        for one in rules:
            request = {"GroupId": IDS[part], "IpPermissions": [one]}
            ec2.add_response("authorize_security_group_ingress", {"Return": True}, request)

    def test_are_made_with_exactly_their_rules(self, ec2):
        self.found(ec2)
        for part in NAMES:
            self.made(ec2, part)
        self.allowed(ec2, "client", rule(22, address=SSH), rule(8082, group="sg-p"))
        self.allowed(ec2, "brokers", rule(9098, group="sg-c"), rule(9098, group="sg-b"))

        assert self.ensure() == IDS

    def test_a_rerun_changes_nothing(self, ec2):
        self.found(ec2, *self.complete())

        assert self.ensure() == IDS

    def test_what_was_begun_is_completed(self, ec2):
        self.found(ec2, self.group("client", rule(22, address=SSH)))
        self.made(ec2, "brokers")
        self.made(ec2, "proxy_callers")
        self.allowed(ec2, "client", rule(8082, group="sg-p"))
        self.allowed(ec2, "brokers", rule(9098, group="sg-c"), rule(9098, group="sg-b"))

        assert self.ensure() == IDS

    def test_a_rule_that_others_took_away_comes_back_and_theirs_are_named(self, ec2, capsys):
        self.found(ec2, *self.complete(client=[rule(22, address="0.0.0.0/0"), rule(8082, group="sg-p")]))
        self.allowed(ec2, "client", rule(22, address=SSH))

        assert self.ensure() == IDS
        assert (
            "u-kafka-client (sg-c) also lets in, by a rule of others: TCP 22 from 0.0.0.0/0" in capsys.readouterr().out
        )

    def test_groups_of_others_are_not_changed(self, ec2, capsys):
        others = [{**group, "Tags": []} for group in self.complete(client=[])]
        self.found(ec2, *others)

        assert self.ensure() == IDS
        assert f"was made by others and lacks: TCP 22 from {SSH}; TCP 8082 from sg-p" in capsys.readouterr().out

    def test_a_second_run_at_once_adopts_what_the_first_makes(self, ec2):
        _, brokers, callers = self.complete()
        self.found(ec2, brokers, callers)
        ec2.add_client_error("create_security_group", "InvalidGroup.Duplicate")
        self.found(ec2, *self.complete(client=[rule(8082, group="sg-p")]))
        ec2.add_client_error("authorize_security_group_ingress", "InvalidPermission.Duplicate")

        assert self.ensure() == IDS

    def test_a_group_that_is_not_known_everywhere_yet_is_awaited(self, ec2, monkeypatch):
        monkeypatch.setattr("time.sleep", lambda _: None)
        _, *others = self.complete()
        self.found(ec2, *others)
        ec2.add_response("create_security_group", {"GroupId": "sg-c"})
        ec2.add_client_error("describe_security_groups", "InvalidGroup.NotFound")
        ec2.add_response("describe_security_groups", {"SecurityGroups": [{"GroupId": "sg-c"}]})
        self.allowed(ec2, "client", rule(22, address=SSH), rule(8082, group="sg-p"))

        assert self.ensure() == IDS

    @pytest.mark.parametrize(
        ("code", "lasting"),
        [("UnauthorizedOperation", True), ("SecurityGroupLimitExceeded", True), ("RequestLimitExceeded", False)],
    )
    def test_a_refusal_is_told_as_it_is(self, ec2, code, lasting):
        self.found(ec2)
        ec2.add_client_error(
            "create_security_group", code, "You are not authorized to perform: ec2:CreateSecurityGroup"
        )

        with pytest.raises(ClientError, match=rf"{code}.*CreateSecurityGroup") as refused:
            self.ensure()

        assert lasts(refused.value) is lasting

    def test_are_left_to_others_unless_the_account_is_made(self, ec2):
        assert self.ensure(provision="False") is None

    def test_a_wait_that_fails_may_pass(self):
        assert not lasts(WaiterError("security_group_exists", "Max attempts exceeded", {}))


class TestS3Endpoint:
    SERVICE = "com.amazonaws.us-east-1.s3"

    def ensure(self, provision="True"):
        return S3EndpointOperator(task_id="s3", provision=provision, vpc_id=VPC, tags=TAGS).execute({})

    def tables(self, ec2, *names):
        tables = [{"RouteTableId": name} for name in names]
        ec2.add_response("describe_route_tables", {"RouteTables": tables}, {"Filters": [OF_VPC]})

    def found(self, ec2, *endpoints):
        filters = [
            OF_VPC,
            {"Name": "service-name", "Values": [self.SERVICE]},
            {"Name": "vpc-endpoint-type", "Values": ["Gateway"]},
        ]
        found = [{"VpcEndpointId": "vpce-1", "State": "available", **one} for one in endpoints]
        ec2.add_response("describe_vpc_endpoints", {"VpcEndpoints": found}, {"Filters": filters})

    def made(self, ec2, *tables):
        request = {
            "VpcEndpointType": "Gateway",
            "VpcId": VPC,
            "ServiceName": self.SERVICE,
            "RouteTableIds": [*tables],
            "TagSpecifications": [{"ResourceType": "vpc-endpoint", "Tags": PAIRS}],
        }
        ec2.add_response("create_vpc_endpoint", {"VpcEndpoint": {"VpcEndpointId": "vpce-1"}}, request)

    @pytest.mark.parametrize("others", [[], [{"State": "deleting"}]])
    def test_is_made_for_every_route_table(self, ec2, others):
        self.tables(ec2, "rtb-2", "rtb-1")
        self.found(ec2, *others)
        self.made(ec2, "rtb-1", "rtb-2")

        assert self.ensure() == "vpce-1"

    @pytest.mark.parametrize("tags", [PAIRS, []])
    def test_a_rerun_changes_nothing(self, ec2, tags):
        self.tables(ec2, "rtb-1")
        self.found(ec2, {"RouteTableIds": ["rtb-1", "rtb-0"], "Tags": tags})

        assert self.ensure() == "vpce-1"

    def test_of_ours_is_added_to_a_new_route_table(self, ec2):
        self.tables(ec2, "rtb-1", "rtb-2")
        self.found(ec2, {"RouteTableIds": ["rtb-1"], "Tags": PAIRS})
        request = {"VpcEndpointId": "vpce-1", "AddRouteTableIds": ["rtb-2"]}
        ec2.add_response("modify_vpc_endpoint", {"Return": True}, request)

        assert self.ensure() == "vpce-1"

    def test_of_others_is_not_changed(self, ec2, capsys):
        self.tables(ec2, "rtb-1")
        self.found(ec2, {"RouteTableIds": []})

        assert self.ensure() == "vpce-1"
        assert "made by others and is not in rtb-1" in capsys.readouterr().out

    def test_is_left_to_others_unless_the_account_is_made(self, ec2):
        assert self.ensure(provision="False") is None


def rule(port, *, address=None, group=None):
    source = {"IpRanges": [{"CidrIp": address}]} if address else {"UserIdGroupPairs": [{"GroupId": group}]}
    return {"IpProtocol": "tcp", "FromPort": port, "ToPort": port, **source}

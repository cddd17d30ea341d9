"""``environment.yaml``, read as CloudFormation reads it."""

from __future__ import annotations

import json
import re
from typing import Any

import pytest
import yaml

from include.aws.policies import policy
from mwaa import stored_secrets, template
from tests.builders import settings

LONGEST_BODY = 51_200
PARAMETERS = {
    "UserId": "0e36c8cd403d",
    "ClusterName": "pinterest-msk-cluster",
    "AWS::Region": "us-east-1",
    "AWS::AccountId": "123456789012",
}


class Loader(yaml.SafeLoader):
    """Knows the short forms of CloudFormation's functions."""


def function(loader: Loader, suffix: str, node: yaml.Node) -> dict[str, Any]:
    if isinstance(node, yaml.ScalarNode):
        value: Any = loader.construct_scalar(node)
    elif isinstance(node, yaml.SequenceNode):
        value = loader.construct_sequence(node, deep=True)
    else:
        value = loader.construct_mapping(node, deep=True)
    return {suffix if suffix == "Ref" else f"Fn::{suffix}": value}


Loader.add_multi_constructor("!", function)


@pytest.fixture(scope="module")
def stack() -> dict[str, Any]:
    return yaml.load(template.TEMPLATE.read_text(), Loader)


def filled(value: Any) -> Any:
    """A value with the parameters in their places."""
    if isinstance(value, dict):
        if set(value) == {"Fn::Sub"}:
            return re.sub(r"\$\{([\w:]+)\}", lambda found: PARAMETERS[found[1]], value["Fn::Sub"])
        return {name: filled(one) for name, one in value.items()}
    return [filled(one) for one in value] if isinstance(value, list) else value


def of_kind(stack: dict[str, Any], kind: str) -> dict[str, dict[str, Any]]:
    return {name: one for name, one in stack["Resources"].items() if one["Type"] == kind}


def test_the_policies_are_those_of_the_files():
    text = template.TEMPLATE.read_text()

    assert template.with_policies(text) == text, "run: bin/mwaa template"


@pytest.mark.parametrize("name", template.POLICIES)
def test_a_policy_filled_with_parameters_is_the_one_filled_with_settings(stack, name):
    numbered = re.compile(rf"{template.logical_name(name)}\d")
    parts = [one for key, one in stack["Resources"].items() if numbered.fullmatch(key)]
    statements = [one for part in parts for one in part["Properties"]["PolicyDocument"]["Statement"]]
    current = settings(account={"provision": True}, kafka_client={})

    assert filled(statements) == policy(name, current, "123456789012")["Statement"]
    assert {part.get("Condition") for part in parts} == {template.POLICIES[name]}
    assert all(part["Properties"]["Roles"] == [{"Ref": "ExecutionRole"}] for part in parts)


@pytest.mark.parametrize("name", template.POLICIES)
def test_every_policy_fits_whatever_the_parameters(name):
    for part in template.parts(template.document(name)["Statement"]):
        assert template.length(part) <= template.LONGEST


def test_a_parameter_counts_as_long_as_its_value_can_be():
    empty = template.length([{"Resource": ""}])

    assert template.length([{"Resource": "${ClusterName}"}]) == empty + 64


def test_statements_that_do_not_fit_into_one_policy_go_into_the_next():
    statements = [{"Sid": f"S{number}", "Resource": "x" * 2000} for number in range(7)]

    found = list(template.parts(statements))

    assert [len(part) for part in found] == [3, 3, 1]
    assert [one for part in found for one in part] == statements
    assert all(template.length(part) <= template.LONGEST for part in found)


def test_the_template_can_be_given_as_it_is():
    assert len(template.TEMPLATE.read_bytes()) < LONGEST_BODY


def test_the_network_has_two_private_and_two_public_subnets_one_nat_and_a_way_to_s3(stack):
    subnets = of_kind(stack, "AWS::EC2::Subnet")
    public = {name for name, one in subnets.items() if one["Properties"].get("MapPublicIpOnLaunch")}
    routes = of_kind(stack, "AWS::EC2::SubnetRouteTableAssociation").values()
    table = {one["Properties"]["SubnetId"]["Ref"]: one["Properties"]["RouteTableId"]["Ref"] for one in routes}

    assert (len(subnets), len(public), len(of_kind(stack, "AWS::EC2::NatGateway"))) == (4, 2, 1)
    assert {table[name] for name in public} == {"PublicRoutes"}
    assert {table[name] for name in set(subnets) - public} == {"PrivateRoutes"}
    for group in (public, set(subnets) - public):
        assert len({str(subnets[name]["Properties"]["AvailabilityZone"]) for name in group}) == 2
    [endpoint] = of_kind(stack, "AWS::EC2::VPCEndpoint").values()
    assert endpoint["Properties"]["RouteTableIds"] == [{"Ref": "PublicRoutes"}, {"Ref": "PrivateRoutes"}]
    [environment] = of_kind(stack, "AWS::MWAA::Environment").values()
    private = {one["Ref"] for one in environment["Properties"]["NetworkConfiguration"]["SubnetIds"]}
    assert private == set(subnets) - public


def test_provisioning_finds_the_vpc_and_a_teardown_takes_nothing_for_its_own(stack):
    [vpc] = of_kind(stack, "AWS::EC2::VPC").values()

    assert {"Key": "project", "Value": "pinterest-pipeline"} in vpc["Properties"]["Tags"]
    assert "Key: user_id" not in template.TEMPLATE.read_text()


def test_nothing_lets_the_internet_in(stack):
    groups = of_kind(stack, "AWS::EC2::SecurityGroup").values()

    assert [one for group in groups for one in group["Properties"].get("SecurityGroupIngress", ())] == []
    for rule in of_kind(stack, "AWS::EC2::SecurityGroupIngress").values():
        assert "SourceSecurityGroupId" in rule["Properties"]


def test_the_bucket_keeps_versions_and_outlives_the_stack(stack):
    [bucket] = of_kind(stack, "AWS::S3::Bucket").values()

    assert bucket["Properties"]["VersioningConfiguration"] == {"Status": "Enabled"}
    assert set(bucket["Properties"]["PublicAccessBlockConfiguration"].values()) == {True}
    assert bucket["DeletionPolicy"] == "Retain"


def test_the_environment_asks_secrets_manager_in_both_sections_but_for_aws_default(stack):
    [environment] = of_kind(stack, "AWS::MWAA::Environment").values()
    options = environment["Properties"]["AirflowConfigurationOptions"]

    assert options["operators.default_deferrable"] == "True"
    for backend, arguments in stored_secrets.SECTIONS.items():
        assert options[backend] == stored_secrets.BACKEND
        found = json.loads(options[arguments])
        assert re.match(found["connections_lookup_pattern"], "aws_default") is None
        assert re.match(found["connections_lookup_pattern"], "aws_default_2")
        assert found["connections_prefix"] == "pinterest/connections"
    [role] = of_kind(stack, "AWS::IAM::Role").values()
    statements = role["Properties"]["Policies"][0]["PolicyDocument"]["Statement"]
    [secrets] = [one for one in statements if one["Sid"] == "ReadConnectionsAndTheVariable"]
    assert [one["Fn::Sub"].rpartition(":")[2] for one in secrets["Resource"]] == [
        "pinterest/connections/*",
        "pinterest/variables/*",
    ]


def test_a_micro_has_one_of_each(stack):
    [environment] = of_kind(stack, "AWS::MWAA::Environment").values()
    properties = environment["Properties"]

    for name in ("MinWorkers", "MaxWorkers", "MinWebservers", "MaxWebservers", "Schedulers"):
        assert properties[name]["Fn::If"][:2] == ["IsMicro", 1]
    assert properties["AirflowVersion"] == "3.3.1"
    assert all(one["Enabled"] for one in properties["LoggingConfiguration"].values())

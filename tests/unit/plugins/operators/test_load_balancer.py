"""The load balancer: found, made, corrected, undone. botocore checks each request by the services' models."""

from __future__ import annotations

import pytest
from airflow.providers.common.compat.sdk import AirflowException
from airflow.sdk.exceptions import TaskDeferred
from botocore.exceptions import ClientError

from include.aws.load_balancer import listener_request, load_balancer_request, target_group_request
from include.faults import LastingError
from pinterest.operators.load_balancer import ListenerOperator, LoadBalancerOperator, TargetGroupOperator
from pinterest.retry_policy import lasts
from tests.builders import USER_ID

NAME = f"{USER_ID}-rest-proxy"
OURS = {"project": "pinterest-pipeline", "user_id": USER_ID}
OTHERS = {"project": "theirs"}
TAGS = {**OURS, "run_id": "r", "expires_at": ""}
ARN = f"arn:aws:elasticloadbalancing:us-east-1:123456789012:loadbalancer/net/{NAME}/1"
GROUP = f"arn:aws:elasticloadbalancing:us-east-1:123456789012:targetgroup/{NAME}/1"
LISTENER = f"arn:aws:elasticloadbalancing:us-east-1:123456789012:listener/net/{NAME}/1/1"
MACHINE = {"InstanceId": "i-1", "VpcId": "vpc-1", "SubnetId": "s2"}
ENFORCED = {"EnforceSecurityGroupInboundRulesOnPrivateLinkTraffic": "on"}
WANTED = {"Id": "i-1", "Port": 8082}


@pytest.fixture(autouse=True)
def no_waiting(monkeypatch):
    monkeypatch.setattr("time.sleep", lambda _: None)


def machine_is(ec2):
    answer = {"Reservations": [{"Instances": [MACHINE]}]}
    ec2.add_response("describe_instances", answer, {"InstanceIds": ["i-1"]})


def tags_are(balancing, arn, tags):
    pairs = [{"Key": key, "Value": value} for key, value in tags.items()]
    answer = {"TagDescriptions": [{"ResourceArn": arn, "Tags": pairs}]}
    balancing.add_response("describe_tags", answer, {"ResourceArns": [arn]})


class TestTargetGroup:
    def ensure(self, **more):
        arguments = {"exposure": "vpc_link", "group_name": NAME, "instance_id": "i-1", "port": "8082", "tags": TAGS}
        return TargetGroupOperator(task_id="group", **{**arguments, **more}).execute({})

    def group(self, **more):
        return {"TargetGroupArn": GROUP, "VpcId": "vpc-1", "TargetType": "instance", **more}

    def found(self, balancing, *groups):
        if groups:
            balancing.add_response("describe_target_groups", {"TargetGroups": [*groups]}, {"Names": [NAME]})
        else:
            balancing.add_client_error(
                "describe_target_groups", "TargetGroupNotFound", expected_params={"Names": [NAME]}
            )

    def made(self, balancing):
        request = target_group_request(NAME, "vpc-1", 8082, TAGS)
        balancing.add_response("create_target_group", {"TargetGroups": [self.group()]}, request)

    def targets(self, balancing, *targets, state="healthy"):
        health = [{"Target": target, "TargetHealth": {"State": state}} for target in targets]
        answer = {"TargetHealthDescriptions": health}
        balancing.add_response("describe_target_health", answer, {"TargetGroupArn": GROUP})

    def registered(self, balancing):
        balancing.add_response("register_targets", {}, {"TargetGroupArn": GROUP, "Targets": [WANTED]})

    def test_is_made_with_the_machine_as_its_target(self, balancing, ec2):
        machine_is(ec2)
        self.found(balancing)
        self.made(balancing)
        self.targets(balancing)
        self.registered(balancing)

        assert self.ensure() == GROUP

    def test_a_rerun_changes_nothing(self, balancing, ec2):
        machine_is(ec2)
        self.found(balancing, self.group())
        self.targets(balancing, WANTED)

        assert self.ensure() == GROUP

    def test_a_new_machine_takes_the_place_of_the_old_one(self, balancing, ec2):
        old = {"Id": "i-0", "Port": 8082}
        machine_is(ec2)
        self.found(balancing, self.group())
        self.targets(balancing, old)
        self.registered(balancing)
        tags_are(balancing, GROUP, OURS)
        balancing.add_response("deregister_targets", {}, {"TargetGroupArn": GROUP, "Targets": [old]})

        assert self.ensure() == GROUP

    def test_another_port_takes_the_place_of_the_old_one(self, balancing, ec2):
        old = {"Id": "i-1", "Port": 9999}
        machine_is(ec2)
        self.found(balancing, self.group())
        self.targets(balancing, old)
        self.registered(balancing)
        tags_are(balancing, GROUP, OURS)
        balancing.add_response("deregister_targets", {}, {"TargetGroupArn": GROUP, "Targets": [old]})

        assert self.ensure() == GROUP

    def test_targets_that_are_being_taken_out_are_not_taken_out_again(self, balancing, ec2):
        machine_is(ec2)
        self.found(balancing, self.group())
        self.targets(balancing, {"Id": "i-0", "Port": 8082}, state="draining")
        self.registered(balancing)

        assert self.ensure() == GROUP

    def test_in_a_group_of_others_their_targets_stay(self, balancing, ec2, capsys):
        machine_is(ec2)
        self.found(balancing, self.group())
        self.targets(balancing, {"Id": "i-0", "Port": 80}, WANTED)
        tags_are(balancing, GROUP, OTHERS)

        assert self.ensure() == GROUP
        assert "was made by others and gets requests, too: port 80 of i-0" in capsys.readouterr().out

    @pytest.mark.parametrize("more", [{"VpcId": "vpc-2"}, {"TargetType": "ip"}])
    def test_a_group_for_something_else_is_named(self, balancing, ec2, more):
        machine_is(ec2)
        self.found(balancing, self.group(**more))

        with pytest.raises(LastingError, match=r"targets of type .* an instance in vpc-1: delete the group"):
            self.ensure()

    def test_a_second_run_at_once_adopts_what_the_first_makes(self, balancing, ec2):
        machine_is(ec2)
        self.found(balancing)
        balancing.add_client_error("create_target_group", "DuplicateTargetGroupName")
        self.found(balancing, self.group())
        self.targets(balancing, WANTED)

        assert self.ensure() == GROUP

    def test_a_quota_lasts(self, balancing, ec2):
        machine_is(ec2)
        self.found(balancing)
        balancing.add_client_error("create_target_group", "TooManyTargetGroups")
        self.found(balancing)

        with pytest.raises(ClientError, match="TooManyTargetGroups") as refused:
            self.ensure()
        assert lasts(refused.value)

    def test_on_the_internet_there_is_none(self, balancing, ec2):
        assert self.ensure(exposure="internet") == ""


class TestLoadBalancer:
    def operator(self, **more):
        arguments = {
            "exposure": "vpc_link", "load_balancer_name": NAME, "instance_id": "i-1", "security_group": "sg-p",
            "tags": TAGS, "waiter_delay": 0, "waiter_max_attempts": 3,
        }  # fmt: skip
        return LoadBalancerOperator(task_id="balancer", **{**arguments, **more})

    def ensure(self, **more):
        return self.operator(**more).execute({})

    def balancer(self, state="active", **more):
        return {
            "LoadBalancerArn": ARN,
            "Type": "network",
            "Scheme": "internal",
            "State": {"Code": state},
            "SecurityGroups": ["sg-p"],
            "EnforceSecurityGroupInboundRulesOnPrivateLinkTraffic": "off",
            **more,
        }

    def found(self, balancing, *balancers):
        if balancers:
            balancing.add_response("describe_load_balancers", {"LoadBalancers": [*balancers]}, {"Names": [NAME]})
        else:
            balancing.add_client_error("describe_load_balancers", "LoadBalancerNotFound")

    def made(self, balancing, ec2, group="sg-p", **more):
        machine_is(ec2)
        subnets = [
            {"SubnetId": name, "AvailabilityZone": zone} for name, zone in (("s1", "a"), ("s2", "a"), ("s3", "b"))
        ]
        of_vpc = {"Filters": [{"Name": "vpc-id", "Values": ["vpc-1"]}]}
        ec2.add_response("describe_subnets", {"Subnets": subnets}, of_vpc)
        made = self.balancer("provisioning", EnforceSecurityGroupInboundRulesOnPrivateLinkTraffic="on", **more)
        request = load_balancer_request(NAME, ["s2", "s3"], group, TAGS)
        balancing.add_response("create_load_balancer", {"LoadBalancers": [made]}, request)

    def attributes(self, balancing, crosses="true"):
        answer = {"Attributes": [{"Key": "load_balancing.cross_zone.enabled", "Value": crosses}]}
        balancing.add_response("describe_load_balancer_attributes", answer, {"LoadBalancerArn": ARN})

    def corrected(self, balancing, *, groups=True, crosses=True):
        if groups:
            request = {
                "LoadBalancerArn": ARN,
                "SecurityGroups": ["sg-p"],
                "EnforceSecurityGroupInboundRulesOnPrivateLinkTraffic": "off",
            }
            balancing.add_response("set_security_groups", {}, request)
        if crosses:
            attribute = {"Key": "load_balancing.cross_zone.enabled", "Value": "true"}
            balancing.add_response(
                "modify_load_balancer_attributes", {}, {"LoadBalancerArn": ARN, "Attributes": [attribute]}
            )

    def states(self, balancing, *states, **more):
        for state in states:
            answer = {"LoadBalancers": [self.balancer(state, **more)]}
            balancing.add_response("describe_load_balancers", answer, {"LoadBalancerArns": [ARN]})

    def deleted(self, balancing):
        balancing.add_response("delete_load_balancer", {}, {"LoadBalancerArn": ARN})

    def test_is_made_in_every_zone_and_lets_only_vpc_links_in(self, balancing, ec2):
        self.found(balancing)
        self.made(balancing, ec2)
        self.states(balancing, "provisioning", "active")
        self.states(balancing, "active", **ENFORCED)
        self.attributes(balancing, "false")
        self.corrected(balancing)

        assert self.ensure() == ARN

    def test_without_a_security_group_everyone_in_the_network_can_use_it_and_that_is_said(self, balancing, ec2, capsys):
        self.found(balancing)
        self.made(balancing, ec2, group="", SecurityGroups=[])
        self.states(balancing, "active")
        self.states(balancing, "active", SecurityGroups=[])
        self.attributes(balancing)

        assert self.ensure(security_group="") == ARN
        assert "has no security group, so everyone in vpc-1 can use it" in capsys.readouterr().out

    def test_a_rerun_changes_nothing(self, balancing):
        self.found(balancing, self.balancer())
        self.attributes(balancing)

        assert self.ensure() == ARN

    def test_what_was_begun_is_completed(self, balancing):
        """Killed between creation and correction, or after a lost answer."""
        self.found(balancing, self.balancer("provisioning", **ENFORCED))
        self.states(balancing, "active_impaired")
        self.states(balancing, "active_impaired", **ENFORCED)
        self.attributes(balancing, "false")
        tags_are(balancing, ARN, OURS)
        self.corrected(balancing)

        assert self.ensure() == ARN

    def test_one_of_others_is_used_as_it_is(self, balancing, capsys):
        self.found(balancing, self.balancer(SecurityGroups=["sg-x"]))
        self.attributes(balancing, "false")
        tags_are(balancing, ARN, OTHERS)

        assert self.ensure() == ARN
        assert "was made by others. It lacks: only VPC links get in; every zone leads" in capsys.readouterr().out

    @pytest.mark.parametrize("more", [{"Scheme": "internet-facing"}, {"Type": "application"}])
    def test_one_that_a_vpc_link_cannot_use_is_named_and_left(self, balancing, more):
        self.found(balancing, self.balancer(**more))

        with pytest.raises(LastingError, match=r"needs an internal one of type network: delete or rename it"):
            self.ensure()

    def test_a_second_run_at_once_adopts_what_the_first_makes_and_does_not_delete_it(self, balancing, ec2):
        self.found(balancing)
        machine_is(ec2)
        ec2.add_response("describe_subnets", {"Subnets": []})
        balancing.add_client_error("create_load_balancer", "DuplicateLoadBalancerName")
        self.found(balancing, self.balancer("provisioning"))
        self.states(balancing, "failed")

        with pytest.raises(AirflowException, match="does not become active"):
            self.ensure()

    @pytest.mark.parametrize("states", [("provisioning", "failed"), ("provisioning",) * 3])
    def test_one_that_does_not_become_active_is_deleted(self, balancing, ec2, states):
        self.found(balancing)
        self.made(balancing, ec2)
        self.states(balancing, *states)
        self.deleted(balancing)

        with pytest.raises(AirflowException):
            self.ensure()

    def test_the_triggerer_waits_for_it(self, balancing, ec2):
        self.found(balancing)
        self.made(balancing, ec2)

        with pytest.raises(TaskDeferred) as deferred:
            self.ensure(deferrable=True)

        told = deferred.value.trigger.return_value
        assert told == {"arn": ARN, "made": True}
        self.states(balancing, "active", **ENFORCED)
        self.attributes(balancing)
        self.corrected(balancing, crosses=False)
        assert self.operator().execute_complete({}, {"status": "success", "load_balancer": told}) == ARN

    def test_one_that_cannot_be_corrected_is_deleted(self, balancing, ec2):
        self.found(balancing)
        self.made(balancing, ec2)
        self.states(balancing, "active")
        self.states(balancing, "active", **ENFORCED)
        self.attributes(balancing)
        balancing.add_client_error("set_security_groups", "AccessDenied")
        self.deleted(balancing)

        with pytest.raises(ClientError, match=r"AccessDenied.*SetSecurityGroups"):
            self.ensure()

    @pytest.mark.parametrize("made", [True, False])
    def test_what_the_triggerer_could_not_wait_for_is_deleted_if_it_was_made_here(self, balancing, made):
        event = {"status": "error", "message": "it failed", "load_balancer": {"arn": ARN, "made": made}}
        if made:
            self.deleted(balancing)

        with pytest.raises(AirflowException, match="it failed"):
            self.operator().execute_complete({}, event)

    def test_a_trigger_without_an_event_fails_the_task(self):
        with pytest.raises(AirflowException, match="ended without an event"):
            self.operator().execute_complete({}, None)

    @pytest.mark.parametrize(
        ("code", "lasting"), [("TooManyLoadBalancers", True), ("AccessDenied", True), ("Throttling", False)]
    )
    def test_a_refusal_is_told_as_it_is(self, balancing, ec2, code, lasting):
        self.found(balancing)
        machine_is(ec2)
        ec2.add_response("describe_subnets", {"Subnets": []})
        balancing.add_client_error("create_load_balancer", code)
        self.found(balancing)

        with pytest.raises(ClientError, match=f"{code}.*CreateLoadBalancer") as refused:
            self.ensure()
        assert lasts(refused.value) is lasting

    def test_on_the_internet_there_is_none(self, balancing):
        assert self.ensure(exposure="internet") == ""


class TestListener:
    def ensure(self, **more):
        arguments = {
            "exposure": "vpc_link", "load_balancer": ARN, "target_group": GROUP, "port": "8082", "tags": TAGS,
        }  # fmt: skip
        return ListenerOperator(task_id="listener", **{**arguments, **more}).execute({})

    def listener(self, group=GROUP, port=8082):
        actions = [{"Type": "forward", "TargetGroupArn": group}]
        return {"ListenerArn": LISTENER, "Port": port, "DefaultActions": actions}

    def found(self, balancing, *listeners):
        balancing.add_response("describe_listeners", {"Listeners": [*listeners]}, {"LoadBalancerArn": ARN})

    def test_is_made(self, balancing):
        self.found(balancing, self.listener(port=80))
        request = listener_request(ARN, GROUP, 8082, TAGS)
        balancing.add_response("create_listener", {"Listeners": [self.listener()]}, request)

        assert self.ensure() == LISTENER

    def test_a_rerun_changes_nothing(self, balancing):
        self.found(balancing, self.listener())

        assert self.ensure() == LISTENER

    def test_one_that_leads_elsewhere_is_corrected(self, balancing):
        self.found(balancing, self.listener("another"))
        tags_are(balancing, ARN, OURS)
        actions = [{"Type": "forward", "TargetGroupArn": GROUP}]
        balancing.add_response("modify_listener", {}, {"ListenerArn": LISTENER, "DefaultActions": actions})

        assert self.ensure() == LISTENER

    def test_one_of_others_that_leads_elsewhere_is_named(self, balancing):
        self.found(balancing, self.listener("another"))
        tags_are(balancing, ARN, OTHERS)

        with pytest.raises(LastingError, match=f"was made by others and leads to another: have it lead to {GROUP}"):
            self.ensure()

    def test_a_second_run_at_once_adopts_what_the_first_makes(self, balancing):
        self.found(balancing)
        balancing.add_client_error("create_listener", "DuplicateListener")
        self.found(balancing, self.listener())

        assert self.ensure() == LISTENER

    def test_on_the_internet_there_is_none(self, balancing):
        assert self.ensure(exposure="internet") == ""

"""The load balancer in front of the REST proxy: in which subnets it is, and why its target gets no requests."""

from __future__ import annotations

import pytest

from include.aws.load_balancer import WHAT_TO_DO, load_balancer_request, problem, zone_subnets

TAGS = {"project": "pinterest-pipeline", "user_id": "u", "expires_at": ""}


def subnet(name, zone):
    return {"SubnetId": name, "AvailabilityZone": zone}


def target(state, reason="", description="", port=8082):
    health = {"State": state, "Reason": reason, "Description": description}
    return {"Target": {"Id": "i-1", "Port": port}, "TargetHealth": {key: text for key, text in health.items() if text}}


def test_it_is_in_every_zone_and_beside_the_machine():
    subnets = [subnet("s3", "b"), subnet("s2", "a"), subnet("s1", "a"), subnet("s4", "b")]

    assert zone_subnets(subnets, "s4") == ["s1", "s4"]
    assert zone_subnets(reversed(subnets), "s2") == ["s2", "s3"]
    assert zone_subnets([], "s1") == []


@pytest.mark.parametrize(("group", "groups"), [("sg-1", {"SecurityGroups": ["sg-1"]}), ("", {})])
def test_it_is_internal_and_tagged(group, groups):
    request = load_balancer_request("u-rest-proxy", ["s1"], group, TAGS)

    assert request == {
        "Name": "u-rest-proxy",
        "Type": "network",
        "Scheme": "internal",
        "Subnets": ["s1"],
        **groups,
        "Tags": [{"Key": "project", "Value": "pinterest-pipeline"}, {"Key": "user_id", "Value": "u"}],
    }


class TestProblem:
    def test_a_healthy_target_has_none(self):
        assert problem(target("healthy")) == ""

    @pytest.mark.parametrize("reason", WHAT_TO_DO)
    def test_a_reason_is_told_with_what_to_do(self, reason):
        said = problem(target("unhealthy", reason, "Health checks failed"))

        assert said == f"port 8082 of i-1 is unhealthy ({reason}: Health checks failed): {WHAT_TO_DO[reason]}"

    def test_a_target_that_is_being_tried_is_told_as_it_is(self):
        said = problem(target("initial", "Elb.InitialHealthChecking"))

        assert said == "port 8082 of i-1 is initial (Elb.InitialHealthChecking)"

    def test_a_state_without_a_reason_is_told(self):
        assert problem(target("unavailable")) == "port 8082 of i-1 is unavailable (no reason given)"

    def test_a_machine_that_is_not_registered_is_told(self):
        assert problem(None) == f"the client machine is not registered: {WHAT_TO_DO['Target.NotRegistered']}"

"""The load balancer's target: waited for, and named with what to do when it gets no requests."""

from __future__ import annotations

from datetime import timedelta

import pytest
from airflow.providers.common.compat.sdk import AirflowSensorTimeout

from pinterest.sensors.rest_proxy_target import RestProxyTargetSensor

GROUP = "arn:aws:elasticloadbalancing:us-east-1:123456789012:targetgroup/x/1"


def sensor(exposure="vpc_link", **more):
    return RestProxyTargetSensor(
        task_id="target", exposure=exposure, group_name="u-rest-proxy", port="8082", poke_interval=0, **more
    )


def group_is(balancing, *health):
    answer = {"TargetGroups": [{"TargetGroupArn": GROUP}]}
    balancing.add_response("describe_target_groups", answer, {"Names": ["u-rest-proxy"]})
    found = [{"Target": {"Id": "i-1", "Port": 8082}, "TargetHealth": one} for one in health]
    balancing.add_response("describe_target_health", {"TargetHealthDescriptions": found}, {"TargetGroupArn": GROUP})


@pytest.mark.parametrize("health", [[{"State": "healthy"}], [{"State": "unhealthy"}, {"State": "healthy"}]])
def test_a_healthy_target_is_enough(balancing, health):
    group_is(balancing, *health)

    assert sensor().poke({})


@pytest.mark.parametrize(
    ("health", "said"),
    [
        (
            [{"State": "unhealthy", "Reason": "Target.FailedHealthChecks"}],
            "port 8082 of i-1 is unhealthy .*: nothing answers there: see ~/kafka-rest/kafka-rest.log",
        ),
        (
            [{"State": "unused", "Reason": "Target.InvalidState"}],
            "port 8082 of i-1 is unused .*: the instance is stopped: start it",
        ),
        ([], "the client machine is not registered: run pinterest_pipeline"),
    ],
)
def test_when_the_time_is_up_the_target_is_named_with_what_to_do(balancing, health, said):
    group_is(balancing, *health)

    with pytest.raises(AirflowSensorTimeout, match=f"After 0 s, the load balancer sends nothing .*: {said}"):
        sensor(timeout=timedelta(seconds=0)).execute({})


def test_a_target_group_that_is_gone_is_named(balancing):
    balancing.add_client_error("describe_target_groups", "TargetGroupNotFound")

    with pytest.raises(AirflowSensorTimeout, match="there is no target group u-rest-proxy: run pinterest_pipeline"):
        sensor(timeout=timedelta(seconds=0)).execute({})


def test_on_the_internet_nothing_is_waited_for_and_the_log_says_what_it_means(balancing, capsys):
    assert sensor("internet").poke({})
    assert "API Gateway needs port 8082 open to everybody" in capsys.readouterr().out

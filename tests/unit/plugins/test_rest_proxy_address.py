"""Where API Gateway reaches the REST proxy: by its load balancer and VPC link, or at its public name."""

from __future__ import annotations

import pytest

from include.faults import LastingError
from pinterest.hooks.kafka_client import KafkaClientHook
from pinterest.rest_proxy_address import rest_proxy_address
from tests.builders import USER_ID, settings

NAME = f"{USER_ID}-rest-proxy"
ARN = "arn:aws:elasticloadbalancing:us-east-1:123456789012:loadbalancer/net/x/1"
PRIVATE = settings(rest_proxy={"exposure": "vpc_link"})


def balancer_is(balancing):
    answer = {"LoadBalancers": [{"LoadBalancerArn": ARN, "DNSName": "lb.example.org"}]}
    balancing.add_response("describe_load_balancers", answer, {"Names": [NAME]})


def links_are(gateway, *links):
    found = [{"id": link_id, "name": NAME, "status": status, "targetArns": [arn]} for link_id, status, arn in links]
    gateway.add_response("get_vpc_links", {"items": found}, {})


def test_is_the_load_balancer_by_the_link_that_leads_to_it(balancing, gateway):
    balancer_is(balancing)
    links_are(gateway, ("l0", "FAILED", ARN), ("l1", "AVAILABLE", "arn:old"), ("l2", "AVAILABLE", ARN))

    assert rest_proxy_address(PRIVATE) == ("http://lb.example.org:8082", "l2")


def test_without_a_load_balancer_the_dag_to_run_is_named(balancing):
    balancing.add_client_error("describe_load_balancers", "LoadBalancerNotFound")

    with pytest.raises(LastingError, match=f"There is no load balancer {NAME} in us-east-1: run the DAG"):
        rest_proxy_address(PRIVATE)


@pytest.mark.parametrize("links", [[], [("l1", "PENDING", ARN)], [("l1", "AVAILABLE", "arn:old")]])
def test_without_a_usable_link_the_dag_to_run_is_named(balancing, gateway, links):
    balancer_is(balancing)
    links_are(gateway, *links)

    with pytest.raises(LastingError, match=f"No VPC link {NAME} .* is AVAILABLE: run the DAG"):
        rest_proxy_address(PRIVATE)


def test_on_the_internet_is_the_machines_name(monkeypatch):
    monkeypatch.setattr(KafkaClientHook, "rest_proxy_url", "http://machine:8082")

    assert rest_proxy_address(settings()) == ("http://machine:8082", "")

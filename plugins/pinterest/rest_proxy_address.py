"""Where API Gateway reaches the REST proxy, and by which way."""

from __future__ import annotations

from typing import NamedTuple

from include.faults import LastingError
from include.settings import Settings
from pinterest.hooks.api_gateway import ApiGatewayHook
from pinterest.hooks.kafka_client import KafkaClientHook
from pinterest.hooks.load_balancer import LoadBalancerHook

RUN = "run the DAG pinterest_pipeline"


class RestProxyAddressError(LastingError, RuntimeError):
    """The way to the REST proxy has not been made, or is no more."""


class Address(NamedTuple):
    """:param url: of the REST proxy, or of the load balancer that leads to it
    :param vpc_link: id of the VPC link by which it is reached; empty on the Internet
    """

    url: str
    vpc_link: str


def rest_proxy_address(settings: Settings, aws_conn_id: str | None = "aws_default") -> Address:
    """The address that ``rest_proxy.exposure`` asks for. Nothing is made or changed.

    Raises RestProxyAddressError if there is no load balancer or no usable VPC link.
    """
    if settings.exposure == "internet":
        return Address(KafkaClientHook(settings, aws_conn_id).rest_proxy_url, "")
    name, region = settings.vpc_link, settings.region
    balancer = LoadBalancerHook(aws_conn_id=aws_conn_id, region_name=region).find_load_balancer(name)
    if balancer is None:
        raise RestProxyAddressError(f"There is no load balancer {name} in {region}: {RUN}")
    for link in ApiGatewayHook(aws_conn_id=aws_conn_id, region_name=region).find_vpc_links(name):
        if (link["status"], list(link["targetArns"])) == ("AVAILABLE", [balancer["LoadBalancerArn"]]):
            return Address(f"http://{balancer['DNSName']}:{settings.rest_proxy.port}", str(link["id"]))
    raise RestProxyAddressError(f"No VPC link {name} to the load balancer of that name is AVAILABLE: {RUN}")

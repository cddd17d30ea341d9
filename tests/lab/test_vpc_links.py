"""VPC links and Network Load Balancers, made with boto3: the requests go through both to a plain HTTP server."""

from __future__ import annotations

import json
import uuid
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

import pytest
import requests
from botocore.exceptions import ClientError

from include.aws.api_gateway import proxy_methods, proxy_resources, stage_variables
from include.aws.load_balancer import listener_request, load_balancer_request, target_group_request
from lab.airflow_environment import aws_connection
from lab.state import REGION, State
from pinterest.operators.api_gateway_backend import RestApiBackendOperator
from tests.lab.lab_parts import client, running, start_aws, start_cloud

TAGS = {"project": "pinterest-pipeline"}
TAKEN = "NLB is already associated with another VPC Endpoint Service"
NETWORK_ERROR = {"message": "Network error communicating with endpoint"}
type Lead = Callable[..., str]

PORT = 8082
"""Of the load balancer; the target has another."""


@pytest.fixture(scope="module")
def gateway(aws) -> Iterator[State]:
    with running(start_cloud(aws, "gateway")):
        yield aws


@dataclass
class Way:
    """A REST API, and what leads from it to a target."""

    state: State
    api_id: str
    balancer: dict[str, Any]
    group: str
    link: str

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.state.port('gateway')}/_aws/execute-api/{self.api_id}/test"

    @property
    def balancing(self) -> Any:
        return client(self.state, "elbv2")

    @property
    def apis(self) -> Any:
        return client(self.state, "apigateway")

    def health(self) -> list[dict[str, str]]:
        found = self.balancing.describe_target_health(TargetGroupArn=self.group)["TargetHealthDescriptions"]
        return [one["TargetHealth"] for one in found]


def lead_to(state: State, port: int) -> Way:
    ec2, balancing, apis = client(state, "ec2"), client(state, "elbv2"), client(state, "apigateway")
    name = f"way-{uuid.uuid4().hex[:8]}"
    instance = ec2.run_instances(ImageId="ami-1", MinCount=1, MaxCount=1)["Instances"][0]
    request = target_group_request(name, instance["VpcId"], port, TAGS)
    group = balancing.create_target_group(**request)["TargetGroups"][0]["TargetGroupArn"]
    balancing.register_targets(TargetGroupArn=group, Targets=[{"Id": instance["InstanceId"], "Port": port}])
    request = load_balancer_request(name, [instance["SubnetId"]], "", TAGS)
    balancer = balancing.create_load_balancer(**request)["LoadBalancers"][0]
    balancing.create_listener(**listener_request(balancer["LoadBalancerArn"], group, PORT, TAGS))
    link = apis.create_vpc_link(name=name, targetArns=[balancer["LoadBalancerArn"]])
    assert link["status"] == "PENDING"
    way = Way(state, deployed(apis, balancer, link["id"]), balancer, group, link["id"])
    assert apis.get_vpc_link(vpcLinkId=link["id"])["status"] == "AVAILABLE"
    return way


def deployed(apis: Any, balancer: dict[str, Any], link: str) -> str:
    """An API with the pipeline's own integration."""
    api_id = apis.create_rest_api(name=balancer["LoadBalancerName"])["id"]
    [root] = apis.get_resources(restApiId=api_id)["items"]
    resource = apis.create_resource(restApiId=api_id, parentId=root["id"], pathPart="{proxy+}")["id"]
    method = proxy_methods("http", exposure="vpc_link")["ANY"]
    where = {"restApiId": api_id, "resourceId": resource, "httpMethod": "ANY"}
    apis.put_method(**where, **{**method["method"], "apiKeyRequired": False})
    apis.put_integration(**where, **method["integration"])
    variables = stage_variables(f"http://{balancer['DNSName']}:{PORT}", link)
    apis.create_deployment(restApiId=api_id, stageName="test", variables=variables)
    return str(api_id)


@pytest.fixture
def way(gateway, backend) -> Way:
    return lead_to(gateway, int(backend.url.rsplit(":", 1)[1]))


def test_a_request_goes_through_the_load_balancer_to_its_target(way, backend):
    answer = requests.post(f"{way.url}/topics/a%20b?x=1", data=b"1", headers={"X-Own": "1", "x-api-key": "secret"})

    assert answer.status_code == 200
    [received] = backend.requests
    assert (received.method, received.path, received.body) == ("POST", "/topics/a%20b?x=1", b"1")
    assert received.headers["Host"] == f"{way.balancer['DNSName']}:{PORT}"
    assert (received.headers["X-Own"], received.headers["x-api-key"]) == ("1", "withheld")


def test_a_target_that_moves_is_found_without_a_deployment(way, backend):
    [target] = way.balancing.describe_target_health(TargetGroupArn=way.group)["TargetHealthDescriptions"]
    way.balancing.deregister_targets(TargetGroupArn=way.group, Targets=[target["Target"]])
    assert requests.get(f"{way.url}/x").json() == NETWORK_ERROR
    way.balancing.register_targets(TargetGroupArn=way.group, Targets=[target["Target"]])

    assert requests.get(f"{way.url}/x").status_code == 200


def test_another_link_is_taken_without_a_deployment(way, gateway, backend):
    other = lead_to(gateway, 9)
    patch = {"op": "replace", "path": "/variables/vpc_link", "value": other.link}
    way.apis.update_stage(restApiId=way.api_id, stageName="test", patchOperations=[patch])

    answer = requests.get(f"{way.url}/x")

    assert (answer.status_code, answer.json()) == (504, NETWORK_ERROR)


@pytest.fixture
def lead(way, monkeypatch) -> Lead:
    """The pipeline's task that has the API lead somewhere, as ``rest_proxy.exposure`` says. Returns what it did."""
    monkeypatch.setenv("AIRFLOW_CONN_AWS_DEFAULT", json.dumps(aws_connection(way.state)))

    def lead(exposure: str, url: str, link: str = "") -> str:
        return RestApiBackendOperator(
            task_id="api",
            api_name=way.balancer["LoadBalancerName"],
            stage_name="test",
            backend_url=url,
            vpc_link=link,
            proxy_paths=proxy_resources(["/{proxy+}"], "http", exposure),
            region_name=REGION,
        ).execute({})

    return lead


def test_an_api_is_switched_to_the_internet_and_back(way, lead, backend):
    through_link = f"http://{way.balancer['DNSName']}:{PORT}"
    switched = [lead("vpc_link", through_link, way.link)]
    hosts = []
    for exposure, url, link in (("internet", backend.url, ""), ("vpc_link", through_link, way.link)):
        switched.append(lead(exposure, url, link))
        assert lead(exposure, url, link) == "unchanged"
        assert requests.get(f"{way.url}/x").status_code == 200
        hosts.append(backend.requests[-1].headers["Host"])

    assert hosts == [backend.url.removeprefix("http://"), f"{way.balancer['DNSName']}:{PORT}"]
    assert [one.partition(":")[0] for one in switched] == ["changed"] * 3


def test_on_the_internet_the_link_can_be_deleted_and_the_api_still_answers(way, lead, backend):
    lead("internet", backend.url)
    way.apis.delete_vpc_link(vpcLinkId=way.link)
    way.balancing.delete_load_balancer(LoadBalancerArn=way.balancer["LoadBalancerArn"])

    assert requests.get(f"{way.url}/x").status_code == 200


def test_a_link_that_is_gone_is_500_and_the_log_says_why(way, gateway):
    way.apis.delete_vpc_link(vpcLinkId=way.link)
    answer = requests.get(f"{way.url}/x")

    assert (answer.status_code, answer.json()) == (500, {"message": "Internal server error"})
    assert f"there is no VPC link '{way.link}' that is AVAILABLE" in gateway.log("gateway").read_text()


def test_a_port_without_a_listener_is_504(way):
    patch = {"op": "replace", "path": "/variables/backend", "value": f"{way.balancer['DNSName']}:1"}
    way.apis.update_stage(restApiId=way.api_id, stageName="test", patchOperations=[patch])

    assert requests.get(f"{way.url}/x").status_code == 504


def test_a_load_balancer_takes_one_link(way):
    second = way.apis.create_vpc_link(name="second", targetArns=[way.balancer["LoadBalancerArn"]])["id"]
    nowhere = way.apis.create_vpc_link(name="nowhere", targetArns=["arn:aws:elasticloadbalancing:x"])["id"]

    failed = [way.apis.get_vpc_link(vpcLinkId=link) for link in (second, nowhere)]
    assert [one["status"] for one in failed] == ["FAILED", "FAILED"]
    assert [one["statusMessage"] for one in failed] == [TAKEN, "NLB ARN is malformed."]


def test_what_is_used_is_not_deleted(way):
    arn = way.balancer["LoadBalancerArn"]
    assert "/net/" in arn
    for delete in (
        lambda: way.balancing.delete_load_balancer(LoadBalancerArn=arn),
        lambda: way.balancing.delete_target_group(TargetGroupArn=way.group),
    ):
        with pytest.raises(ClientError, match="ResourceInUse"):
            delete()
    way.apis.delete_vpc_link(vpcLinkId=way.link)
    way.balancing.delete_load_balancer(LoadBalancerArn=arn)
    way.balancing.delete_target_group(TargetGroupArn=way.group)

    with pytest.raises(ClientError, match="LoadBalancerNotFound"):
        way.balancing.describe_load_balancers(LoadBalancerArns=[arn])
    with pytest.raises(ClientError, match="TargetGroupNotFound"):
        way.balancing.describe_target_groups(TargetGroupArns=[way.group])
    with pytest.raises(way.apis.exceptions.NotFoundException):
        way.apis.get_vpc_link(vpcLinkId=way.link)


def test_the_health_of_a_target_is_what_is_so(way, gateway):
    assert way.health() == [{"State": "healthy"}]
    nobody = lead_to(gateway, 9)
    assert [one["Reason"] for one in nobody.health()] == ["Target.FailedHealthChecks"]
    [target] = nobody.balancing.describe_target_health(TargetGroupArn=nobody.group)["TargetHealthDescriptions"]
    client(gateway, "ec2").stop_instances(InstanceIds=[target["Target"]["Id"]])

    assert [(one["State"], one["Reason"]) for one in nobody.health()] == [("unused", "Target.InvalidState")]


def test_links_and_load_balancers_survive_a_restart(tmp_path):
    state = State.open(root=tmp_path / "state")
    with running(start_aws(state)) as part:
        way = lead_to(state, 9)
        part.stop()
    with running(start_aws(state)):
        assert client(state, "apigateway").get_vpc_link(vpcLinkId=way.link)["status"] == "AVAILABLE"
        [found] = client(state, "elbv2").describe_load_balancers()["LoadBalancers"]
        assert found["LoadBalancerArn"] == way.balancer["LoadBalancerArn"]
        assert way.health()[0]["Reason"] == "Target.FailedHealthChecks"

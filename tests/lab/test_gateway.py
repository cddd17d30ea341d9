"""The API Gateway stand-in: APIs made with boto3, called with requests, a plain HTTP server behind them."""

from __future__ import annotations

import gzip
import json
import uuid
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import pytest
import requests

from include.aws.api_gateway import gateway_responses, proxy_methods
from lab.state import State
from tests.lab.lab_parts import client, running, start_aws, start_cloud, wait_until

MEGABYTE = 2**20
KAFKA_JSON = "application/vnd.kafka.json.v2+json"


@pytest.fixture(scope="module")
def gateway(aws) -> State:
    with running(start_cloud(aws, "gateway")):
        yield aws


@dataclass
class Api:
    """A REST API with ``/{proxy+}``, deployed to the stage ``test``."""

    control: Any
    id: str
    url: str

    def add(
        self,
        path: str,
        uri: str,
        *,
        method: str = "ANY",
        key: bool = False,
        timeout: int = 29_000,
        mapping: Mapping[str, str] | None = None,
    ) -> None:
        parent = self.resource("/")
        for part in path.strip("/").split("/"):
            path_so_far = f"{parent['path'].rstrip('/')}/{part}"
            parent = self.resource(path_so_far) or self.control.create_resource(
                restApiId=self.id, parentId=parent["id"], pathPart=part
            )
        names = [part.strip("{}+") for part in path.split("/") if "{" in part]
        where = {"restApiId": self.id, "resourceId": parent["id"], "httpMethod": method}
        self.control.put_method(
            **where,
            authorizationType="NONE",
            apiKeyRequired=key,
            requestParameters={f"method.request.path.{name}": True for name in names},
        )
        self.control.put_integration(
            **where,
            type="HTTP_PROXY",
            integrationHttpMethod=method,
            uri=uri,
            timeoutInMillis=timeout,
            requestParameters={
                **{f"integration.request.path.{n}": f"method.request.path.{n}" for n in names},
                **(mapping or {}),
            },
        )

    def resource(self, path: str) -> dict[str, Any] | None:
        return next((r for r in self.control.get_resources(restApiId=self.id)["items"] if r["path"] == path), None)

    def deploy(self) -> Api:
        self.control.create_deployment(restApiId=self.id, stageName="test")
        return self

    def issue_key(self, **throttle: float) -> str:
        value = uuid.uuid4().hex
        plan = self.control.create_usage_plan(
            name=value, apiStages=[{"apiId": self.id, "stage": "test"}], **({"throttle": throttle} if throttle else {})
        )
        key = self.control.create_api_key(name=value, value=value, enabled=True)
        self.control.create_usage_plan_key(usagePlanId=plan["id"], keyId=key["id"], keyType="API_KEY")
        return value


def make_api(state: State) -> Api:
    control = client(state, "apigateway")
    api_id = control.create_rest_api(name="test")["id"]
    return Api(control, api_id, f"http://127.0.0.1:{state.port('gateway')}/_aws/execute-api/{api_id}/test")


@pytest.fixture
def new_api(gateway):
    return lambda: make_api(gateway)


@pytest.fixture
def proxy(new_api, backend) -> Api:
    api = new_api()
    api.add("/{proxy+}", f"{backend.url}/{{proxy}}")
    return api.deploy()


def test_the_request_reaches_the_backend_as_it_was_sent(proxy, backend):
    body = json.dumps({"records": [{"value": "é 😀 \u0000"}]}).encode() + b" \r\n"
    requests.post(
        f"{proxy.url}/topics/a%20b%2Fc?x=1%2C2&y=%C3%A9", data=body, headers={"Content-Type": KAFKA_JSON, "X-Own": "1"}
    )

    [received] = backend.requests
    assert (received.method, received.path) == ("POST", "/topics/a%20b%2Fc?x=1%2C2&y=%C3%A9")
    assert received.body == body
    assert (received.headers["Content-Type"], received.headers["X-Own"]) == (KAFKA_JSON, "1")
    assert received.headers["Host"] == backend.url.removeprefix("http://")


@pytest.mark.parametrize("method", ["GET", "PUT", "PATCH", "DELETE"])
def test_any_means_every_method(proxy, backend, method):
    assert requests.request(method, f"{proxy.url}/topics").status_code == 200
    assert backend.requests[0].method == method


def test_a_compressed_body_stays_compressed(proxy, backend):
    body = gzip.compress(b"x" * 1000)
    requests.post(f"{proxy.url}/topics", data=body, headers={"Content-Encoding": "gzip"})

    assert backend.requests[0].body == body


@pytest.mark.parametrize("status", [200, 404, 422, 500])
def test_the_backends_answer_comes_back_as_it_is(proxy, backend, status):
    backend.status = status
    backend.headers = [("Content-Type", KAFKA_JSON), ("X-Own", "1"), ("Set-Cookie", "a=1"), ("Set-Cookie", "b=2")]
    backend.body = b'{"error_code": 40401}'
    answer = requests.get(f"{proxy.url}/topics/none")

    assert (answer.status_code, answer.content) == (status, backend.body)
    assert (answer.headers["Content-Type"], answer.headers["X-Own"]) == (KAFKA_JSON, "1")
    assert answer.raw.headers.getlist("Set-Cookie") == ["a=1", "b=2"]


def test_connections_to_the_backend_are_kept(proxy, backend):
    with requests.Session() as session:
        for _ in range(5):
            session.get(f"{proxy.url}/topics")

    assert len({received.connection for received in backend.requests}) == 1


def test_the_most_exact_resource_serves_a_path(new_api, backend):
    api = new_api()
    api.add("/{proxy+}", f"{backend.url}/greedy/{{proxy}}")
    api.add("/topics/{name}", f"{backend.url}/one/{{name}}")
    api.add("/topics/all", f"{backend.url}/exact")
    api.deploy()
    for path in ("topics/all", "topics/pin", "topics/pin/partitions", "other"):
        requests.get(f"{api.url}/{path}")

    assert [r.path for r in backend.requests] == [
        "/exact",
        "/one/pin",
        "/greedy/topics/pin/partitions",
        "/greedy/other",
    ]


def test_preflight_is_answered_without_a_key(new_api, backend):
    api = new_api()
    api.add("/{proxy+}", f"{backend.url}/{{proxy}}", key=True)
    where = {"restApiId": api.id, "resourceId": api.resource("/{proxy+}")["id"], "httpMethod": "OPTIONS"}
    header = "method.response.header.Access-Control-Allow-Origin"
    api.control.put_method(**where, authorizationType="NONE")
    api.control.put_integration(**where, type="MOCK", requestTemplates={"application/json": '{"statusCode": 200}'})
    api.control.put_method_response(**where, statusCode="200", responseParameters={header: True})
    api.control.put_integration_response(**where, statusCode="200", responseParameters={header: "'*'"})
    api.deploy()
    answer = requests.options(f"{api.url}/topics/x", headers={"Origin": "https://example.org"})

    assert (answer.status_code, answer.headers["Access-Control-Allow-Origin"]) == (200, "*")
    assert backend.requests == []


def test_no_such_stage_and_no_such_method_are_403(new_api, backend):
    api = new_api()
    api.add("/topics", backend.url, method="GET")
    api.deploy()
    no_stage = requests.get(api.url.removesuffix("test") + "other/topics")
    no_api = requests.get(api.url.replace(api.id, "nothing000") + "/topics")
    no_method = requests.post(f"{api.url}/topics")
    no_path = requests.get(f"{api.url}/none")

    assert [a.status_code for a in (no_stage, no_api, no_method, no_path)] == [403] * 4
    assert no_stage.json() == no_api.json() == {"message": "Forbidden"}
    assert no_method.json() == no_path.json() == {"message": "Missing Authentication Token"}
    assert no_path.headers["x-amzn-ErrorType"] == "MissingAuthenticationTokenException"


def test_other_origins_may_read_every_answer_of_the_gateway_itself(new_api, backend):
    api = new_api()
    api.add("/keyed/{proxy+}", f"{backend.url}/{{proxy}}", key=True)
    api.add("/open/{proxy+}", f"{backend.url}/{{proxy}}", timeout=200)
    api.add("/gone/{proxy+}", "http://127.0.0.1:9/{proxy}")
    api.add("/broken/{proxy+}", "http://127.0.0.1:9/{unmapped}/{proxy}")
    for name, response in gateway_responses().items():
        api.control.put_gateway_response(restApiId=api.id, responseType=name, **response)
    api.deploy()
    backend.answering.clear()

    def call(path: str, body: bytes = b"") -> requests.Response:
        return requests.post(api.url + path, data=body, headers={"Origin": "https://example.org"})

    answers = [
        call("/keyed/x"), call("/none"), call("/open/x", b"x" * (10 * MEGABYTE + 1)), call("/broken/x"),
        call("/open/x"), call("/gone/x"),
    ]  # fmt: skip
    assert [answer.status_code for answer in answers] == [403, 403, 413, 500, 504, 504]
    assert [answer.headers.get("Access-Control-Allow-Origin") for answer in answers] == ["*"] * 6
    assert answers[0].json() == {"message": "Forbidden"}


def test_the_gateway_adds_nothing_to_a_backends_answer(new_api, backend):
    """Only the backend can allow other origins to read what it answers."""
    api = new_api()
    api.add("/{proxy+}", f"{backend.url}/{{proxy}}")
    for name, response in gateway_responses().items():
        api.control.put_gateway_response(restApiId=api.id, responseType=name, **response)
    api.deploy()

    assert "Access-Control-Allow-Origin" not in requests.get(f"{api.url}/x", headers={"Origin": "http://a"}).headers
    backend.headers = [("Access-Control-Allow-Origin", "http://a")]
    assert requests.get(f"{api.url}/x").headers["Access-Control-Allow-Origin"] == "http://a"


def test_a_stage_variable_moves_the_backend_without_a_deployment(new_api, backend):
    api = new_api()
    api.add("/{proxy+}", "http://${stageVariables.backend}/{proxy}")
    api.control.create_deployment(restApiId=api.id, stageName="test", variables={"backend": "127.0.0.1:9"})
    assert requests.get(f"{api.url}/topics").status_code == 504
    patch = {"op": "replace", "path": "/variables/backend", "value": backend.url.removeprefix("http://")}
    api.control.update_stage(restApiId=api.id, stageName="test", patchOperations=[patch])

    assert requests.get(f"{api.url}/topics").status_code == 200


def test_a_key_is_required_and_takes_effect_at_once(new_api, backend):
    api = new_api()
    api.add("/{proxy+}", f"{backend.url}/{{proxy}}", key=True)
    api.deploy()

    def call(key: str | None) -> requests.Response:
        return requests.get(f"{api.url}/topics", headers={"x-api-key": key} if key else {})

    assert (call(None).status_code, call(None).json()) == (403, {"message": "Forbidden"})
    assert call("wrong").status_code == 403
    key = api.issue_key()
    assert call(key).status_code == 200
    key_id = next(k["id"] for k in api.control.get_api_keys(includeValues=True)["items"] if k["value"] == key)
    api.control.update_api_key(apiKey=key_id, patchOperations=[{"op": "replace", "path": "/enabled", "value": "false"}])
    assert call(key).status_code == 403
    assert len(backend.requests) == 1


def test_the_backend_does_not_learn_the_callers_key(new_api, backend):
    """Of the pipeline's own integration; one without a mapping passes every header on, as AWS' does."""
    passed_on = []
    for mapping in ({}, proxy_methods("http")["ANY"]["integration"]["requestParameters"]):
        api = new_api()
        api.add("/{proxy+}", f"{backend.url}/{{proxy}}", key=True, mapping=mapping)
        key = api.deploy().issue_key()
        assert requests.get(f"{api.url}/topics", headers={"X-API-Key": key}).status_code == 200
        passed_on.append(key in backend.requests[-1].headers.values())

    assert passed_on == [True, False]
    assert backend.requests[-1].headers.get_all("x-api-key") == ["withheld"]


def test_a_key_of_another_api_is_refused(new_api, backend):
    mine, other = new_api(), new_api()
    for api in (mine, other):
        api.add("/{proxy+}", f"{backend.url}/{{proxy}}", key=True)
        api.deploy()

    assert requests.get(f"{mine.url}/x", headers={"x-api-key": other.issue_key()}).status_code == 403


def test_a_usage_plan_throttles_its_key_only(new_api, backend):
    api = new_api()
    api.add("/{proxy+}", f"{backend.url}/{{proxy}}", key=True)
    api.deploy()
    slow, free = api.issue_key(rateLimit=2, burstLimit=2), api.issue_key()

    def call(key: str) -> requests.Response:
        return requests.get(f"{api.url}/topics", headers={"x-api-key": key})

    answers = [call(slow) for _ in range(6)]
    assert [a.status_code for a in answers[:2]] == [200, 200]
    refused = next(a for a in answers if a.status_code != 200)
    assert (refused.status_code, refused.json()) == (429, {"message": "Too Many Requests"})
    assert call(free).status_code == 200
    wait_until(lambda: call(slow).status_code == 200, "the bucket has filled")


def test_a_stage_throttles_all_callers(proxy):
    for name, value in (("rateLimit", "0.01"), ("burstLimit", "3")):
        operation = {"op": "replace", "path": f"/*/*/throttling/{name}", "value": value}
        proxy.control.update_stage(restApiId=proxy.id, stageName="test", patchOperations=[operation])

    assert [requests.get(f"{proxy.url}/x").status_code for _ in range(5)] == [200, 200, 200, 429, 429]


def test_a_backend_that_hangs_is_504(new_api, backend):
    api = new_api()
    api.add("/{proxy+}", f"{backend.url}/{{proxy}}", timeout=200)
    api.deploy()
    backend.answering.clear()
    answer = requests.get(f"{api.url}/topics")

    assert (answer.status_code, answer.json()) == (504, {"message": "Endpoint request timed out"})


def test_a_backend_that_is_not_there_is_504(new_api):
    api = new_api()
    api.add("/{proxy+}", "http://127.0.0.1:9/{proxy}")
    answer = requests.get(f"{api.deploy().url}/topics")

    assert (answer.status_code, answer.json()) == (504, {"message": "Network error communicating with endpoint"})


def test_ten_megabytes_pass_and_no_more(proxy, backend):
    assert requests.post(f"{proxy.url}/topics", data=b"x" * 10 * MEGABYTE).status_code == 200
    answer = requests.post(f"{proxy.url}/topics", data=b"x" * (10 * MEGABYTE + 1))

    assert (answer.status_code, answer.json()) == (413, {"message": "Request Too Long"})
    assert [len(received.body) for received in backend.requests] == [10 * MEGABYTE]


def test_a_change_is_served_once_it_is_deployed(proxy, backend):
    requests.get(f"{proxy.url}/topics")
    proxy.add("/topics", f"{backend.url}/new")
    requests.get(f"{proxy.url}/topics")
    proxy.deploy()
    requests.get(f"{proxy.url}/topics")

    assert [received.path for received in backend.requests] == ["/topics", "/topics", "/new"]


def test_a_deleted_api_is_gone_at_once(proxy):
    assert requests.get(f"{proxy.url}/topics").status_code == 200
    proxy.control.delete_rest_api(restApiId=proxy.id)

    assert requests.get(f"{proxy.url}/topics").status_code == 403


def test_an_integration_that_is_not_covered_says_so_in_the_log(new_api, gateway):
    api = new_api()
    api.add("/{proxy+}", "http://127.0.0.1:9/{unmapped}/{proxy}")
    answer = requests.get(f"{api.deploy().url}/topics")

    assert (answer.status_code, answer.json()) == (500, {"message": "Internal server error"})
    assert "unmapped" in gateway.log("gateway").read_text()


def test_apis_are_served_while_the_control_plane_is_away(tmp_path, backend):
    state = State.open(root=tmp_path / "state")
    with running(start_cloud(state, "gateway")):
        with running(start_aws(state)) as control_plane:
            api = make_api(state)
            api.add("/{proxy+}", f"{backend.url}/{{proxy}}")
            api.deploy()
            assert requests.get(f"{api.url}/before").status_code == 200
            deployment = api.control.get_stage(restApiId=api.id, stageName="test")["deploymentId"]
            wait_until(lambda: deployment in state_on_disk(state), "the deployment is on disk")
            control_plane.kill()
            assert requests.get(f"{api.url}/while").status_code == 200
        with running(start_aws(state)):
            assert requests.get(f"{api.url}/after").status_code == 200
            api.add("/new", f"{backend.url}/new")
            api.deploy()
            assert requests.get(f"{api.url}/new").status_code == 200


def state_on_disk(state: State) -> str:
    path = state.path("ministack", "services", "apigateway_v1.json")
    return path.read_text() if path.exists() else ""


def test_an_answer_can_be_lost_on_demand(proxy, backend, gateway):
    faults = f"http://127.0.0.1:{gateway.port('gateway')}/_lab/faults"
    requests.post(faults, json={"path": f"/{proxy.id}/", "status": 502, "effect": "after"})
    try:
        assert requests.post(f"{proxy.url}/topics/x", data=b"1").status_code == 502
    finally:
        requests.delete(faults)

    assert [received.body for received in backend.requests] == [b"1"]


def test_health_names_the_service_and_the_process(gateway):
    health = requests.get(f"http://127.0.0.1:{gateway.port('gateway')}/_lab/health").json()

    assert health["service"] == "gateway"
    assert health["pid"] > 0

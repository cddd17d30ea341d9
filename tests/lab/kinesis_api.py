"""The pipeline's REST API in front of Kinesis, made with boto3 from the same requests and templates as its stage."""

from __future__ import annotations

import json
import uuid
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import jinja2
import requests
from botocore.auth import SigV4Auth
from botocore.awsrequest import AWSRequest
from botocore.credentials import Credentials

import include
from include.aws.api_gateway import gateway_responses
from include.aws.kinesis_api import REQUEST_MODELS, kinesis_resources
from include.aws.policies import policy
from lab.state import ACCOUNT, REGION, USER_ID, State
from tests.builders import settings
from tests.lab.lab_parts import client

TEMPLATES = jinja2.Environment(
    loader=jinja2.FileSystemLoader(Path(include.__path__[0]) / "templates"), undefined=jinja2.StrictUndefined
)
SETTINGS = settings()


@dataclass
class KinesisApi:
    state: State
    url: str
    key: str
    role: str

    @property
    def kinesis(self) -> Any:
        return client(self.state, "kinesis")

    def call(self, method: str, path: str, body: object = None, **more: Any) -> requests.Response:
        if body is not None:
            more["data"] = body if isinstance(body, (str, bytes)) else json.dumps(body)
        headers = {"x-api-key": self.key, "Content-Type": "application/json", **more.pop("headers", {})}
        return requests.request(method, f"{self.url}{path}", headers=headers, **more)

    def call_signed(self, method: str, path: str, body: object = None, secret: str = "") -> requests.Response:
        """The same, signed with IAM credentials as the AWS CLI or a library does it."""
        data = "" if body is None else json.dumps(body)
        request = AWSRequest(method=method, url=f"{self.url}{path}", data=data, headers={"x-api-key": self.key})
        credentials = Credentials("anybody", secret or self.state.secret("aws_secret_access_key"))
        SigV4Auth(credentials, "execute-api", REGION).add_auth(request)
        return requests.request(method, request.url, data=data, headers=dict(request.headers))

    def new_stream(self, shards: int = 1) -> str:
        name = f"streaming-{USER_ID}-{uuid.uuid4().hex[:8]}"
        self.kinesis.create_stream(StreamName=name, ShardCount=shards)
        return name

    def arrived(self, stream: str) -> list[tuple[str, bytes]]:
        """Partition keys and data of all that is in a stream, shard by shard, as boto3 reads it."""
        return [(record["PartitionKey"], record["Data"]) for record in read_stream(self.kinesis, stream)]


def read_stream(kinesis: Any, stream: str) -> list[dict[str, Any]]:
    shards = kinesis.list_shards(StreamName=stream)["Shards"]
    return [record for shard in shards for record in read_shard(kinesis, stream, shard["ShardId"])]


def read_shard(kinesis: Any, stream: str, shard: str, **start: Any) -> Iterator[dict[str, Any]]:
    start = start or {"ShardIteratorType": "TRIM_HORIZON"}
    iterator = kinesis.get_shard_iterator(StreamName=stream, ShardId=shard, **start)["ShardIterator"]
    while iterator:
        answer = kinesis.get_records(ShardIterator=iterator)
        yield from answer["Records"]
        iterator = answer.get("NextShardIterator") if answer["MillisBehindLatest"] else None


def make_kinesis_api(state: State) -> KinesisApi:
    control, iam = client(state, "apigateway"), client(state, "iam")
    role = f"{USER_ID}-{uuid.uuid4().hex[:8]}"
    arn = iam.create_role(
        RoleName=role, AssumeRolePolicyDocument=json.dumps(policy("kinesis_api.trust", SETTINGS, ACCOUNT))
    )["Role"]["Arn"]
    iam.put_role_policy(
        RoleName=role, PolicyName="p", PolicyDocument=json.dumps(policy("kinesis_api", SETTINGS, ACCOUNT))
    )
    api = control.create_rest_api(name="kinesis")["id"]
    for name, schema in REQUEST_MODELS.items():
        control.create_model(restApiId=api, name=name, contentType="application/json", schema=json.dumps(schema))
    validator = control.create_request_validator(restApiId=api, name="body", validateRequestBody=True)["id"]
    for name, response in gateway_responses().items():
        control.put_gateway_response(restApiId=api, responseType=name, **response)
    paths = {"/": control.get_resources(restApiId=api)["items"][0]["id"]}
    for path, methods in kinesis_resources(region=REGION, role_arn=arn, validator_id=validator).items():
        parent, _, part = path.rpartition("/")
        paths[path] = control.create_resource(restApiId=api, parentId=paths[parent or "/"], pathPart=part)["id"]
        for verb, method in methods.items():
            put_method(control, {"restApiId": api, "resourceId": paths[path], "httpMethod": verb}, method)
    control.create_deployment(restApiId=api, stageName="test")
    plan = control.create_usage_plan(name=api, apiStages=[{"apiId": api, "stage": "test"}])
    key = control.create_api_key(name=api, enabled=True)
    control.create_usage_plan_key(usagePlanId=plan["id"], keyId=key["id"], keyType="API_KEY")
    url = f"http://127.0.0.1:{state.port('gateway')}/_aws/execute-api/{api}/test"
    return KinesisApi(state, url, key["value"], role)


def put_method(control: Any, where: dict[str, str], method: dict[str, Any]) -> None:
    control.put_method(**where, **method["method"])
    templates = {kind: rendered(text) for kind, text in method["integration"]["requestTemplates"].items()}
    control.put_integration(**where, **{**method["integration"], "requestTemplates": templates})
    for status, response in method["responses"].items():
        control.put_method_response(**where, statusCode=status, **response["method"])
        control.put_integration_response(**where, statusCode=status, **response["integration"])


def rendered(template: str) -> str:
    """As Airflow renders it: a file's name stands for its content."""
    return TEMPLATES.get_template(template).render() if template.endswith(".vtl") else template

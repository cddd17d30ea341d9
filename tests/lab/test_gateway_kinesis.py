"""The REST API in front of Kinesis: posted with requests, read with boto3. Templates and models are the pipeline's."""

from __future__ import annotations

import json
from collections.abc import Iterator

import pytest
import requests

from tests.lab.kinesis_api import KinesisApi, make_kinesis_api
from tests.lab.lab_parts import client, running, start_cloud

ROW = {
    "index": 7528,
    "title": 'a "quoted" title',
    "tags": ["a", "b=c"],
    "nested": {"key": "value"},
    "unicode": "é 😀 \u0000 </script> \\",
    "none": None,
    "flag": True,
    "float": 1.5,
    "big": 12345678901234567890,
}


@pytest.fixture(scope="module")
def api(aws) -> Iterator[KinesisApi]:
    with running(start_cloud(aws, "gateway")):
        yield make_kinesis_api(aws)


@pytest.fixture
def stream(api) -> str:
    return api.new_stream()


@pytest.fixture
def faults(api) -> Iterator[str]:
    url = f"http://127.0.0.1:{api.state.port('gateway')}/_lab/faults"
    yield url
    requests.delete(url)


@pytest.mark.parametrize(
    "data",
    [
        pytest.param(ROW, id="a row"),
        pytest.param("plain text", id="text"),
        pytest.param('{"already": "json"}', id="JSON in a string"),
        pytest.param([ROW, ROW], id="a list"),
        pytest.param(12.5, id="a number"),
        pytest.param(False, id="false"),
        pytest.param(None, id="null"),
        pytest.param({}, id="an empty object"),
    ],
)
def test_a_record_arrives_as_its_compact_json(api, stream, data):
    answer = api.call("PUT", f"/streams/{stream}/record", {"Data": data, "PartitionKey": "7528"})

    assert answer.status_code == 200, answer.text
    assert answer.json()["ShardId"] == "shardId-000000000000"
    text = json.dumps(data, separators=(",", ":"), ensure_ascii=False)
    assert api.arrived(stream) == [("7528", text.encode())]
    assert api.call("PUT", f"/streams/{stream}/records", {"records": [{"data": data, "partition-key": "1"}]}).ok
    assert api.arrived(stream)[1:] == [("1", text.encode())]


def test_five_hundred_records_arrive_in_their_order(api, stream):
    rows = [{**ROW, "index": number} for number in range(500)]
    body = {"records": [{"data": row, "partition-key": str(row["index"])} for row in rows]}
    answer = api.call("PUT", f"/streams/{stream}/records", body)

    assert answer.status_code == 200, answer.text
    assert answer.json()["FailedRecordCount"] == 0
    assert len(answer.json()["Records"]) == 500
    arrived = api.arrived(stream)
    assert [key for key, _ in arrived] == [str(number) for number in range(500)]
    assert [json.loads(data) for _, data in arrived] == rows


def test_a_partition_key_may_hold_anything(api, stream):
    key = "\"},{'é\\ $input.body #set($x=1) ${y}"
    assert api.call("PUT", f"/streams/{stream}/record", {"Data": 1, "PartitionKey": key}).ok
    assert api.call("PUT", f"/streams/{stream}/records", {"records": [{"data": 2, "partition-key": key}]}).ok

    assert api.arrived(stream) == [(key, b"1"), (key, b"2")]


def test_the_path_decides_which_stream_it_is(api, stream):
    other = api.new_stream()
    body = {"StreamName": other, "Data": {"a": 1}, "PartitionKey": "1"}
    assert api.call("PUT", f"/streams/{stream}/record/", body).status_code == 200

    assert (api.arrived(stream), api.arrived(other)) == ([("1", b'{"a":1}')], [])


@pytest.mark.parametrize(
    ("path", "body", "said"),
    [
        pytest.param("record", {"PartitionKey": "1"}, "Data", id="no Data"),
        pytest.param("record", {"Data": {}}, "PartitionKey", id="no PartitionKey"),
        pytest.param("record", {"Data": {}, "PartitionKey": 1}, "PartitionKey must be string", id="not a string"),
        pytest.param("record", {"Data": {}, "PartitionKey": ""}, "PartitionKey", id="an empty key"),
        pytest.param("record", {"Data": {}, "PartitionKey": "x" * 257}, "256", id="a key that is too long"),
        pytest.param("record", "{'a': 1}", "Expecting property name", id="not JSON"),
        pytest.param("record", "", "Expecting value", id="nothing"),
        pytest.param("record", [], "must be object", id="a list"),
        pytest.param("record", '{"Data": NaN, "PartitionKey": "1"}', "NaN is not JSON", id="NaN"),
        pytest.param("records", {"Records": []}, "records", id="no records"),
        pytest.param("records", {"records": []}, "at least 1", id="empty records"),
        pytest.param("records", {"records": [{"partition-key": "1"}]}, "data", id="a record without data"),
        pytest.param(
            "records", {"records": [{"data": 1, "partition-key": "1"}, {"data": 1}]}, "[1]", id="one without a key"
        ),
        pytest.param("records", {"records": [{"data": 1, "partition-key": "1"}] * 501}, "500", id="501 records"),
    ],
)
def test_a_body_that_is_not_right_is_refused_by_the_gateway(api, stream, path, body, said):
    answer = api.call("PUT", f"/streams/{stream}/{path}", body)

    assert answer.status_code == 400
    assert answer.json()["message"].startswith("Invalid request body: ")
    assert said in answer.json()["message"]
    assert api.arrived(stream) == []


def test_another_content_type_is_415(api, stream):
    answer = api.call(
        "PUT", f"/streams/{stream}/record", {"Data": 1, "PartitionKey": "1"}, headers={"Content-Type": "text/plain"}
    )

    assert (answer.status_code, answer.json()) == (415, {"message": "Unsupported Media Type"})


@pytest.mark.parametrize("name", ["streaming-0e36c8cd403d-none", "no%22such%27%7Bstream", "a%20b"])
def test_a_stream_that_is_not_there_is_a_400_in_kinesis_words(api, name):
    answer = api.call("PUT", f"/streams/{name}/record", {"Data": 1, "PartitionKey": "1"})

    assert answer.status_code == 400
    assert set(answer.json()) == {"__type", "message"}


def test_the_error_of_a_missing_stream_names_it(api):
    answer = api.call("GET", "/streams/streaming-none")

    assert answer.json()["__type"] == "ResourceNotFoundException"
    assert "streaming-none" in answer.json()["message"]


def test_a_record_that_is_too_large_is_a_400(api, stream):
    answer = api.call("PUT", f"/streams/{stream}/record", {"Data": "x" * 2**20, "PartitionKey": "1"})

    assert answer.status_code == 400
    assert "1048576" in answer.json()["message"]


def test_streams_are_made_described_listed_and_deleted(api):
    one, two = "streaming-0e36c8cd403d-one", "streaming-0e36c8cd403d-two"
    assert api.call_signed("POST", f"/streams/{one}", {"ShardCount": 2}).status_code == 200
    assert api.call_signed("POST", f"/streams/{two}", {}).status_code == 200
    described = [api.call("GET", f"/streams/{name}").json()["StreamDescription"] for name in (one, two)]
    listed = api.call("GET", "/streams").json()["StreamNames"]
    after_one = api.call("GET", "/streams", params={"ExclusiveStartStreamName": one}).json()["StreamNames"]

    assert [d["StreamModeDetails"]["StreamMode"] for d in described] == ["PROVISIONED", "ON_DEMAND"]
    assert [len(d["Shards"]) for d in described] == [2, 4]
    assert {one, two} <= set(listed)
    assert one not in after_one
    assert two in after_one
    assert api.call_signed("POST", f"/streams/{one}", {"ShardCount": 2}).json()["__type"] == "ResourceInUseException"
    assert api.call_signed("POST", f"/streams/{one}", {"ShardCount": 0}).status_code == 400
    assert [api.call_signed("DELETE", f"/streams/{name}").status_code for name in (one, two)] == [200, 200]
    assert api.call("GET", f"/streams/{one}").status_code == 400


@pytest.mark.parametrize("method", ["POST", "DELETE"])
def test_a_key_alone_neither_makes_nor_deletes_a_stream(api, stream, method):
    with_key = api.call(method, f"/streams/{stream}", {})
    badly_signed = api.call_signed(method, f"/streams/{stream}", {}, secret="guessed")

    assert (with_key.status_code, with_key.json()) == (403, {"message": "Missing Authentication Token"})
    assert (badly_signed.status_code, badly_signed.headers["x-amzn-ErrorType"]) == (403, "InvalidSignatureException")
    assert api.call("GET", f"/streams/{stream}").status_code == 200


@pytest.mark.parametrize(
    ("method", "path"),
    [
        ("GET", "/streams"),
        ("GET", "/streams/x"),
        ("PUT", "/streams/x/record"),
        ("PUT", "/streams/x/records"),
    ],
)
def test_every_method_wants_a_key(api, method, path):
    answer = requests.request(method, api.url + path, data="{}")

    assert (answer.status_code, answer.json()) == (403, {"message": "Forbidden"})


@pytest.mark.parametrize("path", ["/streams", "/streams/x", "/streams/x/record", "/streams/x/records"])
def test_browsers_may_ask_first_without_a_key(api, path):
    answer = requests.options(api.url + path)

    assert (answer.status_code, answer.headers["Access-Control-Allow-Origin"]) == (200, "*")
    assert api.call("GET", "/streams").headers["Access-Control-Allow-Origin"] == "*"


def test_without_its_role_the_gateway_answers_500_and_the_log_says_why(aws, api):
    stranded = make_kinesis_api(aws)
    client(aws, "iam").delete_role_policy(RoleName=stranded.role, PolicyName="p")
    client(aws, "iam").delete_role(RoleName=stranded.role)
    answer = stranded.call("GET", "/streams")

    assert (answer.status_code, answer.json()) == (500, {"message": "Internal server error"})
    assert f"role/{stranded.role}" in aws.log("gateway").read_text()


def test_a_role_that_others_trust_is_not_the_gateways(aws, api):
    stranded = make_kinesis_api(aws)
    trust = {"Effect": "Allow", "Principal": {"Service": "ec2.amazonaws.com"}, "Action": "sts:AssumeRole"}
    document = json.dumps({"Version": "2012-10-17", "Statement": [trust]})
    client(aws, "iam").update_assume_role_policy(RoleName=stranded.role, PolicyDocument=document)

    assert stranded.call("GET", "/streams").status_code == 500


def test_a_part_of_the_records_can_fail_on_demand(api, stream, faults):
    failed = {
        "FailedRecordCount": 1,
        "Records": [
            {"SequenceNumber": "1", "ShardId": "shardId-000000000000"},
            {"ErrorCode": "ProvisionedThroughputExceededException", "ErrorMessage": "Rate exceeded"},
        ],
    }
    requests.post(faults, json={"method": "PUT", "path": f"/streams/{stream}/records$", "status": 200, "body": failed})
    body = {"records": [{"data": 1, "partition-key": "1"}] * 2}

    assert api.call("PUT", f"/streams/{stream}/records", body).json() == failed
    assert api.call("PUT", f"/streams/{stream}/records", body).json()["FailedRecordCount"] == 0


def test_throttling_can_be_had_on_demand(api, stream, faults):
    throttled = {"__type": "ProvisionedThroughputExceededException", "message": "Rate exceeded for shard"}
    requests.post(faults, json={"path": f"/streams/{stream}/record", "status": 400, "body": throttled, "times": 2})
    answers = [api.call("PUT", f"/streams/{stream}/record", {"Data": 1, "PartitionKey": "1"}) for _ in range(3)]

    assert [answer.status_code for answer in answers] == [400, 400, 200]
    assert answers[0].json() == throttled
    assert len(api.arrived(stream)) == 1

"""The REST API's resources in front of Kinesis, and what they require of a caller."""

from __future__ import annotations

from typing import Any

from include.aws.api_gateway import ALLOW, Methods, Resources, preflight

STREAMS_PATH = "/streams"
STREAM_PATH = "/streams/{stream-name}"
RECORD_PATH = "/streams/{stream-name}/record"
RECORDS_PATH = "/streams/{stream-name}/records"

MOST_RECORDS = 500
LONGEST_PARTITION_KEY = 256

RESPONSES = {"200": "", "400": r"4\d{2}", "500": r"5(?!03)\d{2}", "503": "503"}
ALLOW_ORIGIN = f"{ALLOW}Origin"

PARTITION_KEY = {"type": "string", "minLength": 1, "maxLength": LONGEST_PARTITION_KEY}
DRAFT = {"$schema": "http://json-schema.org/draft-04/schema#"}
REQUEST_MODELS: dict[str, dict[str, Any]] = {
    "CreateStream": {
        **DRAFT,
        "title": "CreateStream",
        "type": "object",
        "properties": {"ShardCount": {"type": "integer", "minimum": 1}},
    },
    "PutRecord": {
        **DRAFT,
        "title": "PutRecord",
        "type": "object",
        "required": ["Data", "PartitionKey"],
        "properties": {"Data": {}, "PartitionKey": PARTITION_KEY},
    },
    "PutRecords": {
        **DRAFT,
        "title": "PutRecords",
        "type": "object",
        "required": ["records"],
        "properties": {
            "records": {
                "type": "array",
                "minItems": 1,
                "maxItems": MOST_RECORDS,
                "items": {
                    "type": "object",
                    "required": ["data", "partition-key"],
                    "properties": {"data": {}, "partition-key": PARTITION_KEY},
                },
            }
        },
    },
}


SIGNED = frozenset({"CreateStream", "DeleteStream"})
"""Actions for callers who sign with IAM credentials, besides: a key is known to everyone who posts."""


def kinesis_resources(*, region: str, role_arn: object, validator_id: object) -> Resources:
    """The resources below ``/streams``, for callers with a key. API Gateway calls Kinesis with the role.

    To create or delete a data stream, a caller must also be allowed ``execute-api:Invoke`` by IAM.

    A row, or any other JSON in a record, arrives in Kinesis as compact JSON text. A template's name stands for the file
    of that name.
    """

    def method(action: str, *names: str) -> dict[str, Any]:
        validated = action in REQUEST_MODELS
        return {
            "method": {
                "authorizationType": "AWS_IAM" if action in SIGNED else "NONE",
                "apiKeyRequired": True,
                "requestParameters": {f"method.request.path.{name}": True for name in names},
                **({"requestValidatorId": validator_id, "requestModels": _json(action)} if validated else {}),
            },
            "integration": {
                "type": "AWS",
                "integrationHttpMethod": "POST",
                "uri": f"arn:aws:apigateway:{region}:kinesis:action/{action}",
                "credentials": role_arn,
                "requestParameters": {"integration.request.header.Content-Type": "'application/x-amz-json-1.1'"},
                "requestTemplates": _json(f"rest_api/{action}.vtl"),
                "passthroughBehavior": "NEVER",
            },
            "responses": {status: _response(pattern) for status, pattern in RESPONSES.items()},
        }

    def resource(**methods: dict[str, Any]) -> Methods:
        return {**methods, "OPTIONS": preflight()}

    return {
        STREAMS_PATH: resource(GET=method("ListStreams")),
        STREAM_PATH: resource(
            GET=method("DescribeStream", "stream-name"),
            POST=method("CreateStream", "stream-name"),
            DELETE=method("DeleteStream", "stream-name"),
        ),
        RECORD_PATH: resource(PUT=method("PutRecord", "stream-name")),
        RECORDS_PATH: resource(PUT=method("PutRecords", "stream-name")),
    }


def _json(value: str) -> dict[str, str]:
    return {"application/json": value}


def _response(pattern: str) -> dict[str, Any]:
    return {
        "method": {"responseParameters": {ALLOW_ORIGIN: False}, "responseModels": _json("Empty")},
        "integration": {
            "responseParameters": {ALLOW_ORIGIN: "'*'"},
            **({"selectionPattern": pattern} if pattern else {}),
        },
    }

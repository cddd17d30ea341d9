"""Which operation of MSK Connect a request is, compared with botocore's model of the service."""

from __future__ import annotations

import botocore.session
import pytest
from aiohttp.test_utils import make_mocked_request

from lab.cloud.msk_connect.app import action_of

ARN = "arn:aws:kafkaconnect:us-east-1:000000000000:connector/a/b-1"
MODEL = botocore.session.get_session().get_service_model("kafkaconnect")
COVERED = [
    *(f"{verb}{what}" for verb in ("Create", "Describe", "Delete") for what in ("Connector", "CustomPlugin")),
    *(f"List{what}s" for what in ("Connector", "CustomPlugin", "WorkerConfiguration")),
    *("CreateWorkerConfiguration", "DescribeWorkerConfiguration", "DeleteWorkerConfiguration", "UpdateConnector"),
    *("ListTagsForResource", "TagResource", "UntagResource"),
]


@pytest.mark.parametrize("operation", COVERED)
def test_a_request_is_its_operation(operation):
    http = MODEL.operation_model(operation).http
    parts = [ARN if part.startswith("{") else part for part in http["requestUri"].split("/")]

    assert action_of(make_mocked_request(http["method"], "/".join(parts))) == operation


@pytest.mark.parametrize(
    ("method", "path"), [("GET", "/_lab/health"), ("PATCH", "/v1/connectors"), ("GET", "/v1/else")]
)
def test_what_is_no_operation_is_none(method, path):
    assert action_of(make_mocked_request(method, path)) is None

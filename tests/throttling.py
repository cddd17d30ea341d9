"""AWS that throttles each operation for a minute, as time goes for callers that wait between their attempts."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from types import SimpleNamespace
from typing import Any
from unittest import mock

import botocore.endpoint
from botocore.awsrequest import AWSResponse
from botocore.endpoint import Endpoint
from botocore.model import OperationModel

MINUTE = 60
CODES = {
    "apigateway": "TooManyRequestsException",
    "ec2": "RequestLimitExceeded",
    "elbv2": "Throttling",
    "iam": "Throttling",
    "kafka": "TooManyRequestsException",
    "kafkaconnect": "TooManyRequestsException",
    "kinesis": "LimitExceededException",
    "s3": "SlowDown",
    "service-quotas": "TooManyRequestsException",
    "sns": "Throttling",
    "sts": "Throttling",
}
"""What a service calls it; the others say ``ThrottlingException``."""

type Send = Callable[[OperationModel], AWSResponse]


class Throttling:
    """``now`` is in seconds, and moves on only while botocore waits before another attempt. ``asked`` has the times of
    the requests of each operation."""

    def __init__(self) -> None:
        self.now = 0.0
        self.asked: dict[str, list[float]] = {}

    def sleep(self, seconds: float) -> None:
        self.now += seconds

    def hits(self, model: OperationModel) -> bool:
        times = self.asked.setdefault(f"{model.service_model.service_name}:{model.name}", [])
        times.append(self.now)
        return self.now - times[0] < MINUTE


@contextmanager
def throttled(behind: Send | None = None, *, lasting: bool = False) -> Iterator[Throttling]:
    """Each operation is throttled for a minute from its first request on, and then answered by AWS.

    :param behind: answers in place of AWS
    :param lasting: longer than a minute, for ever
    """
    throttling = Throttling()

    def answer(model: OperationModel) -> AWSResponse | None:
        if throttling.hits(model) or lasting:
            return refusal(model)
        return behind(model) if behind else None

    with answered(answer), mock.patch.object(botocore.endpoint, "time", SimpleNamespace(sleep=throttling.sleep)):
        yield throttling


@contextmanager
def answered(answer: Callable[[OperationModel], AWSResponse | None]) -> Iterator[None]:
    """In place of AWS, unless the answer is None."""
    receive, send = Endpoint._do_get_response, Endpoint._send
    asked: list[OperationModel] = []

    def remember(endpoint: Endpoint, request: Any, model: OperationModel, context: Any) -> Any:
        asked.append(model)
        return receive(endpoint, request, model, context)

    def give(endpoint: Endpoint, request: Any) -> Any:
        return answer(asked.pop()) or send(endpoint, request)

    with mock.patch.object(Endpoint, "_do_get_response", remember), mock.patch.object(Endpoint, "_send", give):
        yield


def refusal(model: OperationModel, code: str = "", message: str = "Rate exceeded", status: int = 0) -> AWSResponse:
    """The service's answer, in its protocol. One to a HEAD request has no body."""
    service, protocol = model.service_model.service_name, model.service_model.protocol
    code = code or CODES.get(service, "ThrottlingException")
    error = f"<Error><Code>{code}</Code><Message>{message}</Message></Error>"
    usual, body = {
        "json": (400, json.dumps({"__type": code, "message": message})),
        "rest-json": (429, json.dumps({"message": message})),
        "ec2": (503, f"<Response><Errors>{error}</Errors></Response>"),
        "query": (400, f"<ErrorResponse>{error}</ErrorResponse>"),
        "rest-xml": (503, error),
    }[protocol]
    return response(status or usual, "" if model.http["method"] == "HEAD" else body, {"x-amzn-errortype": code})


def response(status: int, body: str, headers: dict[str, str] | None = None) -> AWSResponse:
    found = AWSResponse("https://aws", status, headers or {}, None)
    found._content = body.encode()
    return found

"""Sensors that call the REST API the way a client does."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import requests
from airflow.providers.common.compat.sdk import BaseSensorOperator, Context

from pinterest.hooks.api_gateway import ApiGatewayHook

TIMEOUT = (5.0, 35.0)
SAID_CHARACTERS = 200


class RestApiSensor(BaseSensorOperator):
    """Calls the API with its key until it gives the expected answer.

    AWS may refuse a new key, role or deployment for a minute, so any other answer means to keep waiting. The log shows
    what the API answered.

    :param invoke_url: where the API answers (templated)
    :param api_key_parameter: name in Parameter Store of the API's key (templated)
    :param region_name: AWS region of the parameter (templated)
    """

    template_fields: Sequence[str] = ("invoke_url", "api_key_parameter", "region_name")

    def __init__(
        self,
        *,
        invoke_url: str,
        api_key_parameter: str,
        aws_conn_id: str | None = "aws_default",
        region_name: str | None = None,
        **kwargs: Any,
    ) -> None:
        super().__init__(**kwargs)
        self.invoke_url = invoke_url
        self.api_key_parameter = api_key_parameter
        self.aws_conn_id = aws_conn_id
        self.region_name = region_name

    def ask(self, path: str, expected: type, accept: str = "application/json") -> Any:
        """The API's JSON answer; None unless it answers 200 with JSON of the expected type."""
        gateway = ApiGatewayHook(aws_conn_id=self.aws_conn_id, region_name=self.region_name)
        api_key = gateway.kept_api_key(self.api_key_parameter)
        url = self.invoke_url + path
        try:
            response = requests.get(url, headers={"x-api-key": api_key, "Accept": accept}, timeout=TIMEOUT)
            answer = response.json() if response.status_code == requests.codes.ok else None
        except requests.RequestException as error:
            self.log.info("GET %s: %s", url, error)
            return None
        if not isinstance(answer, expected):
            self.log.info("GET %s: %s %r", url, response.status_code, response.text[:SAID_CHARACTERS])
            return None
        return answer


class RestApiTopicsSensor(RestApiSensor):
    """Succeeds when the API lists all the topics, so gateway, key, REST proxy and brokers all work.

    :param topics: the topics that must be listed (templated)
    """

    template_fields: Sequence[str] = (*RestApiSensor.template_fields, "topics")

    def __init__(self, *, topics: Sequence[str], **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.topics = topics

    def poke(self, context: Context) -> bool:
        listed = self.ask("/topics", list, accept="application/vnd.kafka.v2+json")
        if listed is None:
            return False
        missing = [topic for topic in self.topics if topic not in listed]
        self.log.info("Topics: %s", f"not listed: {', '.join(missing)}" if missing else "all listed")
        return not missing


class RestApiStreamsSensor(RestApiSensor):
    """Succeeds when the API lists data streams, any or none, so gateway, key and Kinesis role all work."""

    def poke(self, context: Context) -> bool:
        answer = self.ask("/streams", dict)
        return answer is not None and "StreamNames" in answer

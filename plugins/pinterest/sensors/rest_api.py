"""Waits on the REST API itself, as a caller sees it."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import requests
from airflow.providers.common.compat.sdk import BaseSensorOperator, Context

from pinterest.hooks.api_gateway import ApiGatewayHook

TIMEOUT = (5.0, 35.0)
SAID_CHARACTERS = 200


class RestApiTopicsSensor(BaseSensorOperator):
    """Done when the API lists all the topics: gateway, key, REST proxy and brokers all work.

    A new key, or a new deployment, may be refused by AWS for a minute, so every answer but the right one is waited
    out; the log says what the API answered.

    :param invoke_url: where the API answers (templated)
    :param api_key_parameter: name in Parameter Store of the API's key (templated)
    :param topics: the topics that must be listed (templated)
    """

    template_fields: Sequence[str] = ("invoke_url", "api_key_parameter", "topics")

    def __init__(
        self,
        *,
        invoke_url: str,
        api_key_parameter: str,
        topics: Sequence[str],
        aws_conn_id: str | None = "aws_default",
        **kwargs: Any,
    ) -> None:
        super().__init__(**kwargs)
        self.invoke_url = invoke_url
        self.api_key_parameter = api_key_parameter
        self.topics = topics
        self.aws_conn_id = aws_conn_id

    def poke(self, context: Context) -> bool:
        api_key = ApiGatewayHook(aws_conn_id=self.aws_conn_id).kept_api_key(self.api_key_parameter)
        url = f"{self.invoke_url}/topics"
        try:
            response = requests.get(
                url, headers={"x-api-key": api_key, "Accept": "application/vnd.kafka.v2+json"}, timeout=TIMEOUT
            )
            answer = response.json() if response.status_code == requests.codes.ok else None
        except requests.RequestException as error:
            self.log.info("GET %s: %s", url, error)
            return False
        if not isinstance(answer, list):
            self.log.info("GET %s: %s %r", url, response.status_code, response.text[:SAID_CHARACTERS])
            return False
        missing = [topic for topic in self.topics if topic not in answer]
        self.log.info("GET %s: 200, %s", url, f"not listed: {', '.join(missing)}" if missing else "all topics listed")
        return not missing

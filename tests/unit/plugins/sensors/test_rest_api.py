"""Waiting for the deployed API to answer with topics and streams."""

from __future__ import annotations

import json

import pytest
import requests

from pinterest.hooks.api_gateway import ApiGatewayHook
from pinterest.sensors import rest_api as sensor_module
from pinterest.sensors.rest_api import RestApiStreamsSensor, RestApiTopicsSensor
from tests.unit.rest_api_parts import KEY, PARAMETER, USER


class TestAnswers:
    TOPICS = (f"{USER}.pin", f"{USER}.geo", f"{USER}.user")

    @pytest.fixture
    def ask(self, monkeypatch):
        def ask(path, sensor_class, answer, **more):
            def get(url, *, headers, timeout):
                assert url == f"http://127.0.0.1:1/prod{path}"
                assert headers["x-api-key"] == KEY
                if isinstance(answer, Exception):
                    raise answer
                status, body = answer
                response = requests.Response()
                response.status_code = status
                response._content = body.encode()
                return response

            monkeypatch.setattr(sensor_module.requests, "get", get)
            monkeypatch.setattr(ApiGatewayHook, "kept_api_key", lambda *_: KEY)
            sensor = sensor_class(
                task_id="answers", invoke_url="http://127.0.0.1:1/prod", api_key_parameter=PARAMETER, **more
            )
            return sensor.poke({})

        return ask

    @pytest.fixture
    def poke(self, ask):
        return lambda answer: ask("/topics", RestApiTopicsSensor, answer, topics=self.TOPICS)

    @pytest.mark.parametrize(
        ("answer", "done"),
        [
            pytest.param((200, '{"StreamNames": [], "HasMoreStreams": false}'), True, id="no stream yet"),
            pytest.param((500, '{"message":"Internal server error"}'), False, id="role not known yet"),
            pytest.param((403, '{"message":"Missing Authentication Token"}'), False, id="not deployed yet"),
            pytest.param((200, "{}"), False, id="not Kinesis"),
            pytest.param(requests.ConnectionError("refused"), False, id="nobody there"),
        ],
    )
    def test_streams_listed_is_the_answer_of_kinesis(self, ask, answer, done):
        assert ask("/streams", RestApiStreamsSensor, answer) is done

    def test_all_topics_listed_is_the_answer(self, poke):
        assert poke((200, json.dumps(["other", *self.TOPICS]))) is True

    @pytest.mark.parametrize(
        "answer",
        [
            pytest.param((200, json.dumps(TOPICS[:2])), id="a topic is missing"),
            pytest.param((200, "<html>"), id="not the proxy"),
            pytest.param((200, "3"), id="not a list"),
            pytest.param((403, '{"message":"Forbidden"}'), id="key not known yet"),
            pytest.param((504, "{}"), id="proxy not up"),
            pytest.param(requests.ConnectionError("refused"), id="nobody there"),
            pytest.param(requests.ReadTimeout("slow"), id="slow"),
        ],
    )
    def test_everything_else_is_waited_out(self, poke, answer):
        assert poke(answer) is False

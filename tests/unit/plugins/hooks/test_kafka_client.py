"""Where API Gateway reaches the Kafka REST proxy, and which failures of a script are for good."""

from __future__ import annotations

from types import SimpleNamespace

import pytest

from include.faults import LastingError
from pinterest.hooks.kafka_client import Completed, KafkaClientError, KafkaClientHook
from tests.unit.rest_api_parts import BACKEND


def test_the_backend_is_the_setting_or_the_instances_public_name(monkeypatch):
    instance = {"InstanceId": "i-1", "PublicDnsName": "ec2-1-2-3-4.compute-1.amazonaws.com"}
    monkeypatch.setattr(KafkaClientHook, "find_instance", lambda _: instance)

    def settings(url):
        return SimpleNamespace(rest_proxy=SimpleNamespace(url=url, port=8082))

    assert KafkaClientHook(settings("http://127.0.0.1:4711/")).rest_proxy_url == "http://127.0.0.1:4711"
    assert KafkaClientHook(settings(None)).rest_proxy_url == BACKEND
    instance["PublicDnsName"] = ""
    with pytest.raises(KafkaClientError, match=r"set rest_proxy\.url"):
        _ = KafkaClientHook(settings(None)).rest_proxy_url


@pytest.mark.parametrize(("exit_code", "lasts"), [(78, True), (1, False), (-1, False)])
def test_a_script_that_says_so_is_not_tried_again(exit_code, lasts):
    with pytest.raises(KafkaClientError, match=r"kafka .*: in the way") as error:
        Completed("", "in the way\n", exit_code).check("kafka")

    assert isinstance(error.value, LastingError) is lasts

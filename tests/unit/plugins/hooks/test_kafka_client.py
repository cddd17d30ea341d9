"""Where API Gateway reaches the Kafka REST proxy, which host key counts, and which failures of a script last."""

from __future__ import annotations

from types import SimpleNamespace
from typing import ClassVar

import pytest
from airflow.providers.amazon.aws.hooks.ssm import SsmHook
from botocore.exceptions import ClientError

from include.faults import LastingError
from pinterest.hooks.kafka_client import Completed, KafkaClientError, KafkaClientHook
from tests.builders import USER_ID, settings
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


class TestHostKey:
    INSTANCE: ClassVar = {"InstanceId": "i-1"}
    PARAMETER = f"/pinterest/{USER_ID}/host-key/i-1"

    @pytest.fixture
    def known(self, monkeypatch):
        """What Parameter Store holds."""
        kept = {}

        def get(_, name):
            if name not in kept:
                raise ClientError({"Error": {"Code": "ParameterNotFound"}}, "GetParameter")
            return kept[name]

        monkeypatch.setattr(KafkaClientHook, "find_instance", lambda _: self.INSTANCE)
        monkeypatch.setattr(SsmHook, "get_parameter_value", get)
        return kept

    def test_is_the_settings(self, known):
        known[self.PARAMETER] = "ssh-ed25519 BBBB"

        assert KafkaClientHook(settings()).host_key == "ssh-ed25519 AAAA"

    def test_is_else_the_one_that_was_learned_of_this_instance(self, known):
        known[self.PARAMETER] = "ssh-ed25519 BBBB"

        assert KafkaClientHook(settings(kafka_client={})).host_key == "ssh-ed25519 BBBB"

    def test_that_nobody_knows_is_never_guessed(self, known):
        known[f"/pinterest/{USER_ID}/host-key/i-2"] = "ssh-ed25519 BBBB"

        with pytest.raises(KafkaClientError, match=f"Parameter Store has no {self.PARAMETER}") as error:
            _ = KafkaClientHook(settings(kafka_client={})).host_key
        assert isinstance(error.value, LastingError)


@pytest.mark.parametrize(("exit_code", "lasts"), [(78, True), (1, False), (-1, False)])
def test_a_script_that_says_so_is_not_tried_again(exit_code, lasts):
    with pytest.raises(KafkaClientError, match=r"kafka .*: in the way") as error:
        Completed("", "in the way\n", exit_code).check("kafka")

    assert isinstance(error.value, LastingError) is lasts

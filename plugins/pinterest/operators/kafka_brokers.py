"""Operators for the brokers, wherever they are."""

from __future__ import annotations

from typing import Any

from airflow.providers.common.compat.sdk import BaseOperator, Context

from pinterest.hooks.kafka_brokers import SelfHostedBroker, find_brokers
from pinterest.hooks.kafka_client import KafkaClientHook
from pinterest.hooks.msk import Brokers
from pinterest.operators.kafka_client import KafkaClientScriptOperator
from pinterest.settings import settings

UNCHANGED = "unchanged: Kafka is on MSK"


class KafkaBrokersOperator(BaseOperator):
    """Look the brokers up, on MSK or on the client machine. Returns :class:`~pinterest.hooks.msk.Brokers`."""

    def __init__(self, *, aws_conn_id: str | None = "aws_default", **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.aws_conn_id = aws_conn_id

    def execute(self, context: Context) -> Brokers:
        brokers = find_brokers(settings(), self.aws_conn_id)
        self.log.info("Brokers: %(bootstrap_servers)s, ZooKeeper: %(zookeeper)s", brokers)
        return brokers


class StartBrokerOperator(KafkaClientScriptOperator):
    """Start the broker on the client machine unless it runs, for example after the machine was started again.

    Does nothing where Kafka is on MSK. Returns ``unchanged…`` or ``changed: …``. A rerun changes nothing.
    """

    def execute(self, context: Context) -> str:
        current = settings()
        if current.kafka.mode != "self_hosted":
            self.log.info("kafka.mode is %s: no broker is started on the client machine", current.kafka.mode)
            return UNCHANGED
        self.environment = {
            **self.environment,
            "HOST": SelfHostedBroker(current, self.aws_conn_id).host,
            "PORT": str(current.kafka.port),
            "CONTROLLER_PORT": str(current.kafka.controller_port),
        }
        return self._run(KafkaClientHook(current, self.aws_conn_id))

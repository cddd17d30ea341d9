"""Kafka's command-line tools, run on the client machine against the brokers that MSK names."""

from __future__ import annotations

from collections.abc import Mapping
from functools import cached_property

from pinterest.hooks.kafka_client import Completed, KafkaClientHook
from pinterest.hooks.msk import Brokers, MskHook


class KafkaToolsHook(KafkaClientHook):
    """Runs scripts of Kafka tools on the client machine.

    A script finds the brokers' addresses in ``BOOTSTRAP_SERVERS``. MSK is asked for them before the first script.
    """

    @cached_property
    def brokers(self) -> Brokers:
        kafka = self.settings.kafka
        msk = MskHook(aws_conn_id=self.aws_conn_id, region_name=self.settings.region)
        return msk.brokers(kafka.cluster_name, kafka.authentication)

    def run(
        self,
        script: str,
        environment: Mapping[str, str] | None = None,
        timeout: float = 600,
        *,
        secrets: Mapping[str, str] | None = None,
        quiet: bool = False,
    ) -> Completed:
        """As :meth:`KafkaClientHook.run`, with ``BOOTSTRAP_SERVERS`` in the environment."""
        given = {"BOOTSTRAP_SERVERS": self.brokers["bootstrap_servers"], **(environment or {})}
        return super().run(script, given, timeout, secrets=secrets, quiet=quiet)

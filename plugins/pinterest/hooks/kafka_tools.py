"""Kafka's command-line tools, run on the client machine against the brokers that the settings name."""

from __future__ import annotations

from collections.abc import Mapping
from functools import cached_property

from pinterest.hooks.kafka_brokers import find_brokers
from pinterest.hooks.kafka_client import Completed, KafkaClientHook
from pinterest.hooks.msk import Brokers


class KafkaToolsHook(KafkaClientHook):
    """Runs scripts of Kafka tools on the client machine.

    A script finds the brokers' addresses in ``BOOTSTRAP_SERVERS``. They are looked up before the first script.
    """

    @cached_property
    def brokers(self) -> Brokers:
        return find_brokers(self.settings, self.aws_conn_id)

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

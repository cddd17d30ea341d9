"""Operators that remove what the pipeline has on the Kafka client machine, and the topics, with Kafka's tools there."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, datetime
from typing import Any

from airflow.providers.common.compat.sdk import Context

from include.settings import Settings
from include.teardown import Order, named
from pinterest.hooks.inventory import InventoryHook
from pinterest.hooks.kafka_client import Completed, KafkaClientHook
from pinterest.hooks.kafka_tools import KafkaToolsHook
from pinterest.hooks.msk import MskError
from pinterest.operators.teardown import TeardownOperator

REMOVED = "removed: "
WOULD_BE = "would be removed: "
KEPT = "kept"


class OnMachineOperator(TeardownOperator):
    """Base: runs a script on the machine, if there is one. What has no ``expires_at`` is none of ``only_expired``'s.

    The script prints a line ``removed: …``, ``would be removed: …`` or ``kept…`` for each thing; it changes nothing
    unless REMOVE is ``yes``. Canceling the task ends it.

    :param script: bash, or the name of a ``.sh`` template (templated)
    :param timeout: seconds the script may take
    """

    template_fields: Sequence[str] = ("script",)
    template_ext: Sequence[str] = (".sh",)
    template_fields_renderers = {"script": "bash"}  # noqa: RUF012

    def __init__(self, *, script: str, timeout: float = 600, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.script = script
        self.timeout = timeout
        self._running: KafkaClientHook | None = None

    def on_kill(self) -> None:
        if self._running is not None:
            self._running.kill()

    def remove(self, current: Settings, order: Order, context: Context) -> list[str]:
        if order.only_expired:
            self.log.info("only_expired: nothing here carries the tag expires_at")
            return []
        if not self._is_there(current):
            self.log.info("unchanged: no machine runs with the tag Name=%s, so nothing is on it", current.user_id)
            if order.delete_data and self.stage is None:
                self.log.warning("Topics that the MSK cluster still has stay: they are deleted from that machine")
            return []
        completed = self.on_machine(current, order)
        lines = completed.stdout.splitlines() if completed else []
        for line in lines:
            if line.startswith(KEPT):
                self.log.info("%s", line)
        removed = [line.removeprefix(mark) for line in lines for mark in (REMOVED, WOULD_BE) if line.startswith(mark)]
        self.log.info("%s%s", WOULD_BE if order.dry_run else REMOVED, named(removed) or "nothing")
        return removed

    def on_machine(self, current: Settings, order: Order) -> Completed | None:
        """What the script printed; None if there is nothing to ask it for."""
        self._running = KafkaClientHook(current, self.aws_conn_id)
        given = {"REMOVE": _yes(not order.dry_run), "KEEP_TOOLS": _yes(not order.delete_data)}
        return self._run({**given, "SYSTEMD": "/run/systemd/system", "UNITS": "/etc/systemd/system"})

    def _run(self, environment: dict[str, str]) -> Completed:
        assert self._running is not None
        completed = self._running.run(self.script, environment, self.timeout, quiet=True)
        return completed.check(f"The script of {self.task_id}")

    def _is_there(self, current: Settings) -> bool:
        instances = InventoryHook(current.user_id, current.region, self.aws_conn_id).found(["instance"])
        return any(one.name == current.user_id and one.item["State"]["Name"] == "running" for one in instances)


class RemoveTopicsOperator(OnMachineOperator):
    """Delete the topics, if data is to be deleted, and those that MSK Connect made for our connector.

    Otherwise they are only listed. They go with the MSK cluster, if that goes, and those of a broker on this machine
    with its files. They are gone already if the cluster is, or Kafka's tools, which a teardown that keeps the topics
    keeps, too.
    """

    def on_machine(self, current: Settings, order: Order) -> Completed | None:
        if current.kafka.mode == "self_hosted":
            self.log.info(
                "unchanged: the topics are in the broker's files on this machine, which the task files looks after"
            )
            return None
        if self._cluster_goes(current, order):
            self.log.info("unchanged: all topics go with the MSK cluster %s", current.kafka.cluster_name)
            return None
        self._running = tools = KafkaToolsHook(current, self.aws_conn_id)
        try:
            servers = tools.brokers["bootstrap_servers"]
        except MskError as error:  # there is no cluster, or none that has topics yet
            self.log.info("unchanged: %s", error)
            return None
        return self._run(
            {
                "BOOTSTRAP_SERVERS": servers,
                "TOPICS": " ".join([*current.topics.values(), current.dead_letter_topic]),
                "CONNECTOR": current.connector,
                "REMOVE": _yes(order.delete_data and not order.dry_run),
                "WANTED": _yes(order.delete_data),
            }
        )

    def _cluster_goes(self, current: Settings, order: Order) -> bool:
        clusters = InventoryHook(current.user_id, current.region, self.aws_conn_id).found(["MSK cluster"])
        ours = [one for one in clusters if one.name == current.kafka.cluster_name]
        return not order.keeps("kafka") and any(order.is_due(one, datetime.now(UTC)) for one in ours)


def _yes(value: bool) -> str:
    return "yes" if value else "no"

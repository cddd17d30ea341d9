"""Waits for a run's records to be in the bucket."""

from __future__ import annotations

import time
from collections.abc import Iterable, Iterator, Sequence
from typing import Any

from airflow.providers.common.compat.sdk import (
    AirflowFailException,
    AirflowSensorTimeout,
    BaseSensorOperator,
    Context,
    PokeReturnValue,
)

from include.landing.coverage import PartitionCoverage, describe_missing
from include.landing.landed import Landed
from include.positions.kafka import Range
from pinterest.dead_letter_topic import DeadLetterTopic
from pinterest.hooks.kafka_tools import KafkaToolsHook
from pinterest.landed_run import LandedRun
from pinterest.run_documents import RunDocuments
from pinterest.run_links import SinkObjectsLink
from pinterest.settings import settings


class LandedObjectsSensor(BaseSensorOperator):
    """Wait until the sink's objects and the dead letters hold every offset of the run's interval.

    Then write the manifest that the load reads, the run's dead letters, and the ledger's hop ``landed``. Returns the
    manifest's key.

    Only objects from the bookmark on are listed, and each is read once, for the positions in its lines. A gap that
    the sink has written beyond, and that is not among the dead letters, fails the task: nothing will fill it. So does
    an object that should hold an offset and is damaged. An overlap is counted and named; the load stores an offset
    once.

    Where no bookmark knows a partition, offsets older than what the broker keeps may have held no record: markers of
    transactions, dead letters that have expired. Those that nothing holds are named in the log and count as empty, once
    the sink has had the time to write what it still had.

    :param script: prints the dead-letter topic, or the name of a ``.sh`` template (templated)
    :param gap_seconds: how long a gap must stay before it fails the task: a dead letter may arrive after the object
        that follows it
    :param letters_seconds: how long to wait for objects before the dead letters are read; reading starts a JVM
    :param letters_limit: dead letters read at a time
    :param idle_seconds: how long the consumer of the dead letters waits for the next record
    """

    template_fields: Sequence[str] = ("script",)
    template_ext: Sequence[str] = (".sh",)
    template_fields_renderers = {"script": "bash"}  # noqa: RUF012
    operator_extra_links = (SinkObjectsLink(),)

    def __init__(
        self,
        *,
        script: str = "landing/read_dead_letters.sh",
        gap_seconds: float = 10,
        letters_seconds: float = 10,
        letters_limit: int = 200,
        idle_seconds: int = 20,
        poke_interval: float = 2,
        timeout: float = 900,
        aws_conn_id: str | None = "aws_default",
        **kwargs: Any,
    ) -> None:
        super().__init__(poke_interval=poke_interval, timeout=timeout, mode="poke", **kwargs)
        self.script = script
        self.gap_seconds = gap_seconds
        self.letters_seconds = letters_seconds
        self.letters_limit = letters_limit
        self.idle_seconds = idle_seconds
        self.aws_conn_id = aws_conn_id
        self._kafka: KafkaToolsHook | None = None

    def execute(self, context: Context) -> Any:
        self._run = self._begin(context)
        self._letters_read_at = time.monotonic()
        self._gap_seen_at: float | None = None
        self._forgotten_seen_at: float | None = None
        try:
            return super().execute(context)
        except AirflowSensorTimeout as error:
            coverage = self._run.landed.coverage()
            self._run.write_entries(coverage)
            raise AirflowSensorTimeout(
                f"After {self.timeout:g} s: {describe_missing(coverage)}. Look at the connector "
                f"{self._run.settings.connector}: is it RUNNING, are its tasks, and what does its log say?"
            ) from error

    def on_kill(self) -> None:
        if self._kafka is not None:
            self._kafka.kill()

    def poke(self, context: Context) -> PokeReturnValue:
        self._run.read_objects()
        coverage = self._run.landed.coverage()
        self._look_for_forgotten(coverage)
        if self._letters_are_due(coverage):
            self._run.read_letters()
            self._letters_read_at = time.monotonic()
            coverage = self._run.landed.coverage()
        if self._forgotten_will_not_come(coverage):
            self._run.count_forgotten_as_empty(coverage)
            coverage = self._run.landed.coverage()
        missing = [one for one in coverage if not one.complete]
        if not missing:
            return PokeReturnValue(is_done=True, xcom_value=self._run.publish(coverage))
        self._fail_for_lasting_gaps(coverage)
        self.log.info("Not yet in the bucket: %s", describe_missing(missing))
        return PokeReturnValue(is_done=False)

    def _begin(self, context: Context) -> LandedRun:
        current = settings()
        documents = RunDocuments.of(context, current.bucket, self.aws_conn_id)
        bookmark = documents.bookmark(current.user_id)
        self._kafka = KafkaToolsHook(current, self.aws_conn_id)
        return LandedRun(
            current,
            documents,
            bookmark,
            Landed.nothing(documents.require_interval(), bookmark, current.dead_letter_topic),
            DeadLetterTopic(self._kafka, self.script, limit=self.letters_limit, idle_seconds=self.idle_seconds),
        )

    def _letters_are_due(self, coverage: Sequence[PartitionCoverage]) -> bool:
        """At once if objects lie beyond a gap. If only the end is missing, objects are more likely just late."""
        if all(one.complete for one in coverage):
            return False
        if any(one.passed for one in coverage):
            return True
        return time.monotonic() - self._letters_read_at >= self.letters_seconds

    def _look_for_forgotten(self, coverage: Sequence[PartitionCoverage]) -> None:
        if not any(one.forgotten for one in coverage):
            self._forgotten_seen_at = None
        elif self._forgotten_seen_at is None:
            self._forgotten_seen_at = time.monotonic()

    def _forgotten_will_not_come(self, coverage: Sequence[PartitionCoverage]) -> bool:
        """What the sink had read before the broker forgot it is written by now, and the dead letters are read."""
        seen_at = self._forgotten_seen_at
        if seen_at is None or self._letters_read_at < seen_at or not any(one.forgotten for one in coverage):
            return False
        return time.monotonic() - seen_at >= self.gap_seconds + self._run.settings.s3_sink.rotate_ms / 1000

    def _fail_for_lasting_gaps(self, coverage: Sequence[PartitionCoverage]) -> None:
        gaps = [one for one in coverage if one.passed]
        if not gaps:
            self._gap_seen_at = None
            return
        if self._gap_seen_at is None:
            self._gap_seen_at = time.monotonic()
        if time.monotonic() - self._gap_seen_at < self.gap_seconds:
            return
        self._run.write_entries(coverage)
        gone = [(of, gap) for of, gap in _gaps(gaps) if gap[0] < self._oldest(of)]
        if gone:
            of, (offset, _) = gone[0]
            raise AirflowFailException(
                f"Records are lost between Kafka and the bucket: {describe_missing([of], passed=True)}. The partition "
                f"begins at {self._oldest(of)} now, so offset {offset} cannot be had again"
            )
        first = gaps[0]
        connector = self._run.settings.connector
        raise AirflowFailException(
            f"The sink has passed over records that are still on the topic: {describe_missing(gaps, passed=True)}. "
            f"To have it write them, delete the connector {connector} (MSK Connect cannot stop one), run "
            f"kafka-consumer-groups.sh … --group connect-{connector} --topic {first.topic}:{first.partition} "
            f"--reset-offsets --to-offset {first.passed[0][0]} --execute on the client machine for each partition, and "
            "run pinterest_pipeline, which makes the connector again"
        )

    def _oldest(self, of: PartitionCoverage) -> int:
        """Where the topic's partition began when the run looked."""
        found = dict(self._run.landed.interval.partitions())
        return found[of.topic, of.partition].earliest


def _gaps(coverage: Iterable[PartitionCoverage]) -> Iterator[tuple[PartitionCoverage, Range]]:
    for one in coverage:
        for gap in one.passed:
            yield one, gap

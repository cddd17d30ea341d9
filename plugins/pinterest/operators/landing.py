"""Operators that fix the offsets a run accounts for, and have a consumer count them."""

from __future__ import annotations

import time
from collections.abc import Sequence
from typing import Any

from airflow.providers.common.compat.sdk import Context

from include import bucket_layout
from include.landing.broker import parse_log_offsets
from include.landing.consumer import GroupReading, group_of_its_own, start_offsets, stop_offsets
from include.landing.document import BrokerNotReadyError, LandingError, dump
from include.landing.entries import topic_entry
from include.landing.interval import Interval, TopicPartition, acknowledged_ranges, plan_interval
from include.positions.kafka import Range, spell
from include.settings import ENTITIES
from pinterest.hooks.kafka_tools import KafkaToolsHook
from pinterest.operators.kafka_client import KafkaClientOperator
from pinterest.run_documents import RunDocuments
from pinterest.settings import settings
from pinterest.sink_bucket import SinkBucket


class LandingIntervalOperator(KafkaClientOperator):
    """Ask the broker how far each partition goes, and fix the offsets that this run accounts for.

    Every offset that the REST API acknowledged to the run must lie before the broker's log end; one that does not is
    named. Stored in the bucket as ``interval.json``; a retry keeps its start and takes in what came since.
    """

    def __init__(self, *, script: str = "landing/broker_offsets.sh", timeout: float = 600, **kwargs: Any) -> None:
        super().__init__(script=script, timeout=timeout, **kwargs)

    def execute(self, context: Context) -> dict[str, int]:
        current = settings()
        documents = RunDocuments.of(context, current.bucket, self.aws_conn_id)
        documents.forget_entries("topic", "landed", "bronze", "silver", "gold")
        bookmark = documents.bookmark(current.user_id)
        topics = " ".join(current.topics[entity] for entity in ENTITIES)
        printed = self.run_script(KafkaToolsHook(current, self.aws_conn_id), {"TOPICS": topics}).stdout
        broker = parse_log_offsets(printed.splitlines())
        bucket = SinkBucket(documents.s3, documents.bucket)
        oldest = {
            (topic, partition): first
            for topic, partitions in broker.items()
            for partition, log in partitions.items()
            if log.earliest > 0 and bookmark.place(topic, partition) is None
            if (first := bucket.first_offset(topic, partition)) is not None
        }
        interval = plan_interval(
            current.topics,
            broker,
            bookmark,
            acknowledged_ranges(documents.progress()),
            earlier=documents.interval(),
            oldest_in_bucket=oldest,
        )
        self._check_acknowledged(interval, documents)
        documents.write(bucket_layout.interval(documents.dag_id, documents.run_id), dump(interval))
        for topic in interval.topics.values():
            self.log.info(
                "%s: %s", topic.topic, ", ".join(f"p{p} {i.start} to {i.stop}" for p, i in topic.partitions.items())
            )
        return {entity: topic.size for entity, topic in interval.topics.items()}

    @staticmethod
    def _check_acknowledged(interval: Interval, documents: RunDocuments) -> None:
        progress = documents.progress()
        entries = [
            topic_entry(documents.run_id, entity, interval.topics[entity], progress, "the broker's log end offsets")
            for entity in ENTITIES
        ]
        lost = [f"{interval.topics[e.entity].topic}: {', '.join(e.positions)}" for e in entries if e.positions]
        if lost:
            documents.write_entries("topic", entries)
            raise LandingError(f"The REST API acknowledged offsets that the broker does not have: {'; '.join(lost)}")


class ConsumerCountOperator(KafkaClientOperator):
    """Have a Kafka consumer read the run's interval and count it.

    The console consumer runs on the client machine, in a consumer group that nobody else uses, so neither other
    consumers nor other runs disturb it; only offset ranges leave the machine. It reads committed records. Offsets that
    it passes without finding one are stored in ``interval.json``: there is nothing to land. Writes the ledger's hop
    ``topic``. A rerun counts again, in another group.

    :param offsets_script: prints what the broker keeps, or the name of a ``.sh`` template (templated)
    :param timeout: seconds for the whole reading
    :param idle_seconds: how long the consumer waits for the next record
    """

    template_fields: Sequence[str] = (*KafkaClientOperator.template_fields, "offsets_script")

    def __init__(
        self,
        *,
        script: str = "landing/consume_interval.sh",
        offsets_script: str = "landing/broker_offsets.sh",
        timeout: float = 600,
        idle_seconds: int = 20,
        **kwargs: Any,
    ) -> None:
        super().__init__(script=script, timeout=timeout, **kwargs)
        self.offsets_script = offsets_script
        self.idle_seconds = idle_seconds

    def execute(self, context: Context) -> dict[str, int]:
        current = settings()
        documents = RunDocuments.of(context, current.bucket, self.aws_conn_id)
        interval = documents.require_interval()
        group = group_of_its_own(current.consumer_group)
        kafka = KafkaToolsHook(current, self.aws_conn_id)
        reading = self._read(kafka, interval, group)
        for (topic, number), one in interval.partitions():
            if repeated := reading.repeated((topic, number), one):
                self.log.info("%s partition %d: read more than once: offsets %s", topic, number, spell(repeated))
        if problems := reading.problems():
            raise BrokerNotReadyError(
                f"{'; '.join(problems)}. A consumer of committed records waits where a transaction is open: run the "
                "task again when its producer has ended it"
            )
        interval = interval.without(self._empty(kafka, reading))
        documents.write(bucket_layout.interval(documents.dag_id, documents.run_id), dump(interval))
        self._write_entries(documents, interval, group)
        return {entity: reading.seen(topic) for entity, topic in interval.topics.items()}

    def _empty(self, kafka: KafkaToolsHook, reading: GroupReading) -> dict[TopicPartition, tuple[Range, ...]]:
        """The offsets that hold no record, by partition."""
        if not reading.passed_any:
            return {}
        topics = " ".join(topic.topic for topic in reading.interval.topics.values())
        printed = kafka.run(self.offsets_script, {"TOPICS": topics}).check("Asking for the log's beginnings").stdout
        found = reading.all_empty(parse_log_offsets(printed.splitlines()))
        for (topic, number), ranges in found.items():
            self.log.info("%s partition %d: no record at offsets %s", topic, number, spell(ranges))
        return found

    @staticmethod
    def _write_entries(documents: RunDocuments, interval: Interval, group: str) -> None:
        progress = documents.progress()
        counted_by = f"the broker's log end offsets; group {group} read the interval to its end"
        documents.write_entries(
            "topic",
            [
                topic_entry(documents.run_id, entity, interval.topics[entity], progress, counted_by)
                for entity in ENTITIES
            ],
        )

    def _read(self, hook: KafkaToolsHook, interval: Interval, group: str) -> GroupReading:
        """Rounds of the group, until it has got to the end of the interval or nothing more comes.

        One round is usually enough. Records that others send meanwhile count among those a round reads.
        """
        deadline = time.monotonic() + self.timeout
        reading, start = GroupReading(interval), start_offsets(interval)
        unread = [topic for topic in interval.topics.values() if reading.left(topic)]
        while start or unread:
            completed = self.run_script(
                hook,
                {
                    "GROUP": group,
                    "START": start,
                    "STOP": stop_offsets(interval),
                    "READ": "\n".join(f"{topic.topic} {reading.left(topic)}" for topic in unread),
                    "IDLE_SECONDS": str(self.idle_seconds),
                },
                timeout=max(1.0, deadline - time.monotonic()),
            )
            start = ""
            came = reading.add(completed.stdout)
            for topic in unread:
                if topic.topic not in came:
                    self.log.warning("%s: no record came for %d s", topic.topic, self.idle_seconds)
            unread = [topic for topic in unread if topic.topic in came and reading.left(topic)]
        return reading

"""Operators that follow a run's records from Kafka to the bucket."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from airflow.providers.common.compat.sdk import BaseOperator, Context

from include import bucket_layout
from include.landing.broker import parse_log_offsets
from include.landing.consumer import consumer_problems, read_consumer_counts, seen_of_topic
from include.landing.document import LandingError, dump
from include.landing.entries import topic_entry
from include.landing.interval import Interval, acknowledged_ranges, plan_interval
from include.landing.manifest import Manifest
from include.ledger.entry import parse_entries
from include.settings import ENTITIES, Settings
from pinterest.hooks.kafka_client import Completed, KafkaClientHook
from pinterest.hooks.msk import MskHook
from pinterest.run_documents import RunDocuments
from pinterest.settings import settings


class _KafkaToolOperator(BaseOperator):
    """Runs one script of Kafka tools on the client machine; cancelling the task ends it there.

    :param script: bash, or the name of a ``.sh`` template (templated)
    :param timeout: seconds the script may take
    """

    template_fields: Sequence[str] = ("script",)
    template_ext: Sequence[str] = (".sh",)
    template_fields_renderers = {"script": "bash"}  # noqa: RUF012

    def __init__(
        self, *, script: str, timeout: float = 600, aws_conn_id: str | None = "aws_default", **kwargs: Any
    ) -> None:
        super().__init__(**kwargs)
        self.script = script
        self.timeout = timeout
        self.aws_conn_id = aws_conn_id
        self._client: KafkaClientHook | None = None

    def on_kill(self) -> None:
        if self._client is not None:
            self._client.kill()

    def _run(self, current: Settings, **environment: str) -> Completed:
        brokers = MskHook(aws_conn_id=self.aws_conn_id, region_name=current.region).brokers(
            current.kafka.cluster_name, current.kafka.authentication
        )
        self._client = KafkaClientHook(current, self.aws_conn_id)
        environment = {"BOOTSTRAP_SERVERS": brokers["bootstrap_servers"], **environment}
        completed = self._client.run(self.script, environment, self.timeout)
        return completed.check(f"The script of {self.task_id}")


class LandingIntervalOperator(_KafkaToolOperator):
    """Ask the broker how far each partition goes, and fix the offsets that this run accounts for.

    Every offset that the REST API acknowledged to the run must lie before the broker's log end; one that does not is
    named. Stored in the bucket as ``interval.json``; a retry keeps its start and takes in what came since.
    """

    def __init__(self, *, script: str = "landing/broker_offsets.sh", **kwargs: Any) -> None:
        super().__init__(script=script, **kwargs)

    def execute(self, context: Context) -> dict[str, int]:
        current = settings()
        documents = RunDocuments.of(context, current.bucket, self.aws_conn_id)
        documents.forget_entries("topic", "landed", "bronze", "silver", "gold")
        bookmark = documents.bookmark(current.user_id)
        broker = parse_log_offsets(
            self._run(current, TOPICS=" ".join(current.topics[entity] for entity in ENTITIES)).stdout.splitlines()
        )
        oldest = {
            (topic, partition): _oldest_in_bucket(documents, topic, partition, log.earliest)
            for topic, partitions in broker.items()
            for partition, log in partitions.items()
            if log.earliest > 0 and str(partition) not in bookmark.get(topic, {})
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


class ConsumerCountOperator(_KafkaToolOperator):
    """Have a Kafka consumer read the run's interval and count it; the broker and the consumer must agree.

    The console consumer runs on the client machine and only its counts leave it. Its group is set to the start of
    the interval first, so a retry counts the same. Writes the ledger's hop ``topic``.

    :param idle_seconds: how long the consumer waits for the next record
    :param busy_seconds: how long to wait for the group to be free; a killed consumer holds it for 45 s
    """

    def __init__(
        self,
        *,
        script: str = "landing/consume_interval.sh",
        idle_seconds: int = 20,
        busy_seconds: int = 120,
        **kwargs: Any,
    ) -> None:
        super().__init__(script=script, **kwargs)
        self.idle_seconds = idle_seconds
        self.busy_seconds = busy_seconds

    def execute(self, context: Context) -> dict[str, int]:
        current = settings()
        documents = RunDocuments.of(context, current.bucket, self.aws_conn_id)
        interval, progress = documents.require_interval(), documents.progress()
        lines = [
            f"{topic.topic},{number},{max(one.start, one.earliest)},{one.stop}"
            for topic in interval.topics.values()
            for number, one in topic.partitions.items()
        ]
        completed = self._run(
            current,
            GROUP=current.consumer_group,
            INTERVAL="\n".join(lines),
            IDLE_SECONDS=str(self.idle_seconds),
            BUSY_SECONDS=str(self.busy_seconds),
        )
        seen, committed = read_consumer_counts(completed.stdout)
        problems = consumer_problems(interval, seen, committed, current.consumer_group)
        if problems:
            raise LandingError("The consumer and the broker do not agree: " + "; ".join(problems))
        counted_by = f"the broker's log end offsets; group {current.consumer_group} read every offset of the interval"
        documents.write_entries(
            "topic",
            [
                topic_entry(documents.run_id, entity, interval.topics[entity], progress, counted_by)
                for entity in ENTITIES
            ],
        )
        return {entity: seen_of_topic(topic, seen) for entity, topic in interval.topics.items()}


class LandingManifestOperator(BaseOperator):
    """Write the manifest that the load reads, and the ledger's hop ``landed``. Returns the manifest's key."""

    def __init__(self, *, aws_conn_id: str | None = "aws_default", **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.aws_conn_id = aws_conn_id

    def execute(self, context: Context) -> str:
        documents = RunDocuments.of(context, settings().bucket, self.aws_conn_id)
        coverage = bucket_layout.coverage(documents.dag_id, documents.run_id)
        manifest = Manifest.model_validate_json(documents.require(coverage, "landing.objects"))
        landed_ledger = bucket_layout.landed_ledger(documents.dag_id, documents.run_id)
        landed = parse_entries(documents.require(landed_ledger, "landing.objects"))
        self._check(manifest, documents.require_interval())
        documents.forget_entries("bronze", "silver", "gold")
        key = bucket_layout.manifest(documents.dag_id, documents.run_id)
        documents.write(key, dump(manifest))
        documents.write_entries("landed", landed)
        for one in manifest.ignored:
            self.log.warning("Not loaded: %s: %s", one.key, one.reason)
        objects = sum(len(p.objects) for topic in manifest.topics.values() for p in topic.partitions.values())
        self.log.info("%s: %d objects, %d dead letters", key, objects, manifest.dead_letters.count)
        return key

    @staticmethod
    def _check(manifest: Manifest, interval: Interval) -> None:
        for entity, topic in interval.topics.items():
            for number, wanted in topic.partitions.items():
                found = manifest.topics[entity].partitions[number]
                if (found.start, found.stop) != wanted.range:
                    raise LandingError(
                        f"{topic.topic} partition {number}: the objects were checked for offsets {found.start} to "
                        f"{found.stop}, but the interval is {wanted.start} to {wanted.stop}: run landing.objects again"
                    )


def _oldest_in_bucket(documents: RunDocuments, topic: str, partition: int, otherwise: int) -> int:
    """First offset of the partition's first object: it may be older than what the broker still keeps."""
    prefix = bucket_layout.partition_prefix(topic, partition)
    page = documents.s3.list_objects_v2(Bucket=documents.bucket, Prefix=prefix, MaxKeys=1)
    for item in page.get("Contents", []):
        name = bucket_layout.parse_sink_object(item["Key"])
        if name is not None:
            return name.first_offset
    return otherwise

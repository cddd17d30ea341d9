"""Waits for a run's records to be in the bucket."""

from __future__ import annotations

import base64
import json
import time
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from functools import cached_property
from typing import Any

from airflow.providers.common.compat.sdk import (
    AirflowFailException,
    AirflowSensorTimeout,
    BaseSensorOperator,
    Context,
    PokeReturnValue,
)

from include import bucket_layout
from include.landing.coverage import PartitionCoverage, cover, describe_missing
from include.landing.dead_letters import (
    DeadLetter,
    DeadLetterError,
    Framing,
    first_letters,
    letters_to_load,
    next_letters,
    parse,
)
from include.landing.document import dump
from include.landing.entries import landed_entries
from include.landing.interval import list_after
from include.landing.manifest import IgnoredObject, landed_manifest
from include.landing.objects import ListedObject, ScannedObject, scan, split_lines
from include.ledger.entry import entries_json
from include.settings import Settings
from pinterest.hooks.kafka_client import KafkaClientHook
from pinterest.hooks.msk import MskHook
from pinterest.run_documents import RunDocuments
from pinterest.settings import settings

READERS = 8
CHUNK_BYTES = 1 << 16

type PartitionOf = tuple[str, int]


class LandedObjectsSensor(BaseSensorOperator):
    """Wait until the sink's objects and the dead letters hold every offset of the run's interval.

    Only objects from the bookmark on are listed, and each is read once, for the positions in its lines. A gap that
    the sink has written beyond, and that is not among the dead letters, fails the task: nothing will fill it. So does
    an object that should hold an offset and is damaged. An overlap is counted and named; the load stores an offset
    once. Returns the key of the coverage document, which :class:`LandingManifestOperator` publishes.

    :param script: prints the dead-letter topic, or the name of a ``.sh`` template (templated)
    :param gap_seconds: how long a gap must stay before it fails the task: a dead letter may arrive after the object
        that follows it
    :param letters_seconds: how long to wait for objects before the dead letters are read; reading starts a JVM
    :param letters_limit: dead letters read at a time
    """

    template_fields: Sequence[str] = ("script",)
    template_ext: Sequence[str] = (".sh",)
    template_fields_renderers = {"script": "bash"}  # noqa: RUF012

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
        self._client: KafkaClientHook | None = None
        self._scanned: dict[str, ScannedObject] = {}
        self._foreign: dict[str, str] = {}
        self._reached: dict[PartitionOf, int] = {}
        self._letters: dict[tuple[int, int], DeadLetter] = {}
        self._next_letters: dict[int, int] = {}
        self._letters_read_at: float | None = None
        self._gap_seen_at: float | None = None
        self._coverage: list[PartitionCoverage] = []

    def execute(self, context: Context) -> Any:
        self._documents = RunDocuments.of(context, self._settings.bucket, self.aws_conn_id)
        self._interval = self._documents.require_interval()
        self._bookmark = self._documents.bookmark(self._settings.user_id)
        self._next_letters = first_letters(self._interval, self._bookmark, self._settings.dead_letter_topic)
        self._started_at = time.monotonic()
        try:
            return super().execute(context)
        except AirflowSensorTimeout as error:
            self._write_ledger()
            raise AirflowSensorTimeout(
                f"After {self.timeout:g} s: {describe_missing(self._coverage)}. Look at the connector "
                f"{self._settings.connector}: is it RUNNING, are its tasks, and what does its log say?"
            ) from error

    def on_kill(self) -> None:
        if self._client is not None:
            self._client.kill()

    def poke(self, context: Context) -> PokeReturnValue:
        self._read_new_objects()
        self._coverage = self._cover()
        if self._letters_are_due():
            self._read_dead_letters()
            self._coverage = self._cover()
        missing = [one for one in self._coverage if not one.complete]
        if not missing:
            return PokeReturnValue(is_done=True, xcom_value=self._publish())
        self._fail_for_good_gaps()
        self.log.info("Not yet in the bucket: %s", describe_missing(missing))
        return PokeReturnValue(is_done=False)

    @cached_property
    def _settings(self) -> Settings:
        return settings()

    def _cover(self) -> list[PartitionCoverage]:
        found = []
        for topic in self._interval.topics.values():
            for number, one in topic.partitions.items():
                place = topic.topic, number
                found.append(
                    cover(
                        *place,
                        one.range,
                        [s for s in self._scanned.values() if (s.name.topic, s.name.partition) == place],
                        [d.offset for d in self._letters.values() if (d.topic, d.partition) == place],
                        reached=self._reached.get(place, -1),
                    )
                )
        return found

    def _read_new_objects(self) -> None:
        """List every partition from the bookmark on, and read what is new or was written again."""
        due: list[tuple[ListedObject, bucket_layout.SinkObject]] = []
        for topic in self._interval.topics.values():
            for number, one in topic.partitions.items():
                place = self._bookmark.get(topic.topic, {}).get(str(number))
                for listed in self._list(topic.topic, number, list_after(one, topic.topic, number, place)):
                    name = bucket_layout.parse_sink_object(listed.key)
                    known = self._scanned.get(listed.key)
                    if name is None:
                        self._foreign[listed.key] = "its name is not one that the sink gives"
                    elif name.first_offset >= one.stop:
                        reached = self._reached.get((topic.topic, number), -1)
                        self._reached[topic.topic, number] = max(reached, name.first_offset)
                    elif known is None or known.listed.etag != listed.etag:
                        due.append((listed, name))
        if not due:
            return
        with ThreadPoolExecutor(READERS) as readers:
            for scanned in readers.map(lambda one: self._scan(*one), due):
                self._scanned[scanned.key] = scanned
                if scanned.faults:
                    self.log.warning("%s %s", scanned.key, " and ".join(scanned.faults))

    def _list(self, topic: str, partition: int, after: str | None) -> Iterator[ListedObject]:
        pages = self._documents.s3.get_paginator("list_objects_v2").paginate(
            Bucket=self._documents.bucket,
            Prefix=bucket_layout.partition_prefix(topic, partition),
            **({"StartAfter": after} if after else {}),
        )
        for page in pages:
            for item in page.get("Contents", []):
                yield ListedObject(key=item["Key"], etag=item["ETag"], size=item["Size"])

    def _scan(self, listed: ListedObject, name: bucket_layout.SinkObject) -> ScannedObject:
        """Read an object. It may have been written again since the listing: what was read is what is recorded."""
        answer = self._documents.s3.get_object(Bucket=self._documents.bucket, Key=listed.key)
        read = ListedObject(key=listed.key, etag=answer["ETag"], size=answer["ContentLength"])
        return scan(read, name, split_lines(answer["Body"].iter_chunks(CHUNK_BYTES)))

    def _letters_are_due(self) -> bool:
        """At once where objects lie beyond a gap; where only the end is missing, objects are likelier to be late."""
        if all(one.complete for one in self._coverage):
            return False
        if any(one.passed for one in self._coverage):
            return True
        return time.monotonic() - (self._letters_read_at or self._started_at) >= self.letters_seconds

    def _read_dead_letters(self) -> None:
        current = self._settings
        brokers = MskHook(aws_conn_id=self.aws_conn_id, region_name=current.region).brokers(
            current.kafka.cluster_name, current.kafka.authentication
        )
        if self._client is None:
            self._client = KafkaClientHook(current, self.aws_conn_id)
        while True:
            framing = Framing.draw()
            completed = self._client.run(
                self.script,
                {
                    "BOOTSTRAP_SERVERS": brokers["bootstrap_servers"],
                    "TOPIC": current.dead_letter_topic,
                    "POSITIONS": "\n".join(f"{number} {offset}" for number, offset in self._next_letters.items()),
                    "LIMIT": str(self.letters_limit),
                    "IDLE_SECONDS": str(self.idle_seconds),
                    **framing.environment(),
                },
                quiet=True,
            ).check(f"The script of {self.task_id}")
            printed = [line.split(" ") for line in completed.stdout.splitlines() if line]
            for number, start, stop, encoded in printed:
                self._take_letters(int(number), int(start), int(stop), base64.b64decode(encoded), framing)
            if not printed:
                break
        self._letters_read_at = time.monotonic()

    def _take_letters(self, number: int, start: int, stop: int, printed: bytes, framing: Framing) -> None:
        records = parse(printed, framing)
        if len(records) != stop - start:
            topic = self._settings.dead_letter_topic
            raise DeadLetterError(
                f"{topic} partition {number}: {len(records)} records read of offsets {start} to {stop - 1}; read again"
            )
        for record in records:
            if isinstance(record, DeadLetter):
                self._letters[record.letter] = record
            else:
                key = f"{self._settings.dead_letter_topic} p{record.letter[0]}@{record.letter[1]}"
                self._foreign[key] = record.reason
        self._next_letters[number] = stop

    def _fail_for_good_gaps(self) -> None:
        gaps = [one for one in self._coverage if one.passed]
        if not gaps:
            self._gap_seen_at = None
            return
        if self._gap_seen_at is None:
            self._gap_seen_at = time.monotonic()
        if time.monotonic() - self._gap_seen_at < self.gap_seconds:
            return
        self._write_ledger()
        raise AirflowFailException(
            "Records are lost between Kafka and the bucket, and the sink has gone on: "
            + "; ".join(one.describe(one.passed) for one in gaps)
            + ". They are still on the topic: stop the connector, set the offsets of its consumer group "
            f"connect-{self._settings.connector} back to the gap, start it again and clear this task"
        )

    def _write_ledger(self) -> None:
        entries = landed_entries(self._documents.run_id, self._interval, self._coverage)
        self._documents.write_entries("landed", entries)

    def _publish(self) -> str:
        documents, current = self._documents, self._settings
        key = bucket_layout.dead_letters(documents.dag_id, documents.run_id)
        letters = letters_to_load(self._interval, self._coverage, self._letters.values())
        lines = [json.dumps(letter.document(entity), ensure_ascii=False) for entity, letter in letters]
        documents.write(key, "".join(f"{line}\n" for line in lines), "application/x-ndjson")

        used = {scanned.key for one in self._coverage for scanned in one.objects}
        ignored = {
            **self._foreign,
            **{s.key: " and ".join(s.faults) for s in self._scanned.values() if s.faults and s.key not in used},
            **self._unknown_partitions(),
        }
        manifest = landed_manifest(
            self._interval,
            self._coverage,
            dag_id=documents.dag_id,
            run_id=documents.run_id,
            user_id=current.user_id,
            bucket=documents.bucket,
            dead_letters_key=key,
            letters=[entity for entity, _ in letters],
            next_letters=next_letters(self._interval, self._letters.values(), self._next_letters),
            ignored=[IgnoredObject(key=name, reason=reason) for name, reason in sorted(ignored.items())],
        )
        coverage = bucket_layout.coverage(documents.dag_id, documents.run_id)
        entries = landed_entries(documents.run_id, self._interval, self._coverage)
        documents.write(bucket_layout.landed_ledger(documents.dag_id, documents.run_id), entries_json(entries))
        documents.write(coverage, dump(manifest))
        for entry in entries:
            held = f"{entry.records_out} of {entry.records_in} offsets in objects, {entry.quarantined} dead letters"
            self.log.info("%s: %s", entry.entity, held)
            if entry.positions:
                self.log.warning("%s: in more than one line: %s", entry.entity, ", ".join(entry.positions))
        return coverage

    def _unknown_partitions(self) -> dict[str, str]:
        found = {}
        for topic in self._interval.topics.values():
            prefix = bucket_layout.topic_prefix(topic.topic)
            page = self._documents.s3.list_objects_v2(Bucket=self._documents.bucket, Prefix=prefix, Delimiter="/")
            known = {bucket_layout.partition_prefix(topic.topic, number) for number in topic.partitions}
            below = [item["Prefix"] for item in page.get("CommonPrefixes", [])]
            for name in (*below, *(item["Key"] for item in page.get("Contents", []))):
                if name not in known:
                    found[name] = f"is not a partition of {topic.topic} on the broker"
        return found

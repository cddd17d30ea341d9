"""The operator that has what the bucket holds loaded again."""

from __future__ import annotations

import json
from collections.abc import Sequence
from typing import Any

from airflow.providers.common.compat.sdk import AirflowFailException, BaseOperator, Context

from include import bucket_layout
from include.lake.identity import LakeIdentity
from include.landing.again import From, Remembered, Written, ending, parse_from, places_before, plan_again
from include.landing.bookmark import Bookmark
from include.landing.coverage import PartitionCoverage
from include.landing.document import dump
from include.landing.entries import landed_entries
from include.landing.interval import Interval, TopicPartition
from include.landing.listing import FoundObjects
from include.landing.manifest import landed_manifest
from include.positions.kafka import size, spell
from include.settings import Settings
from pinterest.operators.identity import lake_of
from pinterest.run_documents import RunDocuments
from pinterest.settings import settings
from pinterest.sink_bucket import SinkBucket


class LandedAgainOperator(BaseOperator):
    """Find what the bucket holds, from a day or from offsets on, and write the manifest that has it loaded again.

    Kafka is not asked. It ends where the bookmark is. Of offsets that no object holds, the documents of the run that
    landed them say that they hold no record, or what their dead letters were; else they are lost, and the ledger's hop
    ``landed`` names them. Raises LandingError if those documents have expired.

    If everything is loaded, the bookmark may be of another lake: it starts over and follows the load. A dry run logs
    what would be loaded and writes nothing. Returns the number of records by entity. A rerun writes the same.

    :param since: a day, ``2026-01-31``, or an empty text (templated)
    :param positions: where to start, ``<topic>:<partition>:<offset>``, as a JSON array (templated)
    :param is_dry_run: ``True`` or ``False`` (templated)
    """

    template_fields: Sequence[str] = ("since", "positions", "is_dry_run")

    def __init__(
        self, *, since: str, positions: str, is_dry_run: str, aws_conn_id: str | None = "aws_default", **kwargs: Any
    ) -> None:
        super().__init__(**kwargs)
        self.since = since
        self.positions = positions
        self.is_dry_run = is_dry_run
        self.aws_conn_id = aws_conn_id

    def execute(self, context: Context) -> dict[str, int]:
        current = settings()
        documents = RunDocuments.of(context, current.bucket, self.aws_conn_id)
        bookmark = documents.bookmark(current.user_id)
        wanted = parse_from(self.since or None, json.loads(self.positions))
        lake = self._lake(bookmark, current, wanted)
        bucket = SinkBucket(documents.s3, documents.bucket)
        held = self._held(bucket, current)
        planned, found = plan_again(current.topics, held, bookmark, wanted), FoundObjects()
        bucket.read_new(planned, places_before(planned, held), found)
        remembered = self._remembered(documents, bookmark)
        interval = remembered.known(ending(planned, found))
        coverage = remembered.coverage(interval, found)
        self._tell(coverage)
        days = current.run_days
        remembered.check(coverage, "for ever" if days is None else f"for {days} days")
        if self.is_dry_run != "True":
            self._publish(documents, current, interval, coverage, remembered, lake)
            if wanted.is_everything and bookmark.lake_differences(lake):
                documents.write(bucket_layout.bookmark(current.user_id), dump(bookmark.in_lake(lake)))
        return {
            entity: sum(size(one.stored) for one in coverage if one.topic == topic.topic)
            for entity, topic in interval.topics.items()
        }

    def _lake(self, bookmark: Bookmark, current: Settings, wanted: From) -> LakeIdentity:
        """The lake to load into. Its tables are those that the bookmark knows, unless all of it is loaded."""
        lake = lake_of(current)
        if wanted.is_everything:
            return lake
        if bookmark.lake is not None and bookmark.lake.name != lake.name:
            raise AirflowFailException(
                f"The bookmark is of the lake {bookmark.lake.name}, and this one is {lake.name}: load everything into "
                "it, without since and positions"
            )
        return bookmark.lake or lake

    @staticmethod
    def _held(bucket: SinkBucket, current: Settings) -> dict[TopicPartition, list[Written]]:
        held: dict[TopicPartition, list[Written]] = {}
        for topic in current.topics.values():
            for name, at in bucket.written(topic):
                held.setdefault((topic, name.partition), []).append(Written(name.first_offset, at))
        return held

    @staticmethod
    def _remembered(documents: RunDocuments, bookmark: Bookmark) -> Remembered:
        remembered = Remembered()
        for key in documents.keys(bucket_layout.LANDING):
            if key.endswith("/interval.json"):
                remembered.add_interval(Interval.model_validate_json(documents.read(key) or b""), bookmark)
            elif key.endswith("/dead_letters.jsonl"):
                lines = (documents.read(key) or b"").decode().split("\n")
                remembered.add_letters(line for line in lines if line)
        return remembered

    def _tell(self, coverage: Sequence[PartitionCoverage]) -> None:
        for one in coverage:
            self.log.info(
                "%s partition %d: %d records in %d objects, %d dead letters, of offsets %s",
                one.topic,
                one.partition,
                size(one.stored),
                len(one.objects),
                one.quarantined,
                spell([one.interval]),
            )
            if one.missing:
                self.log.warning("%s", one.describe(one.missing))

    def _publish(
        self,
        documents: RunDocuments,
        current: Settings,
        interval: Interval,
        coverage: Sequence[PartitionCoverage],
        remembered: Remembered,
        lake: LakeIdentity,
    ) -> None:
        dag_id, run_id = documents.dag_id, documents.run_id
        letters = remembered.to_load(interval, coverage)
        manifest = landed_manifest(
            interval,
            coverage,
            dag_id=dag_id,
            run_id=run_id,
            user_id=current.user_id,
            bucket=documents.bucket,
            dead_letters_key=bucket_layout.dead_letters(dag_id, run_id),
            dead_letters_id=None,
            letters=[entity for entity, _ in letters],
            next_letters={},
            ignored=[],
            lake=lake,
        )
        lines = "".join(f"{json.dumps(letter, ensure_ascii=False)}\n" for _, letter in letters)
        documents.write(manifest.dead_letters.key, lines, "application/x-ndjson")
        documents.write(bucket_layout.interval(dag_id, run_id), dump(interval))
        documents.forget_entries("bronze", "silver", "gold")
        documents.write(bucket_layout.manifest(dag_id, run_id), dump(manifest))
        documents.write_entries("landed", landed_entries(run_id, interval, coverage))

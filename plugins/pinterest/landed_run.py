"""A run's records in the bucket: what is found there, and the documents that say so."""

from __future__ import annotations

import json
import logging
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from include import bucket_layout
from include.landing.bookmark import Bookmark
from include.landing.coverage import PartitionCoverage
from include.landing.dead_letters import DeadLetter, letters_to_load, next_letters
from include.landing.document import LandingError, dump
from include.landing.entries import landed_entries, topic_entry
from include.landing.interval import TopicPartition, moved
from include.landing.landed import Landed
from include.landing.manifest import IgnoredObject, Manifest, landed_manifest
from include.ledger.entry import Entry
from include.positions.kafka import Range, size, spell
from include.settings import Entity, Settings
from pinterest.dead_letter_topic import DeadLetterTopic
from pinterest.run_documents import RunDocuments
from pinterest.sink_bucket import SinkBucket

log = logging.getLogger(__name__)


@dataclass
class LandedRun:
    """Reads the sink's objects and the dead letters of a run's interval, and publishes them once they are complete."""

    settings: Settings
    documents: RunDocuments
    bookmark: Bookmark
    landed: Landed
    topic: DeadLetterTopic
    bucket: SinkBucket = field(init=False)

    def __post_init__(self) -> None:
        self.bucket = SinkBucket(self.documents.s3, self.documents.bucket)

    def read_objects(self) -> None:
        """Read the objects that are new in the bucket since the last call, or were written again."""
        for scanned in self.bucket.read_new(self.landed.interval, self.bookmark, self.landed.objects):
            if scanned.faults:
                log.warning("%s %s", scanned.key, " and ".join(scanned.faults))

    def read_letters(self) -> None:
        """Read the dead letters that are new since the last call. Starts a JVM on the client machine."""
        self.topic.read_new(self.landed.letters)

    def count_forgotten_as_empty(self, coverage: Sequence[PartitionCoverage]) -> None:
        """Put what nothing holds of the forgotten offsets among the empty ones, in the interval and the ledger.

        Raises LandingError if the run's interval has changed since the objects were read.
        """
        self._require_unmoved()
        empty = {(one.topic, one.partition): one.forgotten for one in coverage if one.forgotten}
        for (topic, partition), ranges in empty.items():
            log.warning(
                "%s partition %d: offsets %s are older than what the broker keeps, and no object or dead letter holds "
                "them. No bookmark says that they were records, so they count as empty",
                topic,
                partition,
                spell(ranges),
            )
        documents, self.landed.interval = self.documents, self.landed.interval.without(empty)
        documents.write(bucket_layout.interval(documents.dag_id, documents.run_id), dump(self.landed.interval))
        self._write_topic_entries(empty)

    def _write_topic_entries(self, empty: Mapping[TopicPartition, Sequence[Range]]) -> None:
        """Write the hop ``topic`` once more, without the offsets that count as empty now."""
        documents, progress = self.documents, self.documents.progress()
        entries = []
        for counted in documents.entries(("batch",)):
            if counted.hop == "topic":
                topic = self.landed.interval.topics[counted.entity]
                more = sum(size(ranges) for (name, _), ranges in empty.items() if name == topic.topic)
                how = f"{counted.counted_by}; {more} offsets that nothing holds anymore count as empty"
                by = how if more else counted.counted_by
                entries.append(topic_entry(documents.run_id, counted.entity, topic, progress, by))
        documents.write_entries("topic", entries)

    def write_entries(self, coverage: Sequence[PartitionCoverage]) -> list[Entry]:
        """Write the ledger's hop ``landed``, complete or not."""
        entries = landed_entries(self.documents.run_id, self.landed.interval, coverage)
        self.documents.write_entries("landed", entries)
        return entries

    def publish(self, coverage: Sequence[PartitionCoverage]) -> str:
        """Write the dead letters to load, the manifest and the hop ``landed``. Returns the manifest's key.

        What an earlier attempt counted of the lake is forgotten. Running it again writes the same. Raises LandingError
        if the run's interval has changed since the objects were read.
        """
        documents, interval = self.documents, self.landed.interval
        self._require_unmoved()
        letters = letters_to_load(interval, coverage, self.landed.letters.found.values())
        manifest = self._manifest(coverage, letters)
        lines = [json.dumps(letter.document(entity), ensure_ascii=False) for entity, letter in letters]
        documents.write(manifest.dead_letters.key, "".join(f"{line}\n" for line in lines), "application/x-ndjson")
        documents.forget_entries("bronze", "silver", "gold")
        key = bucket_layout.manifest(documents.dag_id, documents.run_id)
        documents.write(key, dump(manifest))
        for entry in self.write_entries(coverage):
            held = f"{entry.records_out} of {entry.records_in} offsets in objects, {entry.quarantined} dead letters"
            log.info("%s: %s", entry.entity, held)
            if entry.positions:
                log.warning("%s: in more than one line: %s", entry.entity, ", ".join(entry.positions))
        for one in manifest.ignored:
            log.warning("Not loaded: %s: %s", one.key, one.reason)
        log.info("%s: %d objects, %d dead letters", key, manifest.object_count, manifest.dead_letters.count)
        return key

    def _require_unmoved(self) -> None:
        problems = moved(self.landed.interval, self.documents.require_interval())
        if problems:
            raise LandingError(f"{'; '.join(problems)}: run landing.objects again")

    def _manifest(
        self, coverage: Sequence[PartitionCoverage], letters: Sequence[tuple[Entity, DeadLetter]]
    ) -> Manifest:
        documents, landed = self.documents, self.landed
        ignored = {**landed.ignored(coverage), **self.bucket.unknown_partitions(landed.interval)}
        read = landed.letters
        return landed_manifest(
            landed.interval,
            coverage,
            dag_id=documents.dag_id,
            run_id=documents.run_id,
            user_id=self.settings.user_id,
            bucket=documents.bucket,
            dead_letters_key=bucket_layout.dead_letters(documents.dag_id, documents.run_id),
            dead_letters_id=self.bookmark.topic_id(self.settings.dead_letter_topic),
            letters=[entity for entity, _ in letters],
            next_letters=next_letters(landed.interval, read.found.values(), read.next_offsets),
            lake=self.bookmark.lake,
            ignored=[IgnoredObject(key=name, reason=reason) for name, reason in sorted(ignored.items())],
        )

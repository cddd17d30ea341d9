"""Operators that count a run's records in the shards of Kinesis and in the batches that the lake has committed."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import Any

from airflow.providers.common.compat.sdk import BaseOperator, Context

from include.lake.contract import PROCESSING_TIME
from include.lake.stream_counts import StreamBatch, accounted_for, kinesis_entry, owners, spans, table_entry
from include.ledger.entry import Entry
from include.positions.kinesis import ShardRange, Span
from include.posting.progress import PostingProgress
from pinterest.hooks.kinesis_records import KinesisRecordsHook
from pinterest.other_runs import other_runs
from pinterest.run_documents import RunDocuments
from pinterest.settings import settings
from pinterest.stream_batches import stream_batches

READERS = 4


class ShardCountsOperator(BaseOperator):
    """Read every shard from the run's first record in it to the last, and write the ledger's hop ``kinesis``.

    Shards that were split or merged while the run posted are read like the others: a closed shard keeps its records.
    A rerun counts again and replaces the entries. Returns the number of records found, by entity.
    """

    def __init__(self, *, aws_conn_id: str | None = "aws_default", **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.aws_conn_id = aws_conn_id

    def execute(self, context: Context) -> dict[str, int | None]:
        current = settings()
        documents = RunDocuments.of(context, current.bucket, self.aws_conn_id)
        documents.forget_entries("kinesis", "table", route="stream")
        hook = KinesisRecordsHook(aws_conn_id=self.aws_conn_id, region_name=current.region)
        entries = []
        for entity, one in documents.progress("stream").entities.items():
            name = current.data_stream(entity)
            found = _read(hook, name, {posted.shard_id: ([posted.span],) for posted in one.shards})
            counted = {shard_id: groups[0] for shard_id, groups in found.items()}
            entries.append(kinesis_entry(documents.run_id, entity, one.shards, counted))
            for posted in one.shards:
                there = counted[posted.shard_id]
                number = there.count if there is not None else 0
                self.log.info("%s %s: %d of %d records", name, posted.position, number, posted.count)
        documents.write_entries("kinesis", entries, route="stream")
        return {entry.entity: entry.records_out for entry in entries}


class TableCountsOperator(BaseOperator):
    """Read what became of the run's records and of others that it committed, and write the ledger's hop ``table``.

    It takes the batches that hold the run's records, and those that the run committed: they hold what an earlier run
    that failed had left unread. Whose these records are is in the entry and the log, where a run's progress says so.

    A rerun reads the shards again and replaces the entry. What the lake holds is what the job has read of it before it
    ended: run the job again to have it read anew. Returns, by entity, how many records these batches hold, and how many
    of them were inserted, updated, superseded and quarantined.

    :param run: what :class:`~pinterest.operators.stream_job.StreamJobOperator` returned (templated)
    """

    template_fields: Sequence[str] = ("run",)

    def __init__(
        self,
        *,
        run: Any,
        aws_conn_id: str | None = "aws_default",
        **kwargs: Any,
    ) -> None:
        super().__init__(**kwargs)
        self.run = run
        self.aws_conn_id = aws_conn_id
        self._other_runs: Mapping[str, PostingProgress] | None = None

    def execute(self, context: Context) -> dict[str, dict[str, int]]:
        current = settings()
        documents = RunDocuments.of(context, current.bucket, self.aws_conn_id)
        documents.forget_entries("table", route="stream")
        posted = {entity: one.shards for entity, one in documents.progress("stream").entities.items()}
        handed_on = {entry.entity: entry.records_out for entry in _kinesis_entries(documents)}
        of_streams = {current.data_stream(entity): ranges for entity, ranges in posted.items()}
        batches = stream_batches(self.run, current).of_run(documents.run_id, of_streams)
        goes_on = self.run["trigger"] == PROCESSING_TIME
        hook = KinesisRecordsHook(aws_conn_id=self.aws_conn_id, region_name=current.region)
        entries, figures = [], {}
        for entity, ranges in posted.items():
            name = current.data_stream(entity)
            of_stream = [batch for batch in batches if batch.data_stream == name]
            own = accounted_for(documents.run_id, ranges, of_stream, job_goes_on=goes_on)
            runs = {one.shard_id: [one.span] for one in ranges}
            within = spans(ranges, own)
            found = _read(hook, name, {shard_id: (of, runs.get(shard_id, [])) for shard_id, of in within.items()})
            entry = table_entry(
                documents.run_id,
                entity,
                ranges,
                handed_on.get(entity),
                own,
                in_spans={shard_id: groups[0] for shard_id, groups in found.items()},
                in_run={shard_id: groups[1] for shard_id, groups in found.items()},
            )
            if entry.extra:
                others = {run: one.entities[entity].shards for run, one in self._others(documents).items()}
                entry = entry.model_copy(update={"extra_of": owners(entry.extra, within, ranges, others)})
                self.log.info("%s", entry.others)
            entries.append(entry)
            figures[entity] = _figures(own)
            self.log.info("%s: %d batches, %s", name, sum(batch.batches for batch in own), figures[entity])
        documents.write_entries("table", entries, route="stream")
        return {str(entity): figure for entity, figure in figures.items()}

    def _others(self, documents: RunDocuments) -> Mapping[str, PostingProgress]:
        if self._other_runs is None:
            self._other_runs = other_runs(documents, "stream")
        return self._other_runs


def _kinesis_entries(documents: RunDocuments) -> Iterable[Entry]:
    return (entry for entry in documents.entries(["stream"]) if entry.hop == "kinesis")


def _figures(batches: Iterable[StreamBatch]) -> dict[str, int]:
    names = ("records", "inserted", "updated", "superseded", "quarantined")
    chosen = list(batches)
    return {name: sum(getattr(batch, name) for batch in chosen) for name in names}


def _read(
    hook: KinesisRecordsHook, data_stream: str, wanted: Mapping[str, Sequence[Sequence[Span]]]
) -> dict[str, list[ShardRange | None]]:
    """By shard: what it holds of each group of spans. ``wanted`` are these groups, by shard."""
    _ = hook.conn
    with ThreadPoolExecutor(READERS) as readers:
        found = readers.map(lambda item: hook.count(data_stream, item[0], *item[1]), wanted.items())
        return dict(zip(wanted, found, strict=True))

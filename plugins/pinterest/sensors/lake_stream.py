"""Waits for a run's records to be committed in the lake's tables."""

from __future__ import annotations

import time
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from functools import cached_property
from typing import Any, NamedTuple

from airflow.providers.common.compat.sdk import AirflowFailException, BaseSensorOperator, Context

from include.lake.contract import AVAILABLE_NOW
from include.lake.job_runs import is_active
from include.lake.stream_counts import Committed
from include.positions.kinesis import ShardRange
from include.settings import ENTITIES, Entity, Settings
from pinterest.hooks.databricks_jobs import DatabricksJobsHook
from pinterest.hooks.kinesis_records import KinesisRecordsHook
from pinterest.run_documents import RunDocuments
from pinterest.settings import settings
from pinterest.stream_batches import StreamBatches, stream_batches


class _Late(NamedTuple):
    """A shard whose last record of the run is not committed, and the oldest of the records that wait for it."""

    entity: Entity
    data_stream: str
    shard_id: str
    read_to: int | None
    waits_from: int
    waits_since: datetime
    committed_at: datetime | None

    def __str__(self) -> str:
        read_to = "nothing" if self.read_to is None else str(self.read_to)
        committed = "none yet" if self.committed_at is None else self.committed_at.isoformat(timespec="seconds")
        waited = (datetime.now(UTC) - self.waits_since).total_seconds()
        return (
            f"{self.data_stream} {self.shard_id} is committed up to {read_to} (last commit {committed}), and "
            f"record {self.waits_from} waits since {self.waits_since.isoformat(timespec='seconds')}, {waited:.0f} s"
        )


class CommittedStreamSensor(BaseSensorOperator):
    """Wait until the job has committed the last record that the run put into every shard.

    Watches the table ``stream_batches`` rather than the job's state. With the trigger ``processing_time`` the task
    fails for good if the job has ended, or if an entity's records wait while none of it is committed for
    ``lake_stream.stalled_minutes``; the error names data stream, shard and last commit. A run whose cluster was lost is
    repaired, a few times at most. With ``available_now`` the job has ended before this task: it looks once and leaves
    it to the ledger to report missing records. It does not wait for records that expired before they were read. A rerun
    is safe.

    :param run: what :class:`~pinterest.operators.stream_job.StreamJobOperator` returned (templated)
    """

    template_fields: Sequence[str] = ("run",)

    def __init__(
        self,
        *,
        run: Any,
        poke_interval: float = 10,
        aws_conn_id: str | None = "aws_default",
        **kwargs: Any,
    ) -> None:
        super().__init__(poke_interval=poke_interval, mode="poke", **kwargs)
        self.run = run
        self.aws_conn_id = aws_conn_id
        self._moved_at: dict[Entity, float] = {}
        self._records: dict[Entity, int] = {}

    def poke(self, context: Context) -> bool:
        committed = self._lake.committed([*self._settings.data_streams.values()])
        posted = self._posted(context)
        self._watch(committed)
        late = [
            found
            for entity, ranges in posted.items()
            for one in ranges
            if (found := self._late(entity, one, committed))
        ]
        for entity in ENTITIES:
            self._say(entity, [one for one in late if one.entity == entity])
        if not late:
            return True
        if self.run["trigger"] == AVAILABLE_NOW:
            self.log.warning("The job has ended and left these records behind")
            return True
        self._fail_if_ended()
        self._fail_if_stalled(late)
        return False

    @cached_property
    def _settings(self) -> Settings:
        return settings()

    @cached_property
    def _jobs(self) -> DatabricksJobsHook:
        return DatabricksJobsHook(self.run["conn_id"])

    @cached_property
    def _lake(self) -> StreamBatches:
        return stream_batches(self.run, self._settings)

    @cached_property
    def _kinesis(self) -> KinesisRecordsHook:
        return KinesisRecordsHook(aws_conn_id=self.aws_conn_id, region_name=self._settings.region)

    def _posted(self, context: Context) -> dict[Entity, list[ShardRange]]:
        documents = RunDocuments.of(context, self._settings.bucket, self.aws_conn_id)
        return {entity: one.shards for entity, one in documents.progress("stream").entities.items()}

    def _watch(self, committed: Mapping[tuple[str, str], Committed]) -> None:
        """Remember when each entity was last seen to progress. The first look counts as progress."""
        for entity in ENTITIES:
            data_stream = self._settings.data_stream(entity)
            shards = [one for (of, _), one in committed.items() if of == data_stream]
            records = sum(one.records for one in shards)
            before = self._records.get(entity)
            if before != records:
                self._moved_at[entity] = time.monotonic()
                self._records[entity] = records
            if before is not None and records > before:
                last = max(one.at for one in shards).isoformat(timespec="seconds")
                self.log.info("%s: %d more records in, last commit %s", entity, records - before, last)

    def _say(self, entity: Entity, late: Sequence[_Late]) -> None:
        if late:
            self.log.info("%s: %d shards are late: %s", entity, len(late), min(late, key=lambda one: one.waits_since))

    def _late(self, entity: Entity, posted: ShardRange, committed: Mapping[tuple[str, str], Committed]) -> _Late | None:
        data_stream = self._settings.data_stream(entity)
        reached = committed.get((data_stream, posted.shard_id))
        if reached is not None and reached.last >= posted.last:
            return None
        read_before = reached is not None and reached.last >= posted.first
        start = reached.last if reached is not None and read_before else posted.first
        waiting = self._kinesis.waiting(data_stream, posted.shard_id, start, posted.last, read_before=read_before)
        if waiting is None:
            self.log.warning("%s: %s %s: not committed, and no longer in Kinesis", entity, data_stream, posted.position)
            return None
        return _Late(
            entity,
            data_stream,
            posted.shard_id,
            None if reached is None else reached.last,
            waiting.sequence_number,
            waiting.arrived_at,
            None if reached is None else reached.at,
        )

    def _fail_if_ended(self) -> None:
        run_id = self.run["run_id"]
        run = self._jobs.get_run(run_id)
        if self._jobs.repair_if_lost(run):
            self._moved_at = dict.fromkeys(ENTITIES, time.monotonic())
        elif not is_active(run):
            raise AirflowFailException(
                f"The job's run {run_id} ({run['run_page_url']}) should go on and has ended "
                f"{self._jobs.failure_of(run_id)}"
            )

    def _fail_if_stalled(self, late: Sequence[_Late]) -> None:
        minutes = self._settings.lake_stream.stalled_minutes
        stalled = [one for one in late if time.monotonic() - self._moved_at[one.entity] > minutes * 60]
        if stalled:
            told = "\n".join(f"  {one.entity}: {one}" for one in stalled)
            raise AirflowFailException(
                f"The job runs and has committed nothing for {minutes:g} minutes, while records wait:\n{told}\n"
                f"Look at the log of its run {self.run['run_id']}"
            )

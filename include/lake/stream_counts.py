"""What Kinesis holds of a run and what the lake has committed of it, as the ledger's hops ``kinesis`` and ``table``.

Pure: who calls has read the shards and the table ``stream_batches``. A range of sequence numbers says nothing about
how many records it has, so ranges are compared by what was counted in them.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping, Sequence
from datetime import UTC, datetime
from typing import Annotated, Any, NamedTuple, Self

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field

from include.lake.batch_counts import LakeCountError
from include.lake.contract import SEQUENCE_NUMBER_DIGITS, STREAM, STREAM_BATCHES
from include.ledger.entry import Entry
from include.positions.kafka import merge
from include.positions.kinesis import SequenceNumber, ShardRange, Span, spell
from include.settings import Entity

type Counted = Mapping[str, ShardRange | None]
"""What a shard holds of some ranges, by shard."""

Count = Annotated[int, Field(ge=0)]


class Committed(NamedTuple):
    """How far the lake has read a shard: the last committed sequence number, the records so far, the last commit."""

    last: int
    records: int
    at: datetime


class BatchOfShard(BaseModel):
    """Records of one shard in one batch."""

    model_config = ConfigDict(frozen=True)

    shard_id: str
    first: SequenceNumber
    last: SequenceNumber
    records: Count


def _of_text(value: Any) -> Any:
    return json.loads(value) if isinstance(value, str) else value


class StreamBatch(BaseModel):
    """One row of ``stream_batches``: what became of a batch's records. The table calls the data stream its source.

    It may stand for several ``batches``: consecutive ones of one query, beginning with ``batch_id``.
    """

    model_config = ConfigDict(frozen=True)

    data_stream: Annotated[str, Field(alias="source")]
    query_id: str
    batch_id: int
    records: Count
    inserted: Count
    updated: Count
    superseded: Count
    quarantined: Count
    shards: Annotated[tuple[BatchOfShard, ...], BeforeValidator(_of_text)]
    run_id: str | None
    batches: Annotated[int, Field(ge=1)] = 1

    def holds_any(self, ranges: Iterable[ShardRange]) -> bool:
        """Whether it may hold a record of these ranges of its data stream."""
        held = {shard.shard_id: shard for shard in self.shards}
        return any(
            (shard := held.get(one.shard_id)) is not None and shard.first <= one.last and one.first <= shard.last
            for one in ranges
        )

    @classmethod
    def of_row(cls, row: Sequence[str | None]) -> Self:
        """A row of ``batches_query``, as a SQL warehouse prints it."""
        return cls.model_validate(dict(zip(cls.columns(), row, strict=True)))

    @classmethod
    def columns(cls) -> list[str]:
        """The table's columns that are read, in the order of the fields."""
        return [field.alias or name for name, field in cls.model_fields.items() if field.is_required()]


def batches_told(exit_json: Mapping[str, Any]) -> list[StreamBatch]:
    """The batches of a run, as the stream notebook has read them. Raises LakeCountError if it did not."""
    return [StreamBatch.model_validate(batch) for batch in _told(exit_json, "batches")]


def committed_told(exit_json: Mapping[str, Any]) -> dict[tuple[str, str], Committed]:
    """How far the shards of a run are committed, by data stream and shard, as the stream notebook has read it.

    Raises LakeCountError if it did not.
    """
    return {
        (one["source"], one["shard_id"]): Committed(
            int(one["last"]), one["records"], datetime.fromtimestamp(one["at"] / 1000, UTC)
        )
        for one in _told(exit_json, "committed")
    }


def _told(exit_json: Mapping[str, Any], what: str) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] | None = exit_json.get(what)
    if found is None:
        raise LakeCountError(
            f"Notebook {STREAM} did not say what {STREAM_BATCHES} holds of this run: clear the task "
            "lake_stream.upload, which has the newest code run"
        )
    return found


def batches_query(table: str, ranges: Mapping[str, Sequence[ShardRange]], run_id: str) -> str:
    """SELECT the batches, by data stream, that hold any record of these ranges or were committed by the run.

    Orders numbers, which are text.
    """
    committed = f"run_id = {_literal(run_id)}"
    wanted = [
        f"(source = '{data_stream}' AND ({' OR '.join([committed, *map(_overlap, of_stream)])}))"
        for data_stream, of_stream in ranges.items()
    ]
    columns = ", ".join("to_json(shards)" if name == "shards" else name for name in StreamBatch.columns())
    return f"SELECT {columns} FROM {table} WHERE {' OR '.join(wanted) or 'false'} ORDER BY source, batch_id"  # noqa: S608


def _overlap(one: ShardRange) -> str:
    return (
        f"exists(shards, s -> s.shard_id = '{one.shard_id}' "
        f"AND lpad(s.last, {SEQUENCE_NUMBER_DIGITS}, '0') >= '{one.first:0{SEQUENCE_NUMBER_DIGITS}d}' "
        f"AND lpad(s.first, {SEQUENCE_NUMBER_DIGITS}, '0') <= '{one.last:0{SEQUENCE_NUMBER_DIGITS}d}')"
    )


def _literal(text: str) -> str:
    escaped = text.replace("\\", "\\\\").replace("'", "\\'")
    return f"'{escaped}'"


def accounted_for(
    run_id: str, posted: Sequence[ShardRange], batches: Sequence[StreamBatch], *, job_goes_on: bool
) -> list[StreamBatch]:
    """The batches of one data stream that a run's ledger covers: those with its records, and those it committed.

    What an earlier run left unread is in batches that hold no record of this run. A job that goes on commits for
    later runs, too, under the id of the run that started it: of such a job, only batches up to the run's last count.
    """
    holding = [batch for batch in batches if batch.holds_any(posted)]
    places = {(batch.query_id, batch.batch_id) for batch in holding}
    last: dict[str, int] = {}
    for batch in holding:
        last[batch.query_id] = max(batch.batch_id, last.get(batch.query_id, -1))
    return [
        batch
        for batch in batches
        if (batch.query_id, batch.batch_id) in places
        or (batch.run_id == run_id and not (job_goes_on and batch.batch_id > last.get(batch.query_id, -1)))
    ]


def owners(
    extra: int,
    within: Mapping[str, Sequence[Span]],
    own: Sequence[ShardRange],
    others: Mapping[str, Sequence[ShardRange]],
) -> tuple[str, ...]:
    """Whose the extra records of some spans are, as far as others' ranges say.

    :param within: what was counted, by shard
    :param own: the run's ranges, whose records are not extra
    :param others: what other runs have posted, by their names
    """
    told, known, exact = [], 0, True
    for name, ranges in others.items():
        here = [one for one in ranges if any(_meet(one.span, span) for span in within.get(one.shard_id, []))]
        if not here:
            continue
        whole = all(_lies_apart(one, within[one.shard_id], own) for one in here)
        count = sum(one.count for one in here)
        if whole and known + count <= extra:
            told.append(f"{count:,} of {name}")
            known += count
        else:
            told.append(f"some of {name}")
            exact = False
    if told and exact and known < extra:
        told.append(f"{extra - known:,} of other producers")
    return tuple(told)


def _lies_apart(one: ShardRange, within: Iterable[Span], own: Iterable[ShardRange]) -> bool:
    """Whether all of the range's records are extra: it is inside one span, and beside the run's own range."""
    inside = any(first <= one.first and one.last <= last for first, last in within)
    return inside and not any(mine.shard_id == one.shard_id and _meet(mine.span, one.span) for mine in own)


def _meet(one: Span, other: Span) -> bool:
    return one[0] <= other[1] and other[0] <= one[1]


def kinesis_entry(run_id: str, entity: Entity, posted: Sequence[ShardRange], found: Counted) -> Entry:
    """``found`` is what every shard holds between the run's first and last record in it.

    More than was acknowledged are others' records, or repeats after a lost answer. As many, but with another sum of
    sequence numbers, are not the same records: one at least is lost, and one is another's.
    """
    extra = 0
    missing: list[str] = []
    for one in posted:
        there = found.get(one.shard_id)
        count = there.count if there is not None else 0
        other_records = there is not None and count == one.count and there.sum != one.sum
        extra += max(0, count - one.count) + other_records
        if count < one.count or other_records:
            missing.append(_missing(one, there))
    return Entry(
        route="stream",
        hop="kinesis",
        entity=entity,
        run_id=run_id,
        records_in=sum(one.count for one in posted),
        extra=extra,
        records_out=sum(there.count for one in posted if (there := found.get(one.shard_id)) is not None),
        first=spell(posted[0].shard_id, posted[0].first) if posted else None,
        last=spell(posted[-1].shard_id, posted[-1].last) if posted else None,
        positions=tuple(missing),
        counted_by="records read from every shard, from the first to the last that was acknowledged",
    )


def spans(posted: Iterable[ShardRange], batches: Iterable[StreamBatch]) -> dict[str, list[Span]]:
    """The run's ranges and all that the batches hold, by shard, in order and without overlaps."""
    by_shard: dict[str, list[Span]] = {}
    for posted_range in posted:
        by_shard.setdefault(posted_range.shard_id, []).append((posted_range.first, posted_range.last + 1))
    for batch in batches:
        for shard in batch.shards:
            by_shard.setdefault(shard.shard_id, []).append((shard.first, shard.last + 1))
    return {shard_id: [(first, stop - 1) for first, stop in merge(found)] for shard_id, found in by_shard.items()}


def table_entry(
    run_id: str,
    entity: Entity,
    posted: Sequence[ShardRange],
    handed_on: int | None,
    batches: Sequence[StreamBatch],
    *,
    in_spans: Counted,
    in_run: Counted,
) -> Entry:
    """Batches hold a run's records among others, and what became of a record is only told of a whole batch.

    So the hop takes whole batches, and has as ``extra`` what Kinesis holds of them beyond the run's own ranges: records
    of other producers, and what an earlier run left for this one to commit. That cannot be counted any more once
    records that a batch holds have expired.

    :param handed_on: records of the run's ranges that the hop before has found
    :param batches: those that the run accounts for
    :param in_spans: what Kinesis holds of the ``spans``
    :param in_run: what it holds of the run's ranges
    """
    extra: int | None = sum(map(_count, in_spans.values())) - sum(map(_count, in_run.values()))
    expired = _expired(batches, in_spans)
    if expired:
        extra = None
    return Entry(
        route="stream",
        hop="table",
        entity=entity,
        run_id=run_id,
        records_in=handed_on,
        extra=extra,
        records_out=sum(batch.inserted + batch.updated for batch in batches),
        duplicates=sum(batch.superseded for batch in batches),
        quarantined=sum(batch.quarantined for batch in batches),
        first=spell(posted[0].shard_id, posted[0].first) if posted else None,
        last=spell(posted[-1].shard_id, posted[-1].last) if posted else None,
        positions=tuple(_uncovered(posted, batches)),
        counted_by=f"{sum(batch.batches for batch in batches)} batches in {STREAM_BATCHES}, "
        "and records read from the shards that they cover"
        + (f", where records of {', '.join(expired)} have expired since" if expired else ""),
    )


def _count(found: ShardRange | None) -> int:
    return 0 if found is None else found.count


def _missing(posted: ShardRange, found: ShardRange | None) -> str:
    """Where a shard's records are missing: at its beginning, as expired ones are, at its end, or somewhere."""
    if found is None:
        return posted.position
    if found.last == posted.last and found.first > posted.first:
        return spell(posted.shard_id, posted.first, found.first - 1)
    if found.first == posted.first and found.last < posted.last:
        return spell(posted.shard_id, found.last + 1, posted.last)
    return posted.position


def _hulls(batches: Iterable[StreamBatch]) -> dict[str, Span]:
    """By shard, the first and last record that any of the batches holds."""
    hulls: dict[str, Span] = {}
    for one in (shard for batch in batches for shard in batch.shards):
        first, last = hulls.get(one.shard_id, (one.first, one.last))
        hulls[one.shard_id] = min(first, one.first), max(last, one.last)
    return hulls


def _expired(batches: Iterable[StreamBatch], in_spans: Counted) -> list[str]:
    """Shards that do not have the oldest record any more that a batch holds."""
    return [
        shard_id
        for shard_id, (first, _) in _hulls(batches).items()
        if (found := in_spans.get(shard_id)) is None or found.first > first
    ]


def _uncovered(posted: Iterable[ShardRange], batches: Sequence[StreamBatch]) -> list[str]:
    """Parts of the run's ranges that lie before the first batch or after the last one."""
    hulls = _hulls(batches)
    left = []
    for one in posted:
        if one.shard_id not in hulls:
            left.append(one.position)
            continue
        first, last = hulls[one.shard_id]
        if one.first < first:
            left.append(spell(one.shard_id, one.first, first - 1))
        if one.last > last:
            left.append(spell(one.shard_id, last + 1, one.last))
    return left

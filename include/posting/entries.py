"""A run's posting as ledger entries: the hops ``source`` and ``api``."""

from __future__ import annotations

from collections import Counter

from include.ledger.entry import Entry, Hop, Route
from include.positions.kinesis import spell
from include.posting.progress import NO_SOURCE_ROW, EntityProgress, PostingProgress
from include.settings import Entity

REASON_CHARACTERS = 300

COUNTED_BY: dict[Route, str] = {
    "batch": "offsets in the REST proxy's answers, one for every acknowledged record",
    "stream": "sequence numbers in Kinesis' answers, one for every acknowledged record",
}


def posting_entries(progress: PostingProgress) -> dict[Hop, list[Entry]]:
    """Both hops of every entity. A drawn row that the source does not have counts as refused by the source."""
    return {
        "source": [_source(progress, entity, one) for entity, one in progress.entities.items()],
        "api": [_api(progress, entity, one) for entity, one in progress.entities.items()],
    }


def _source(progress: PostingProgress, entity: Entity, one: EntityProgress) -> Entry:
    return Entry(
        route=progress.route,
        hop="source",
        entity=entity,
        run_id=progress.run_id,
        records_in=one.drawn,
        records_out=one.read,
        refused=one.missing,
        reason=_reason(one, missing=True),
        first=f"draw {progress.first_draw}" if one.drawn else None,
        last=f"draw {progress.first_draw + one.drawn - 1}" if one.drawn else None,
        counted_by=f"draws of seed {progress.seed}, and the rows that the source's queries returned for them",
    )


def _api(progress: PostingProgress, entity: Entity, one: EntityProgress) -> Entry:
    return Entry(
        route=progress.route,
        hop="api",
        entity=entity,
        run_id=progress.run_id,
        records_in=one.read,
        records_out=one.acknowledged,
        refused=one.refused,
        reason=_reason(one, missing=False),
        first=_first(one),
        last=_last(one),
        counted_by=COUNTED_BY[progress.route],
    )


def _reason(one: EntityProgress, *, missing: bool) -> str | None:
    """The most frequent code of the refusals that are shown, and the first message with it."""
    shown = [refusal for refusal in one.refusals if (refusal.code == NO_SOURCE_ROW) == missing]
    if not shown:
        return None
    code = Counter(refusal.code for refusal in shown).most_common(1)[0][0]
    message = next(refusal.message for refusal in shown if refusal.code == code)
    return f"{code}: {message[:REASON_CHARACTERS]}"


def _first(one: EntityProgress) -> str | None:
    if one.shards:
        return spell(one.shards[0].shard_id, one.shards[0].first)
    return f"p{one.ranges[0].partition}@{one.ranges[0].first}" if one.ranges else None


def _last(one: EntityProgress) -> str | None:
    if one.shards:
        return spell(one.shards[-1].shard_id, one.shards[-1].last)
    return f"p{one.ranges[-1].partition}@{one.ranges[-1].last}" if one.ranges else None

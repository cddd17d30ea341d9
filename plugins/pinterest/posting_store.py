"""What posting keeps in the bucket, in addition to the run's other documents."""

from __future__ import annotations

import json
from collections.abc import Sequence
from datetime import UTC, datetime
from typing import Any, NamedTuple

from airflow.providers.common.compat.sdk import AirflowFailException

from include import bucket_layout
from include.ledger.entry import Route
from include.posting.emulation import Mark, mark_at
from include.posting.entries import posting_entries
from include.posting.order import PostingOrder
from include.posting.progress import PostingProgress, RefusedRow
from pinterest.run_documents import RunDocuments


class SeedPosition(NamedTuple):
    """The next draw of a seed, and the mark from which its generator goes on."""

    next_draw: int = 0
    mark: Mark | None = None


class PostingStore:
    """One route of a run: its progress, refused rows and ledger entries, and the position of its seed.

    :param route: ``batch`` for posts to Kafka, ``stream`` for posts to Kinesis
    """

    def __init__(self, documents: RunDocuments, route: Route = "batch") -> None:
        self._documents = documents
        self._route: Route = route
        self._kept: dict[int, SeedPosition] = {}

    def begin(self, order: PostingOrder) -> PostingProgress:
        """The run's progress so far, or a new run's progress, which starts at the draw that its order names."""
        found = self._documents.find_progress(self._route)
        if found is not None:
            found.check_order(seed=order.seed, posts=order.posts)
            return found
        first_draw = self.next_draw(order.seed) if order.first_draw is None else order.first_draw
        progress = PostingProgress(
            route=self._route,
            dag_id=self._documents.dag_id,
            run_id=self._documents.run_id,
            seed=order.seed,
            first_draw=first_draw,
            posts=order.posts,
        )
        self.save(progress, [])
        return progress

    def next_draw(self, seed: int) -> int:
        """The draw after the last one that any run of this seed has posted on this route."""
        return self._position(seed).next_draw

    def mark(self, seed: int) -> Mark | None:
        """The latest mark of the seed's generator."""
        return self._position(seed).mark

    def _position(self, seed: int) -> SeedPosition:
        key = bucket_layout.seed_position(seed, self._route)
        found = self._documents.read(key)
        if found is None:
            return SeedPosition()
        try:
            position = json.loads(found)
            return SeedPosition(int(position["next_draw"]), _mark(position))
        except (ValueError, KeyError, TypeError) as error:
            raise AirflowFailException(
                f"s3://{self._documents.bucket}/{key} does not say where seed {seed} continues: "
                f"{found.decode(errors='replace')[:200]!r}. "
                "Correct its next_draw, or start at a number"
            ) from error

    def save(self, progress: PostingProgress, refused: Sequence[RefusedRow]) -> None:
        """Store the refused rows and then the progress, so that no count is ever ahead of what it counts.

        A seed's position never moves back: after a replay, ``continue`` still means posts that were never made.
        """
        if refused:
            self._add_refused(progress, refused)
        self._documents.write(
            bucket_layout.posting_progress(progress.dag_id, progress.run_id, self._route),
            progress.model_dump_json(indent=2),
        )
        if progress.seed not in self._kept:
            self._kept[progress.seed] = self._position(progress.seed)
        kept = self._kept[progress.seed]
        if progress.next_draw > kept.next_draw:
            mark = mark_at(progress.seed, progress.next_draw, kept.mark)
            position = {
                "seed": progress.seed,
                "next_draw": progress.next_draw,
                "dag_id": progress.dag_id,
                "run_id": progress.run_id,
                "updated_at": datetime.now(UTC).isoformat(timespec="seconds"),
                "generator": mark._asdict(),
            }
            self._documents.write(bucket_layout.seed_position(progress.seed, self._route), json.dumps(position))
            self._kept[progress.seed] = SeedPosition(progress.next_draw, mark)

    def write_ledger(self, progress: PostingProgress) -> None:
        for hop, entries in posting_entries(progress).items():
            self._documents.write_entries(hop, entries, self._route)

    def _add_refused(self, progress: PostingProgress, refused: Sequence[RefusedRow]) -> None:
        key = bucket_layout.refused_rows(progress.dag_id, progress.run_id, self._route)
        kept = (self._documents.read(key) or b"").decode().splitlines()
        known = {(line.get("entity") or line["stream"], line["draw"]) for line in map(json.loads, kept)}
        added = [
            json.dumps(
                {
                    "entity": row.entity,
                    "draw": row.draw,
                    "ind": row.ind,
                    "code": row.code,
                    "message": row.message,
                    "value": row.value,
                }
            )
            for row in refused
            if (row.entity, row.draw) not in known
        ]
        self._documents.write(key, "".join(f"{line}\n" for line in (*kept, *added)))


def _mark(position: Any) -> Mark | None:
    """The mark in a seed's position. Without a readable one, the generator starts at its beginning."""
    try:
        mark = Mark(**position["generator"])
        mark.generator()
    except (KeyError, TypeError, ValueError):
        return None
    return mark

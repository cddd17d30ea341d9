"""What posting keeps in the bucket, in addition to the run's other documents."""

from __future__ import annotations

import json
from collections.abc import Sequence
from datetime import UTC, datetime

from airflow.providers.common.compat.sdk import AirflowFailException

from include import bucket_layout
from include.ledger.entry import Route
from include.posting.entries import posting_entries
from include.posting.order import PostingOrder
from include.posting.progress import PostingProgress, RefusedRow
from pinterest.run_documents import RunDocuments


class PostingStore:
    """One route of a run: its progress, refused rows and ledger entries, and the position of its seed.

    :param route: ``batch`` for posts to Kafka, ``stream`` for posts to Kinesis
    """

    def __init__(self, documents: RunDocuments, route: Route = "batch") -> None:
        self._documents = documents
        self._route: Route = route
        self._kept_position: dict[int, int] = {}

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
        key = bucket_layout.seed_position(seed, self._route)
        found = self._documents.read(key)
        if found is None:
            return 0
        try:
            return int(json.loads(found)["next_draw"])
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
        if progress.seed not in self._kept_position:
            self._kept_position[progress.seed] = self.next_draw(progress.seed)
        if progress.next_draw > self._kept_position[progress.seed]:
            position = {
                "seed": progress.seed,
                "next_draw": progress.next_draw,
                "dag_id": progress.dag_id,
                "run_id": progress.run_id,
                "updated_at": datetime.now(UTC).isoformat(timespec="seconds"),
            }
            self._documents.write(bucket_layout.seed_position(progress.seed, self._route), json.dumps(position))
            self._kept_position[progress.seed] = progress.next_draw

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

"""What posting keeps in the bucket."""

from __future__ import annotations

import json
from collections.abc import Sequence
from datetime import UTC, datetime

from airflow.providers.amazon.aws.hooks.s3 import S3Hook
from airflow.providers.common.compat.sdk import AirflowException

from include import bucket_layout
from include.ledger.entry import Route, entries_json
from include.posting.entries import posting_entries
from include.posting.order import PostingOrder
from include.posting.progress import PostingProgress, RefusedRow


class PostingStore:
    """A run's progress, refused rows and ledger entries, and the position of its seed, of one of the two sinks.

    :param route: ``batch`` for posts to Kafka, ``entity`` for posts to Kinesis
    """

    def __init__(self, s3: S3Hook, bucket: str, route: Route = "batch") -> None:
        self._client = s3.get_conn()
        self._bucket = bucket
        self._path = route
        self._kept_position: dict[int, int] = {}

    def begin(self, order: PostingOrder, *, dag_id: str, run_id: str) -> PostingProgress:
        """The run's progress so far, or that of a new run at the draw its order names."""
        key = bucket_layout.posting_progress(dag_id, run_id, self._path)
        found = self._read(key)
        if found is not None:
            progress = PostingProgress.parse(found, source=f"s3://{self._bucket}/{key}")
            progress.check_order(seed=order.seed, posts=order.posts)
            return progress
        first_draw = self.next_draw(order.seed) if order.first_draw is None else order.first_draw
        progress = PostingProgress(
            route=self._path, dag_id=dag_id, run_id=run_id, seed=order.seed, first_draw=first_draw, posts=order.posts
        )
        self.save(progress, [])
        return progress

    def next_draw(self, seed: int) -> int:
        """The draw after the last one that any run of this seed has posted to this sink."""
        key = bucket_layout.seed_position(seed, self._path)
        found = self._read(key)
        if found is None:
            return 0
        try:
            return int(json.loads(found)["next_draw"])
        except (ValueError, KeyError, TypeError) as error:
            raise AirflowException(
                f"s3://{self._bucket}/{key} does not say where seed {seed} goes on: {found[:200]!r}. "
                "Correct its next_draw, or start at a number"
            ) from error

    def save(self, progress: PostingProgress, refused: Sequence[RefusedRow]) -> None:
        """Keep the progress; refused rows first, so that no count is ever ahead of what it counts.

        A seed's position never goes back: after a replay, ``continue`` still means posts that were never made.
        """
        if refused:
            self._add_refused(progress, refused)
        self._write(
            bucket_layout.posting_progress(progress.dag_id, progress.run_id, self._path),
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
            self._write(bucket_layout.seed_position(progress.seed, self._path), json.dumps(position))
            self._kept_position[progress.seed] = progress.next_draw

    def write_ledger(self, progress: PostingProgress) -> None:
        for hop, entries in posting_entries(progress).items():
            self._write(bucket_layout.ledger(progress.dag_id, progress.run_id, hop, self._path), entries_json(entries))

    def _add_refused(self, progress: PostingProgress, refused: Sequence[RefusedRow]) -> None:
        key = bucket_layout.refused_rows(progress.dag_id, progress.run_id, self._path)
        kept = (self._read(key) or "").splitlines()
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
        self._write(key, "".join(f"{line}\n" for line in (*kept, *added)))

    def _read(self, key: str) -> str | None:
        try:
            return str(self._client.get_object(Bucket=self._bucket, Key=key)["Body"].read().decode())
        except self._client.exceptions.NoSuchKey:
            return None

    def _write(self, key: str, text: str) -> None:
        self._client.put_object(Bucket=self._bucket, Key=key, Body=text.encode())

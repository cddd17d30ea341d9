"""Posts a run's rows: the three entities side by side, reading the next batch while one is being sent.

Posting works the same for both sinks, Kafka and Kinesis; only the sender differs.
"""

from __future__ import annotations

import gc
import threading
from bisect import bisect_left
from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import Future, ThreadPoolExecutor, wait
from itertools import batched
from queue import Queue
from typing import NamedTuple, Protocol

from include.faults import LastingError
from include.posting.emulation import Mark, draws
from include.posting.progress import NO_SOURCE_ROW, PostingProgress, RefusedRow, Settled
from include.posting.sender import PostingStoppedError, SourceRow
from include.posting.source_tables import SOURCE_TABLES, SourceTables
from include.settings import ENTITIES, Entity

READ_AHEAD = 2

Save = Callable[[PostingProgress, Sequence[RefusedRow]], None]


class Sender(Protocol):
    """What posting needs from a sink: :class:`~include.posting.kafka_sender.KafkaSender` or
    :class:`~include.posting.kinesis_sender.KinesisSender`. It adds each row's outcome to ``settled`` once it is known.
    """

    def send(self, rows: Sequence[SourceRow], settled: Settled) -> None: ...


class Piece(NamedTuple):
    """What one request carries: the draws that are due, the rows found for them, and the rows that are missing."""

    draws: list[int]
    rows: list[SourceRow]
    missing: list[RefusedRow]


class Posting:
    """Posts what is left of a run and keeps its progress.

    Each entity has as many requests in flight as it has senders, each in its own thread; one more thread reads the
    source. Requests of one entity may overtake each other. No reader can tell, because within a run all records of one
    key are equal. However the run ends, ``save`` is called one last time with what was posted.

    :param progress: where the run stands; updated as records are settled
    :param paced: before each post, wait as long as the seeds do, and send each post by itself
    :param stop: set it to end the run early; the senders must share it
    :param mark: of the seed's generator, so that earlier draws need not be made again
    """

    def __init__(
        self,
        progress: PostingProgress,
        *,
        source: SourceTables,
        senders: Mapping[Entity, Sequence[Sender]],
        batch_size: int,
        paced: bool,
        stop: threading.Event,
        mark: Mark | None = None,
    ) -> None:
        self._progress = progress
        self._source = source
        self._senders = senders
        self._batch_size = batch_size
        self._paced = paced
        self._stop = stop
        self._mark = mark
        self._lock = threading.Lock()
        self._refused: list[RefusedRow] = []
        self._queues: dict[Entity, Queue[list[SourceRow] | None]] = {entity: Queue(READ_AHEAD) for entity in ENTITIES}

    def run(self, save: Save, *, save_every: float = 2.0) -> None:
        """Post everything that is due. Raises the first failure, or rather the first that lasts; PostingStoppedError if
        stopped early.

        ``save`` is called from this thread, every ``save_every`` seconds and once at the end, with the progress and
        the rows refused since the last call.
        """
        work: list[Future[None]] = []
        gc.freeze()  # otherwise, collecting all of Airflow's objects over and over takes a tenth of the time
        try:
            threads = 1 + sum(map(len, self._senders.values()))
            with ThreadPoolExecutor(max_workers=threads, thread_name_prefix="posting") as pool:
                work.append(pool.submit(self._read))
                work += [
                    pool.submit(self._send, entity, sender)
                    for entity, senders in self._senders.items()
                    for sender in senders
                ]
                try:
                    while wait(work, timeout=save_every).not_done:
                        self.save(save)
                finally:
                    self._stop.set()
        finally:
            gc.unfreeze()
            self.save(save)
        failures = [failure for future in work if (failure := future.exception()) is not None]
        if failures:
            raise next((failure for failure in failures if isinstance(failure, LastingError)), failures[0])
        if not self._progress.complete:
            raise PostingStoppedError(f"stopped after {self._progress.drawn} of {self._progress.posts} posts")

    def save(self, save: Save) -> None:
        """Save the current progress. If that fails, the next call passes the same refused rows again."""
        with self._lock:
            progress = self._progress.model_copy(deep=True)
            refused, self._refused = self._refused, []
        try:
            save(progress, refused)
        except BaseException:
            with self._lock:
                self._refused = refused + self._refused
            raise

    def _read(self) -> None:
        try:
            for pieces in self._pieces():
                for entity, piece in pieces.items():
                    with self._lock:
                        self._progress.hand_out(entity, piece.draws, piece.missing)
                        self._refused += piece.missing
                    self._queues[entity].put(piece.rows)
                if self._stop.is_set():
                    return
        except BaseException:
            self._stop.set()
            raise
        finally:
            for entity, senders in self._senders.items():
                for _ in senders:
                    self._queues[entity].put(None)

    def _pieces(self) -> Iterator[dict[Entity, Piece]]:
        """What is due, read in batches. A piece is one batch or, if paced, one post."""
        first = self._progress.next_draw - self._progress.first_draw
        progress = self._progress
        left = draws(progress.seed, first=progress.next_draw, count=progress.posts - first, mark=self._mark)
        for batch in batched(left, self._batch_size):
            posts = range(first, first + len(batch))
            inds = [draw.ind for draw in batch]
            due = {entity: self._due(entity, posts) for entity in ENTITIES}
            read = {
                entity: self._source.read(entity, [inds[post - first] for post in due[entity]]) for entity in ENTITIES
            }
            for some in [range(post, post + 1) for post in posts] if self._paced else [posts]:
                wanted = {entity: _within(due[entity], some) for entity in ENTITIES}
                if self._paced and any(wanted.values()):
                    self._stop.wait(batch[some.start - first].pause)
                yield {
                    entity: _piece(
                        entity, wanted[entity], [inds[post - first] for post in wanted[entity]], read[entity]
                    )
                    for entity in ENTITIES
                    if wanted[entity]
                }
            first = posts.stop

    def _due(self, entity: Entity, posts: range) -> list[int]:
        with self._lock:
            return self._progress.entities[entity].due(posts.start, posts.stop)

    def _send(self, entity: Entity, sender: Sender) -> None:
        """Send until the queue ends. After any failure, here or elsewhere, only drain the queue for the reader."""
        failure: BaseException | None = None
        while (rows := self._queues[entity].get()) is not None:
            if self._stop.is_set() or not rows:
                continue
            settled = Settled()
            try:
                sender.send(rows, settled)
            except PostingStoppedError:
                pass
            except BaseException as error:
                failure = error
                self._stop.set()
            with self._lock:
                self._progress.settle(entity, settled)
                self._refused += settled.refused.values()
        if failure is not None:
            raise failure


def _within(draws: list[int], posts: range) -> list[int]:
    """The draws, which are sorted, that belong to these posts."""
    return draws[bisect_left(draws, posts.start) : bisect_left(draws, posts.stop)]


def _piece(entity: Entity, draws: list[int], inds: list[int], read: Mapping[int, bytes]) -> Piece:
    rows = [SourceRow(draw, ind, read[ind]) for draw, ind in zip(draws, inds, strict=True) if ind in read]
    table = SOURCE_TABLES[entity]
    missing = [
        RefusedRow(entity, draw, ind, NO_SOURCE_ROW, f"{table.name} has no row {table.key}={ind}", None)
        for draw, ind in zip(draws, inds, strict=True)
        if ind not in read
    ]
    return Piece(draws, rows, missing)

"""Rows of drawn posts to the REST API: the three streams side by side, the next batch read while one is sent."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import Future, ThreadPoolExecutor, wait
from itertools import batched
from queue import Queue
from typing import NamedTuple, Protocol

from include.emulation import Draw, draws
from include.posting_progress import PostingProgress, RefusedRow, Settled
from include.record_sender import PostingStoppedError, SourceRow
from include.settings import STREAMS, Stream
from include.source_tables import SOURCE_TABLES, SourceTables

READ_AHEAD = 2
NO_SOURCE_ROW = "no_source_row"

Save = Callable[[PostingProgress, Sequence[RefusedRow]], None]


class Sender(Protocol):
    """What posting asks of :class:`~include.record_sender.RecordSender`."""

    def send(self, rows: Sequence[SourceRow], settled: Settled) -> None: ...


class Piece(NamedTuple):
    """What one request carries: the draws due, those with a row, and those without."""

    due: list[int]
    rows: list[SourceRow]
    missing: dict[int, RefusedRow]


class Posting:
    """Posts what is left of a run, and keeps its progress.

    Each stream has a thread and at most one request under way, so its records keep their order; one more thread
    reads the source. Whatever ends the run, ``save`` gets the last word on what is posted.

    :param progress: where the run stands; changed as records are settled
    :param paced: wait before every post as long as the seeds do, and send it by itself
    :param stop: set it to end the run early, and give it to the senders too
    """

    def __init__(
        self,
        progress: PostingProgress,
        *,
        source: SourceTables,
        senders: Mapping[Stream, Sender],
        batch_size: int,
        paced: bool,
        stop: threading.Event,
    ) -> None:
        self._progress = progress
        self._source = source
        self._senders = senders
        self._batch_size = batch_size
        self._paced = paced
        self._stop = stop
        self._lock = threading.Lock()
        self._refused: list[RefusedRow] = []
        self._queues: dict[Stream, Queue[Piece | None]] = {stream: Queue(READ_AHEAD) for stream in STREAMS}

    def run(self, save: Save, *, save_every: float = 2.0) -> None:
        """Post everything that is due. Raises what went wrong first, or PostingStoppedError.

        ``save`` is called from this thread, every so many seconds and once at the end, with the progress and the rows
        refused since it was last called.
        """
        work: list[Future[None]] = []
        try:
            with ThreadPoolExecutor(max_workers=1 + len(STREAMS), thread_name_prefix="posting") as pool:
                work += [pool.submit(self._read), *(pool.submit(self._send, stream) for stream in STREAMS)]
                try:
                    while wait(work, timeout=save_every).not_done:
                        self.save(save)
                finally:
                    self._stop.set()
        finally:
            self.save(save)
        failures = [failure for future in work if (failure := future.exception()) is not None]
        if failures:
            raise failures[0]
        if not self._progress.complete:
            raise PostingStoppedError(f"stopped after {self._progress.drawn} of {self._progress.posts} posts")

    def save(self, save: Save) -> None:
        """Hand over the progress as it is now. Rows that could not be saved are handed over again the next time."""
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
            for piece_of in self._pieces():
                for stream, piece in piece_of.items():
                    self._queues[stream].put(piece)
                if self._stop.is_set():
                    return
        except BaseException:
            self._stop.set()
            raise
        finally:
            for queue in self._queues.values():
                queue.put(None)

    def _pieces(self) -> Iterator[dict[Stream, Piece]]:
        """What is due, read in batches, in pieces of one batch or, where it is paced, of one post."""
        for batch in batched(self._posts_left(), self._batch_size):
            due = {stream: self._due(stream, batch) for stream in STREAMS}
            values = {
                stream: self._source.read(stream, [post.ind for post in batch if post.number in due[stream]])
                for stream in STREAMS
            }
            for posts in batched(batch, 1 if self._paced else self._batch_size):
                wanted = {stream: [post for post in posts if post.number in due[stream]] for stream in STREAMS}
                if self._paced and any(wanted.values()):
                    self._stop.wait(posts[0].pause)
                yield {stream: _piece(stream, wanted[stream], values[stream]) for stream in STREAMS if wanted[stream]}

    def _posts_left(self) -> Iterator[Draw]:
        """The draws from the first one that is not posted on every stream, numbered from the run's own first."""
        first_draw, begin = self._progress.first_draw, self._progress.next_draw
        for draw in draws(self._progress.seed, first=begin, count=first_draw + self._progress.posts - begin):
            yield draw._replace(number=draw.number - first_draw)

    def _due(self, stream: Stream, batch: Sequence[Draw]) -> frozenset[int]:
        with self._lock:
            return frozenset(self._progress.streams[stream].due(batch[0].number, batch[-1].number + 1))

    def _send(self, stream: Stream) -> None:
        """Send until there is no more. After a failure, its own or another's, only empty the queue for the reader."""
        failure: BaseException | None = None
        while (piece := self._queues[stream].get()) is not None:
            if self._stop.is_set():
                continue
            settled = Settled(missing=piece.missing)
            try:
                if piece.rows:
                    self._senders[stream].send(piece.rows, settled)
            except PostingStoppedError:
                pass
            except BaseException as error:
                failure = error
                self._stop.set()
            with self._lock:
                self._progress.settle(stream, due=piece.due, settled=settled)
                self._refused += [*settled.missing.values(), *settled.refused.values()]
        if failure is not None:
            raise failure


def _piece(stream: Stream, posts: Sequence[Draw], values: Mapping[int, bytes]) -> Piece:
    rows = [SourceRow(post.number, post.ind, values[post.ind]) for post in posts if post.ind in values]
    table = SOURCE_TABLES[stream]
    missing = {
        post.number: RefusedRow(
            stream, post.number, post.ind, NO_SOURCE_ROW, f"{table.name} has no row with {table.key}={post.ind}", None
        )
        for post in posts
        if post.ind not in values
    }
    return Piece([post.number for post in posts], rows, missing)

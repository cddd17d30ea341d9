"""One Kafka producer for all requests, with its own thread for delivery reports."""

from __future__ import annotations

import asyncio
import itertools
import logging
import threading
from collections.abc import Sequence
from functools import partial
from typing import Any

from confluent_kafka import KafkaError, KafkaException, Message, Producer

from .properties import connect
from .records import Record

# With a timeout above 0.2 s, confluent-kafka's poll waits it out even if reports arrive.
POLL_SECONDS = 0.2
FLUSH_SECONDS = 20

Outcome = KafkaError | tuple[int | None, int | None]  # a record's error, or its partition and offset

log = logging.getLogger(__name__)


class Batch:
    """The outcome of one request's records, in order: each one's partition and offset, or its error."""

    def __init__(self, size: int) -> None:
        self.outcomes: list[Outcome | None] = [None] * size
        self.settled: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self._size = size
        self._count = itertools.count(1)  # next() is atomic, so any thread may count

    def delivered(self, index: int, error: KafkaError | None, message: Message) -> None:
        self.settle(index, error or (message.partition(), message.offset()))

    def settle(self, index: int, outcome: Outcome) -> None:
        self.outcomes[index] = outcome
        if next(self._count) == self._size:
            self.settled.get_loop().call_soon_threadsafe(self._finish)

    def _finish(self) -> None:
        if not self.settled.done():
            self.settled.set_result(None)


class RecordProducer:
    def __init__(self, properties: dict[str, str]) -> None:
        self._properties: dict[str, Any] = {**properties, "error_cb": self._on_error}
        self._producer = connect(Producer, self._properties)
        self._broken = threading.Event()
        self._closing = threading.Event()
        self._reports = threading.Thread(target=self._serve_reports, name="delivery-reports")
        self._reports.start()

    async def send(self, topic: str, records: Sequence[Record]) -> list[Outcome]:
        """Return once Kafka has accepted or rejected each record, or the producer has given up on it."""
        batch = Batch(len(records))
        produce = self._producer.produce
        for index, (key, value, partition) in enumerate(records):
            try:
                produce(topic, value, key, partition, partial(batch.delivered, index))
            except KafkaException as error:
                batch.settle(index, error.args[0])
            except BufferError:
                batch.settle(index, KafkaError(KafkaError._QUEUE_FULL))
        await batch.settled
        return batch.outcomes  # type: ignore[return-value]  # once settled, none is None

    def close(self) -> None:
        """Send what was accepted, within the time limit."""
        self._producer.flush(FLUSH_SECONDS)
        self._closing.set()
        self._reports.join()

    def _serve_reports(self) -> None:
        while not self._closing.is_set():
            self._producer.poll(POLL_SECONDS)
            if self._broken.is_set():
                self._replace()

    def _on_error(self, error: KafkaError) -> None:
        log.warning("Kafka: %s", error.str())
        if error.fatal():
            self._broken.set()

    def _replace(self) -> None:
        """A producer with a fatal error accepts nothing more; its records are answered with that error."""
        log.error("The producer is broken and is replaced")
        broken, self._producer = self._producer, connect(Producer, self._properties)
        self._broken.clear()
        broken.purge()
        broken.flush(FLUSH_SECONDS)

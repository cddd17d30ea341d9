"""Consumer instances: each is a member of its consumer group until it is deleted, or nobody has called it for 5 min."""

from __future__ import annotations

import asyncio
import base64
import json
import time
import uuid
from collections import deque
from collections.abc import Callable
from typing import Any

from confluent_kafka import Consumer, KafkaError, KafkaException, Message, TopicPartition

from .errors import ApiError, instance_not_found, kafka_api_error, not_subscribed, unprocessable
from .properties import connect

INSTANCE_SECONDS = 300
REQUEST_SECONDS = 1.0
LONGEST_REQUEST_SECONDS = 60.0
RESPONSE_BYTES = 64 * 2**20
POLL_SECONDS = 0.1
POLL_RECORDS = 1000

OWN_PROPERTIES = {
    "enable.auto.offset.store": "false",
    "enable.partition.eof": "false",
    "max.poll.interval.ms": str((INSTANCE_SECONDS + 60) * 1000),
}
OFFSET_RESETS = ("earliest", "latest", "none")
PASSED_FIELDS = {"fetch.min.bytes": "fetch.min.bytes", "auto.commit.enable": "enable.auto.commit"}
OWN_FIELDS = {"name", "format", "auto.offset.reset", "consumer.request.timeout.ms"}

# What the bytes of a key or value are in the response: JSON text. Raises ValueError where they cannot be that.
Embedding = Callable[[bytes | None], str]


def json_text(content: bytes | None) -> str:
    if content is None:
        return "null"
    text = content.decode()
    json.loads(text)
    return text


def binary_text(content: bytes | None) -> str:
    return "null" if content is None else json.dumps(base64.b64encode(content).decode())


EMBEDDINGS: dict[str, Embedding] = {"json": json_text, "binary": binary_text}


class Instance:
    """Its Kafka client is used by one request at a time, in a thread."""

    def __init__(self, group: str, name: str, format_name: str, seconds: float, properties: dict[str, str]) -> None:
        self.group = group
        self.name = name
        self.format = format_name
        self.topics: list[str] = []
        self.used = time.monotonic()
        self._seconds = seconds
        self._embedding = EMBEDDINGS[format_name]
        self._fetched: deque[Message] = deque()
        self._consumer = connect(Consumer, properties)
        self._turn = asyncio.Lock()

    async def subscribe(self, topics: list[str]) -> None:
        async with self._turn:
            self.topics = topics
            await asyncio.to_thread(self._subscribe, topics)

    async def read(self, seconds: float | None, largest: int | None) -> list[str]:
        """Records as JSON texts: what has come when something has, nothing when nothing does in that time."""
        if not self.topics:
            raise not_subscribed()
        async with self._turn:
            wait = min(self._seconds if seconds is None else seconds, LONGEST_REQUEST_SECONDS)
            return await asyncio.to_thread(self._read, wait, RESPONSE_BYTES if largest is None else largest)

    async def commit(self, offsets: list[TopicPartition]) -> None:
        async with self._turn:
            await asyncio.to_thread(self._commit, offsets)

    async def close(self) -> None:
        async with self._turn:
            await asyncio.to_thread(self._consumer.close)

    def _subscribe(self, topics: list[str]) -> None:
        self._fetched.clear()
        if topics:
            self._consumer.subscribe(topics, on_revoke=self._forget, on_lost=self._forget)
        else:
            self._consumer.unsubscribe()

    def _forget(self, _: Consumer, revoked: list[TopicPartition]) -> None:
        """Another member of the group will read what was fetched here and not handed out."""
        gone = {(partition.topic, partition.partition) for partition in revoked}
        self._fetched = deque(m for m in self._fetched if (m.topic(), m.partition()) not in gone)

    def _read(self, seconds: float, largest: int) -> list[str]:
        deadline = time.monotonic() + seconds
        while not self._fetched and (left := deadline - time.monotonic()) > 0:
            self._fetch(min(left, POLL_SECONDS))
        found: list[str] = []
        size = 0
        while self._fetched and (not found or size < largest):
            text = self._next(first=not found)
            if text is None:
                break
            found.append(text)
            size += len(text)
            if not self._fetched:
                self._fetch(0)
        return found

    def _fetch(self, seconds: float) -> None:
        for message in self._consumer.consume(POLL_RECORDS, seconds):
            if message.error() is None:
                self._fetched.append(message)
            elif message.error().fatal() or message.error().code() == KafkaError.TOPIC_AUTHORIZATION_FAILED:
                raise kafka_api_error(message.error())

    def _next(self, first: bool) -> str | None:
        """The next record. One that cannot be shown ends the response before it, and is an error when it is first."""
        message = self._fetched[0]
        where = f"{message.topic()} partition {message.partition()} offset {message.offset()}"
        try:
            key, value = self._embedding(message.key()), self._embedding(message.value())
        except ValueError as error:
            if first:
                raise ApiError(500, 50002, f"Kafka error: {where} is not JSON: {error}") from error
            return None
        self._fetched.popleft()
        self._consumer.store_offsets(message)
        return (
            f'{{"topic":{json.dumps(message.topic())},"key":{key},"value":{value},'
            f'"partition":{message.partition()},"offset":{message.offset()}}}'
        )

    def _commit(self, offsets: list[TopicPartition]) -> None:
        try:
            self._consumer.commit(**({"offsets": offsets} if offsets else {}), asynchronous=False)
        except KafkaException as error:
            if error.args[0].code() != KafkaError._NO_OFFSET:
                raise kafka_api_error(error.args[0]) from error


class Consumers:
    """All instances, by group and name."""

    def __init__(self, properties: dict[str, str]) -> None:
        self._properties = properties
        self._instances: dict[tuple[str, str], Instance] = {}

    def create(self, group: str, request: dict[str, Any]) -> Instance:
        for field in request.keys() - OWN_FIELDS - PASSED_FIELDS.keys():
            raise unprocessable(f"Unrecognized field: {field}")
        name = request.get("name") or f"rest-consumer-{uuid.uuid4()}"
        format_name = str(request.get("format", "binary")).lower()
        reset = str(request.get("auto.offset.reset", "latest")).lower()
        if format_name not in EMBEDDINGS:
            raise invalid("format", format_name, ", ".join(EMBEDDINGS))
        if reset not in OFFSET_RESETS:
            raise invalid("auto.offset.reset", reset, ", ".join(OFFSET_RESETS))
        try:
            seconds = float(request.get("consumer.request.timeout.ms", REQUEST_SECONDS * 1000)) / 1000
        except (TypeError, ValueError):
            given = request["consumer.request.timeout.ms"]
            raise invalid("consumer.request.timeout.ms", given, "a number of milliseconds") from None
        if (group, name) in self._instances:
            raise ApiError(
                409, 40902, "Consumer with specified consumer ID already exists in the specified consumer group."
            )
        properties = self._properties | OWN_PROPERTIES | {"group.id": group, "auto.offset.reset": reset}
        for field, passed in PASSED_FIELDS.items():
            if field in request:
                properties[passed] = str(request[field]).lower()
        instance = self._instances[group, name] = Instance(group, name, format_name, seconds, properties)
        return instance

    def get(self, group: str, name: str) -> Instance:
        instance = self._instances.get((group, name))
        if instance is None:
            raise instance_not_found()
        instance.used = time.monotonic()
        return instance

    async def delete(self, group: str, name: str) -> None:
        instance = self.get(group, name)
        del self._instances[group, name]
        await instance.close()

    async def delete_unused(self) -> None:
        """Runs until it is cancelled."""
        while True:
            await asyncio.sleep(INSTANCE_SECONDS / 10)
            oldest = time.monotonic() - INSTANCE_SECONDS
            for instance in [i for i in self._instances.values() if i.used < oldest]:
                await self.delete(instance.group, instance.name)

    async def close(self) -> None:
        for group, name in list(self._instances):
            await self.delete(group, name)


def invalid(field: str, value: object, expected: str) -> ApiError:
    return ApiError(422, 42204, f"Invalid consumer configuration: {field} is {value!r}, expected {expected}")

"""The proxy's paths."""

from __future__ import annotations

import asyncio
import json
import logging
from collections.abc import AsyncIterator
from typing import Any

from aiohttp import web
from aiohttp.typedefs import Handler
from confluent_kafka import KafkaError, KafkaException, TopicPartition
from confluent_kafka.admin import AdminClient, ConfigResource, ResourceType

from .consumers import Consumers, Instance
from .errors import ApiError, format_mismatch, kafka_api_error, kafka_code, topic_not_found, unprocessable
from .producer import Outcome, RecordProducer
from .properties import Configuration, connect
from .records import embedded_binary, embedded_json, parse_records

V2 = "application/vnd.kafka.v2+json"
EMBEDDINGS = {
    "application/vnd.kafka.json.v2+json": embedded_json,
    "application/vnd.kafka.binary.v2+json": embedded_binary,
}
PLAIN_TYPES = (V2, "application/vnd.kafka+json", "application/json", "application/octet-stream")
LARGEST_REQUEST = 64 * 2**20
METADATA_SECONDS = 10
GONE = (KafkaError.UNKNOWN_TOPIC_OR_PART, KafkaError._UNKNOWN_TOPIC)

log = logging.getLogger(__name__)


def application(configuration: Configuration) -> web.Application:
    api = Api(configuration)
    app = web.Application(middlewares=[errors_as_json], client_max_size=LARGEST_REQUEST)
    instance = "/consumers/{group}/instances/{instance}"
    app.add_routes(
        [
            web.get("/topics", api.list_topics),
            web.get("/topics/{topic}", api.get_topic),
            web.post("/topics/{topic}", api.produce),
            web.post("/consumers/{group}", api.create_instance),
            web.delete(instance, api.delete_instance),
            web.post(f"{instance}/subscription", api.subscribe),
            web.get(f"{instance}/subscription", api.get_subscription),
            web.delete(f"{instance}/subscription", api.unsubscribe),
            web.get(f"{instance}/records", api.read_records),
            web.post(f"{instance}/offsets", api.commit),
        ]
    )
    app.cleanup_ctx.append(api.lifetime)
    return app


@web.middleware
async def errors_as_json(request: web.Request, handler: Handler) -> web.StreamResponse:
    try:
        return await handler(request)
    except ApiError as error:
        return error_response(error.status, error.code, error.message)
    except KafkaException as error:
        answer = kafka_api_error(error.args[0])
        return error_response(answer.status, answer.code, answer.message)
    except web.HTTPException as error:
        return error_response(error.status, error.status, f"HTTP {error.status} {error.reason}")
    except Exception:
        log.exception("%s %s failed", request.method, request.path)
        return error_response(500, 500, "Internal Server Error")


def error_response(status: int, code: int, message: str) -> web.Response:
    return web.json_response({"error_code": code, "message": message}, status=status, content_type=V2)


class Api:
    def __init__(self, configuration: Configuration) -> None:
        self.configuration = configuration
        self.producer = RecordProducer(configuration.producer)
        self.admin = connect(AdminClient, configuration.admin)
        self.consumers = Consumers(configuration.consumer)
        self.known_topics: set[str] = set()

    async def lifetime(self, _: web.Application) -> AsyncIterator[None]:
        cleaning = asyncio.create_task(self.consumers.delete_unused())
        yield
        cleaning.cancel()
        await self.consumers.close()
        await asyncio.to_thread(self.producer.close)

    async def produce(self, request: web.Request) -> web.Response:
        embedding = EMBEDDINGS.get(request.content_type)
        if embedding is None:
            raise web.HTTPUnsupportedMediaType
        topic = request.match_info["topic"]
        records = parse_records(await request.read(), embedding)
        if topic not in self.known_topics and topic not in await self.topics():
            raise topic_not_found()
        outcomes = await self.producer.send(topic, records)
        if any(isinstance(outcome, KafkaError) and outcome.code() in GONE for outcome in outcomes):
            self.known_topics.discard(topic)
        offsets = ",".join(map(offset_text, outcomes))
        text = f'{{"offsets":[{offsets}],"key_schema_id":null,"value_schema_id":null}}'
        return web.Response(text=text, content_type=V2)

    async def topics(self) -> list[str]:
        """Asks the broker. Kafka's own topics are left out."""
        metadata = await asyncio.to_thread(self.admin.list_topics, timeout=METADATA_SECONDS)
        self.known_topics = set(metadata.topics)
        return sorted(name for name in metadata.topics if not name.startswith("__"))

    async def list_topics(self, _: web.Request) -> web.Response:
        return web.json_response(await self.topics(), content_type=V2)

    async def get_topic(self, request: web.Request) -> web.Response:
        name = request.match_info["topic"]
        metadata = await asyncio.to_thread(self.admin.list_topics, timeout=METADATA_SECONDS)
        if name not in metadata.topics:
            raise topic_not_found()
        resource = ConfigResource(ResourceType.TOPIC, name)
        described = self.admin.describe_configs([resource], request_timeout=METADATA_SECONDS)
        configs = await asyncio.to_thread(described[resource].result)
        partitions = [
            {
                "partition": partition.id,
                "leader": partition.leader,
                "replicas": [
                    {"broker": broker, "leader": broker == partition.leader, "in_sync": broker in partition.isrs}
                    for broker in partition.replicas
                ],
            }
            for _, partition in sorted(metadata.topics[name].partitions.items())
        ]
        body = {
            "name": name,
            "configs": {config.name: config.value for config in configs.values()},
            "partitions": partitions,
        }
        return web.json_response(body, content_type=V2)

    async def create_instance(self, request: web.Request) -> web.Response:
        group = request.match_info["group"]
        instance = self.consumers.create(group, await read_object(request))
        base_uri = f"http://{request.host}/consumers/{group}/instances/{instance.name}"
        return web.json_response({"instance_id": instance.name, "base_uri": base_uri}, content_type=V2)

    async def delete_instance(self, request: web.Request) -> web.Response:
        await self.consumers.delete(request.match_info["group"], request.match_info["instance"])
        return web.Response(status=204)

    async def subscribe(self, request: web.Request) -> web.Response:
        topics = subscribed_topics(await read_object(request))
        await self.instance(request).subscribe(topics)
        return web.Response(status=204)

    async def get_subscription(self, request: web.Request) -> web.Response:
        return web.json_response({"topics": self.instance(request).topics}, content_type=V2)

    async def unsubscribe(self, request: web.Request) -> web.Response:
        await self.instance(request).subscribe([])
        return web.Response(status=204)

    async def read_records(self, request: web.Request) -> web.Response:
        instance = self.instance(request)
        own_type = f"application/vnd.kafka.{instance.format}.v2+json"
        if not accepts(request, own_type):
            raise format_mismatch()
        milliseconds = query_number(request, "timeout")
        seconds = None if milliseconds is None else milliseconds / 1000
        records = await instance.read(seconds, query_number(request, "max_bytes"))
        return web.Response(text=f"[{','.join(records)}]", content_type=own_type)

    async def commit(self, request: web.Request) -> web.Response:
        offsets = committed_offsets(await read_object(request)) if request.can_read_body else []
        await self.instance(request).commit(offsets)
        return web.json_response({}, content_type=V2)

    def instance(self, request: web.Request) -> Instance:
        return self.consumers.get(request.match_info["group"], request.match_info["instance"])


def offset_text(outcome: Outcome) -> str:
    if isinstance(outcome, KafkaError):
        code = kafka_code(outcome)
        return f'{{"partition":null,"offset":null,"error_code":{code},"error":{json.dumps(outcome.str())}}}'
    partition, offset = outcome
    return f'{{"partition":{partition},"offset":{offset},"error_code":null,"error":null}}'


def accepts(request: web.Request, media_type: str) -> bool:
    accepted = {part.partition(";")[0].strip() for part in request.headers.get("Accept", "*/*").split(",")}
    return not accepted.isdisjoint({media_type, "application/*", "*/*", *PLAIN_TYPES})


async def read_object(request: web.Request) -> dict[str, Any]:
    try:
        body = json.loads(await request.read())
    except ValueError as error:
        raise ApiError(400, 400, f"The body is not JSON: {error}") from error
    if not isinstance(body, dict):
        raise unprocessable("Expected an object")
    return body


def subscribed_topics(body: dict[str, Any]) -> list[str]:
    """A pattern is a topic name that starts with ^, as librdkafka takes it."""
    topics, pattern = body.get("topics"), body.get("topic_pattern")
    if isinstance(pattern, str) and pattern and topics is None:
        return [pattern if pattern.startswith("^") else f"^{pattern}"]
    if isinstance(topics, list) and topics and pattern is None and all(isinstance(t, str) and t for t in topics):
        return topics
    raise unprocessable('Expected {"topics": [names]} or {"topic_pattern": expression}')


def committed_offsets(body: dict[str, Any]) -> list[TopicPartition]:
    """The caller names the last record it is done with; Kafka keeps the next one to read."""
    try:
        return [
            TopicPartition(offset["topic"], offset["partition"], offset["offset"] + 1)
            for offset in body.get("offsets", [])
        ]
    except (KeyError, TypeError, ValueError) as error:
        raise unprocessable('Expected {"offsets": [{"topic": …, "partition": …, "offset": …}]}') from error


def query_number(request: web.Request, name: str) -> int | None:
    text = request.query.get(name)
    if text is None:
        return None
    if not text.isdecimal():
        raise unprocessable(f"{name} is {text!r}, expected a number")
    return int(text)

"""The proxy's routes."""

from __future__ import annotations

import asyncio
import json
import logging
from collections.abc import AsyncIterator

from aiohttp import web
from aiohttp.typedefs import Handler, Middleware
from confluent_kafka import KafkaError, KafkaException
from confluent_kafka.admin import (  # type: ignore[attr-defined]  # two are public, but missing in its __all__
    AdminClient,
    ConfigResource,
    ResourceType,
)

from .errors import ApiError, kafka_api_error, kafka_code, topic_not_found
from .producer import Outcome, RecordProducer
from .properties import Configuration, connect
from .records import embedded_binary, embedded_json, parse_records

V2 = "application/vnd.kafka.v2+json"
EMBEDDINGS = {
    "application/vnd.kafka.json.v2+json": embedded_json,
    "application/vnd.kafka.binary.v2+json": embedded_binary,
}
LARGEST_REQUEST = 64 * 2**20
METADATA_SECONDS = 10
GONE = (KafkaError.UNKNOWN_TOPIC_OR_PART, KafkaError._UNKNOWN_TOPIC)

log = logging.getLogger(__name__)


def application(configuration: Configuration) -> web.Application:
    api = Api(configuration)
    allowing = allow_origins(configuration.allowed_origins)
    app = web.Application(middlewares=[allowing, errors_as_json], client_max_size=LARGEST_REQUEST)
    app.add_routes(
        [
            web.get("/topics", api.list_topics),
            web.get("/topics/{topic}", api.get_topic),
            web.post("/topics/{topic}", api.produce),
        ]
    )
    app.cleanup_ctx.append(api.lifetime)
    return app


def allow_origins(allowed: frozenset[str]) -> Middleware:
    """Let pages of these origins, or of all with ``*``, read every answer, errors included. Preflights are left out."""

    @web.middleware
    async def middleware(request: web.Request, handler: Handler) -> web.StreamResponse:
        response = await handler(request)
        origin = request.headers.get("Origin")
        if origin and ("*" in allowed or origin in allowed):
            response.headers["Access-Control-Allow-Origin"] = origin
            response.headers["Vary"] = "Origin"
        return response

    return middleware


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
        self.known_topics: set[str] = set()

    async def lifetime(self, _: web.Application) -> AsyncIterator[None]:
        yield
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
        """Ask the broker for its topics. Kafka's internal topics are left out."""
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


def offset_text(outcome: Outcome) -> str:
    if isinstance(outcome, KafkaError):
        code = kafka_code(outcome)
        return f'{{"partition":null,"offset":null,"error_code":{code},"error":{json.dumps(outcome.str())}}}'
    partition, offset = outcome
    return f'{{"partition":{partition},"offset":{offset},"error_code":null,"error":null}}'

"""``kafka-rest.properties``, parsed as in Java: the settings of the proxy and of its Kafka clients."""

from __future__ import annotations

import logging
import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Self
from urllib.parse import urlsplit

from confluent_kafka import KafkaException

DEFAULT_LISTENER = "http://127.0.0.1:8082"

RENAMED = {"max.request.size": "message.max.bytes"}
JAVA_LOGIN = ("sasl.jaas.config", "sasl.client.callback.handler.class", "sasl.login.callback.handler.class")
PRODUCER = {
    "acks": "all",
    "enable.idempotence": "true",
    "linger.ms": "1",
    "delivery.timeout.ms": "20000",
    "message.max.bytes": "1048576",
    "partitioner": "murmur2_random",
}

ESCAPES = {"t": "\t", "n": "\n", "r": "\r", "f": "\f"}
ESCAPE = re.compile(r"\\(u[0-9a-fA-F]{4}|.)", re.DOTALL)
NAME = re.compile(r"((?:\\.|[^\\ \t\f=:])*)[ \t\f]*[=:]?[ \t\f]*(.*)", re.DOTALL)
UNKNOWN = re.compile(r'No such configuration property: "([^"]+)"')

log = logging.getLogger(__name__)


class PropertiesError(ValueError):
    """The file is unusable. The message names the property, its value and what to do."""


@dataclass(frozen=True)
class Configuration:
    """Kafka properties use librdkafka's names and values."""

    host: str
    port: int
    producer: dict[str, str]
    admin: dict[str, str]
    allowed_origins: frozenset[str] = frozenset()

    @classmethod
    def read(cls, path: Path) -> Self:
        given = parse(path.read_text("utf-8"))
        if not given.get("bootstrap.servers"):
            raise PropertiesError("bootstrap.servers is not set; expected host:port,…")
        host, port = listener(given.get("listeners") or DEFAULT_LISTENER)
        return cls(
            host,
            port,
            producer=PRODUCER | kafka(given, "producer."),
            admin=kafka(given, "admin."),
            allowed_origins=frozenset(given.get("access.control.allow.origin", "").replace(",", " ").split()),
        )


def listener(listeners: str) -> tuple[str, int]:
    """The first listener's host and port; further listeners are ignored."""
    url = urlsplit(listeners.split(",")[0].strip())
    try:
        port = url.port
    except ValueError:
        port = None
    if url.scheme != "http" or not url.hostname or port is None:
        raise PropertiesError(f"listeners={listeners}: expected http://HOST:PORT (this proxy speaks plain HTTP only)")
    return url.hostname, port


def kafka(given: dict[str, str], prefix: str) -> dict[str, str]:
    """The properties for all Kafka clients (``client.``), overridden by those for this kind."""
    found = {"bootstrap.servers": given["bootstrap.servers"]}
    for part in ("client.", prefix):
        for name, value in given.items():
            if name.startswith(part):
                found[RENAMED.get(name.removeprefix(part), name.removeprefix(part))] = value
    for name in JAVA_LOGIN:
        if name in found:
            raise PropertiesError(
                f"client.{name} is set: this proxy cannot run Java login modules; "
                "use a listener of the brokers without IAM (client.security.protocol=PLAINTEXT)"
            )
    return found


def connect[Client](kind: Callable[[dict[str, Any]], Client], properties: dict[str, Any]) -> Client:
    """Create a Kafka client of that kind, dropping the properties that it does not know."""
    while True:
        try:
            return kind(properties)
        except KafkaException as error:
            unknown = UNKNOWN.search(str(error))
            if not unknown:
                raise PropertiesError(f"the Kafka client refuses its properties: {error}") from error
            log.warning("The configuration '%s' was supplied but is not a known config.", unknown[1])
            properties = {name: value for name, value in properties.items() if name != unknown[1]}


def parse(text: str) -> dict[str, str]:
    found = {}
    for line in logical_lines(text):
        match = NAME.fullmatch(line)
        assert match is not None
        found[unescape(match[1])] = unescape(match[2])
    return found


def logical_lines(text: str) -> Iterator[str]:
    """Skip comments and blank lines; a line that ends in an odd number of backslashes continues on the next."""
    pending = ""
    for natural in re.split(r"\r\n|\r|\n", text):
        line = natural.lstrip(" \t\f")
        if not pending and (not line or line[0] in "#!"):
            continue
        line = pending + line
        if (len(line) - len(line.rstrip("\\"))) % 2:
            pending = line[:-1]
        else:
            pending = ""
            yield line
    if pending:
        yield pending


def unescape(text: str) -> str:
    def character(match: re.Match[str]) -> str:
        code = match[1]
        return chr(int(code[1:], 16)) if len(code) == 5 else ESCAPES.get(code, code)

    return ESCAPE.sub(character, text)

"""The Kafka broker (KRaft, one node, broker and controller in one) and the Kafka Connect worker."""

from __future__ import annotations

import base64
import uuid
from pathlib import Path

from confluent_kafka import KafkaException
from confluent_kafka.admin import AdminClient

from lab.progress import Work
from lab.readiness import get_json
from lab.state import State, write_private

LOGGING = """status=ERROR
appender.c.type=Console
appender.c.name=C
appender.c.layout.type=PatternLayout
appender.c.layout.pattern=[%d] %p %m (%c{1})%n
rootLogger.level=WARN
rootLogger.appenderRef.c.ref=C
logger.start.name=kafka.server.KafkaRaftServer
logger.start.level=INFO
logger.connect.name=org.apache.kafka.connect.runtime.WorkerSinkTask
logger.connect.level=INFO
"""

BROKER = """process.roles=broker,controller
node.id=1
controller.quorum.voters=1@127.0.0.1:{controller}
listeners=PLAINTEXT://127.0.0.1:{kafka},CONTROLLER://127.0.0.1:{controller}
advertised.listeners=PLAINTEXT://127.0.0.1:{kafka}
listener.security.protocol.map=PLAINTEXT:PLAINTEXT,CONTROLLER:PLAINTEXT
controller.listener.names=CONTROLLER
inter.broker.listener.name=PLAINTEXT
log.dirs={folder}/data
auto.create.topics.enable=false
num.partitions=1
offsets.topic.num.partitions=1
offsets.topic.replication.factor=1
offsets.retention.minutes=525600
transaction.state.log.num.partitions=1
transaction.state.log.replication.factor=1
transaction.state.log.min.isr=1
share.coordinator.state.topic.num.partitions=1
share.coordinator.state.topic.replication.factor=1
share.coordinator.state.topic.min.isr=1
group.initial.rebalance.delay.ms=0
log.retention.ms=-1
log.cleaner.dedupe.buffer.size=8388608
num.network.threads=2
num.io.threads=4
"""

CONNECT = """bootstrap.servers=127.0.0.1:{kafka}
group.id=lab-connect
listeners=http://127.0.0.1:{connect}
rest.advertised.host.name=127.0.0.1
config.storage.topic=_connect-configs
config.storage.replication.factor=1
offset.storage.topic=_connect-offsets
offset.storage.replication.factor=1
offset.storage.partitions=1
status.storage.topic=_connect-status
status.storage.replication.factor=1
status.storage.partitions=1
key.converter=org.apache.kafka.connect.storage.StringConverter
value.converter=org.apache.kafka.connect.json.JsonConverter
value.converter.schemas.enable=false
offset.flush.interval.ms=1000
plugin.path={folder}/plugins
plugin.discovery=service_load
scheduled.rebalance.max.delay.ms=0
connector.client.config.override.policy=All
consumer.metadata.max.age.ms=5000
consumer.session.timeout.ms=10000
consumer.heartbeat.interval.ms=3000
"""


def java(state: State, folder: Path, heap: str, *arguments: str) -> list[str]:
    """A Java command line with Kafka's jars. The heap grows on demand and shrinks again."""
    return [
        str(state.install / "java" / "bin" / "java"),
        "-Xms64m",
        f"-Xmx{heap}",
        "-XX:TieredStopAtLevel=1",  # a worker that lives for minutes gains nothing by better code
        "-XX:+UseSerialGC",
        "-XX:MinHeapFreeRatio=10",
        "-XX:MaxHeapFreeRatio=30",
        "-Djava.awt.headless=true",
        f"-Dlog4j2.configurationFile={folder}/log4j2.properties",
        "-cp",
        f"{state.install}/jars/kafka/*",
        *arguments,
    ]


def broker_command(state: State) -> list[str]:
    folder = state.path("kafka")
    return java(state, folder, "512m", "kafka.Kafka", f"{folder}/server.properties")


def connect_command(state: State) -> list[str]:
    folder = state.path("connect")
    return java(
        state, folder, "512m", "org.apache.kafka.connect.cli.ConnectDistributed", f"{folder}/connect.properties"
    )


def prepare_broker(state: State, work: Work) -> None:
    """Write the configuration; format the storage the first time."""
    folder = state.path("kafka")
    folder.mkdir(exist_ok=True)
    write_private(folder / "log4j2.properties", LOGGING)
    write_private(
        folder / "server.properties",
        BROKER.format(kafka=state.port("kafka"), controller=state.port("kafka_controller"), folder=folder),
    )
    if (folder / "data" / "meta.properties").exists():
        return
    work.note = "formatting the storage"
    work.command(
        *java(state, folder, "128m", "kafka.tools.StorageTool", "format", "-t", new_cluster_id()),
        *("-c", folder / "server.properties", "--ignore-formatted"),
    )


def new_cluster_id() -> str:
    """In Kafka's format: 22 URL-safe characters, no leading dash."""
    while (text := base64.urlsafe_b64encode(uuid.uuid4().bytes).decode().rstrip("=")).startswith("-"):
        pass
    return text


def cluster_id(state: State) -> str:
    lines = state.path("kafka", "data", "meta.properties").read_text().splitlines()
    return next(line.partition("=")[2] for line in lines if line.startswith("cluster.id="))


def broker_answers(state: State) -> bool:
    """The broker lists its topics, and its cluster ID is that of our storage."""
    client = AdminClient(
        {"bootstrap.servers": f"127.0.0.1:{state.port('kafka')}", "socket.timeout.ms": 2000, "log_level": 0}
    )
    try:
        return client.list_topics(timeout=2).cluster_id == cluster_id(state)
    except KafkaException:
        return False


def prepare_connect(state: State, work: Work) -> None:
    folder = state.path("connect")
    (folder / "plugins").mkdir(parents=True, exist_ok=True)
    write_private(folder / "log4j2.properties", LOGGING)
    write_private(
        folder / "connect.properties",
        CONNECT.format(kafka=state.port("kafka"), connect=state.port("connect"), folder=folder),
    )


def connect_answers(state: State) -> bool:
    """The worker's REST API answers, it is connected to our cluster, and it has joined its group."""
    base = f"http://127.0.0.1:{state.port('connect')}"
    try:
        root = get_json(f"{base}/")
        get_json(f"{base}/connectors")  # only a worker that has joined its group answers this
    except (OSError, ValueError):
        return False
    return isinstance(root, dict) and root["kafka_cluster_id"] == cluster_id(state)

"""The REST proxy, started from its archive as the client machine starts it, in front of a real broker."""

from __future__ import annotations

import base64
import json
import os
import signal
import socket
import subprocess
import sys
import tarfile
import threading
import time
import uuid
from collections.abc import Iterator
from pathlib import Path

import pytest
import requests
from confluent_kafka import OFFSET_BEGINNING, Consumer, Message, TopicPartition

from include.posting.kafka_sender import KafkaSender
from include.posting.progress import Settled
from include.posting.sender import RetryPolicy, SourceRow
from lab.rest_proxy.errors import ApiError
from lab.rest_proxy.properties import Configuration, PropertiesError, parse
from lab.rest_proxy.records import embedded_json, parse_records
from lab.state import State
from lab.supervision import Supervisor
from tests.lab.kafka_parts import SECONDS, new_topic, supervised
from tests.lab.lab_parts import wait_until

V2 = "application/vnd.kafka.v2+json"
JSON = "application/vnd.kafka.json.v2+json"
BINARY = "application/vnd.kafka.binary.v2+json"


class Proxy:
    def __init__(self, home: Path, bootstrap_servers: str, *more: str) -> None:
        with socket.socket() as reserved:
            reserved.bind(("127.0.0.1", 0))
            port = reserved.getsockname()[1]
        self.url = f"http://127.0.0.1:{port}"
        properties = home / f"{uuid.uuid4().hex}-kafka-rest.properties"
        lines = (f"listeners={self.url}", f"bootstrap.servers={bootstrap_servers}", "zookeeper.connect=none", *more)
        properties.write_text("\n".join(lines) + "\n")
        self.log = properties.with_suffix(".log")
        with self.log.open("wb") as log:
            self.process = subprocess.Popen(
                [home / "kafka-rest-1.0" / "bin" / "kafka-rest-start", properties],
                env={"PATH": "/usr/bin:/bin", "HOME": str(home), "LAB_PYTHON": sys.executable},
                stdout=log,
                stderr=log,
                stdin=subprocess.DEVNULL,
            )
        ready = "INFO Server started, listening for requests"
        wait_until(lambda: ready in self.log.read_text() or self.process.poll() is not None, "the proxy is ready")
        assert self.process.poll() is None, self.log.read_text()

    def post(self, topic: str, *records: dict, content_type: str = JSON, timeout: float = 60) -> requests.Response:
        body = json.dumps({"records": records}, ensure_ascii=False).encode()
        return self.send(topic, body, content_type, timeout)

    def send(self, topic: str, body: bytes, content_type: str = JSON, timeout: float = 60) -> requests.Response:
        headers = {"Content-Type": content_type}
        return requests.post(f"{self.url}/topics/{topic}", data=body, headers=headers, timeout=timeout)

    def stop(self) -> int:
        self.process.terminate()
        return self.process.wait(timeout=60)


@pytest.fixture(scope="module")
def state(tmp_path_factory) -> State:
    return State.open(root=tmp_path_factory.mktemp("state"))


@pytest.fixture(scope="module")
def supervisor(state) -> Iterator[Supervisor]:
    with supervised(state, "kafka") as supervisor:
        yield supervisor


@pytest.fixture(scope="module")
def home(state, tmp_path_factory) -> Path:
    home = tmp_path_factory.mktemp("home")
    with tarfile.open(state.install / "mirror" / "kafka-rest-1.0.tar.gz") as archive:
        archive.extractall(home, filter="data")
    return home


@pytest.fixture(scope="module")
def bootstrap_servers(state, supervisor) -> str:
    return f"127.0.0.1:{state.port('kafka')}"


@pytest.fixture(scope="module")
def proxy(home, bootstrap_servers) -> Iterator[Proxy]:
    proxy = Proxy(home, bootstrap_servers)
    yield proxy
    if proxy.process.poll() is None:
        proxy.stop()


def read(bootstrap_servers: str, topic: str, count: int, partition: int = 0) -> list[Message]:
    """The partition's first records, by a client of its own."""
    consumer = Consumer({"bootstrap.servers": bootstrap_servers, "group.id": "unused"})
    consumer.assign([TopicPartition(topic, partition, OFFSET_BEGINNING)])
    found: list[Message] = []
    end = time.monotonic() + SECONDS
    while len(found) < count:
        assert time.monotonic() < end, f"only {len(found)} of {count} records"
        found += consumer.consume(count - len(found), 0.2)
    consumer.close()
    return found


def error(answer: requests.Response) -> tuple[int, int]:
    return answer.status_code, answer.json()["error_code"]


def test_records_get_their_partitions_and_offsets_in_their_order(proxy, state, bootstrap_servers):
    topic = new_topic(state, partitions=3)
    records = [{"key": n, "value": {"n": n}} for n in range(300)]
    answer = proxy.post(topic, *records)
    assert (answer.status_code, answer.headers["Content-Type"].split(";")[0]) == (200, V2)
    body = answer.json()
    assert (body["key_schema_id"], body["value_schema_id"]) == (None, None)
    placed = {(o["partition"], o["offset"]): n for n, o in enumerate(body["offsets"])}
    assert {o["error_code"] for o in body["offsets"]} == {o["error"] for o in body["offsets"]} == {None}
    assert {partition for partition, _ in placed} == {0, 1, 2}
    for partition in range(3):
        count = sum(1 for p, _ in placed if p == partition)
        for message in read(bootstrap_servers, topic, count, partition):
            assert json.loads(message.value())["n"] == placed[partition, message.offset()]
            assert json.loads(message.key()) == placed[partition, message.offset()]


def test_a_key_goes_where_a_java_producer_would_put_it(proxy, state):
    """Partitions of keys "21" and "foobar" by Kafka's own murmur2, from the tests of its clients."""
    topic = new_topic(state, partitions=20)
    answer = proxy.post(
        topic,
        {"key": base64.b64encode(b"21").decode(), "value": "AA=="},
        {"key": base64.b64encode(b"foobar").decode(), "value": "AA=="},
        content_type=BINARY,
    )
    expected = [(hashed & 0x7FFFFFFF) % 20 for hashed in (-973932308, -790332482)]
    assert [o["partition"] for o in answer.json()["offsets"]] == expected


def test_values_are_written_byte_for_byte(proxy, state, bootstrap_servers):
    topic = new_topic(state)
    values = ['{"a": 1.50,  "b":"\\u00e9 😀\u00a0"}', "1e400", "[1,2]", '"text"', "12345678901234567890123", "true"]
    body = '{"records": [ ' + " , ".join(f'{{ "value" : {value} , "key": "k" }}' for value in values) + " ] }"
    assert proxy.send(topic, body.encode()).status_code == 200
    found = read(bootstrap_servers, topic, len(values))
    assert [message.value().decode() for message in found] == values
    assert {message.key() for message in found} == {b'"k"'}


def test_a_record_without_value_or_key_has_none(proxy, state, bootstrap_servers):
    topic = new_topic(state)
    assert proxy.post(topic, {"value": None}, {}, {"key": None, "value": 0}).status_code == 200
    found = read(bootstrap_servers, topic, 3)
    assert [(message.key(), message.value()) for message in found] == [(None, None), (None, None), (None, b"0")]


def test_a_record_may_name_its_partition(proxy, state):
    topic = new_topic(state, partitions=3)
    answer = proxy.post(topic, *({"value": 1, "partition": partition} for partition in (2, 0, 2)))
    assert [(o["partition"], o["offset"]) for o in answer.json()["offsets"]] == [(2, 0), (0, 0), (2, 1)]


def test_an_error_of_one_record_is_in_its_place_and_the_others_are_written(proxy, state, bootstrap_servers):
    topic = new_topic(state)
    text = "x" * 1_000_000
    answer = proxy.post(
        topic, {"value": 1}, {"value": 2, "partition": 7}, {"value": text + text}, {"value": text}, {"value": 3}
    )
    assert answer.status_code == 200
    offsets = answer.json()["offsets"]
    assert [o["error_code"] for o in offsets] == [None, 50002, 50002, None, None]
    assert "partition" in offsets[1]["error"].lower()
    assert "too large" in offsets[2]["error"].lower()
    assert offsets[2]["partition"] is offsets[2]["offset"] is None
    assert [json.loads(m.value()) for m in read(bootstrap_servers, topic, 3)] == [1, text, 3]


def test_a_row_that_is_too_large_is_refused_whole_and_the_others_are_posted_once(proxy, state, bootstrap_servers):
    topic = new_topic(state)
    large = {"index": 3, "description": "x" * 2_000_000}
    rows = [SourceRow(draw, draw, json.dumps({"index": draw}).encode()) for draw in range(6)]
    rows[3] = SourceRow(3, 3, json.dumps(large).encode())
    settled = Settled()
    stop = threading.Event()
    sender = KafkaSender("pin", invoke_url=proxy.url, topic=topic, api_key="", policy=RetryPolicy(tries=2), stop=stop)

    sender.send(rows, settled)
    sender.close()

    assert [(row.ind, row.code, row.value) for row in settled.refused.values()] == [(3, "50002", large)]
    assert {draw: offset for draw, (_, offset) in settled.acknowledged.items()} == {0: 0, 1: 1, 2: 2, 4: 3, 5: 4}
    stored = [json.loads(message.value())["index"] for message in read(bootstrap_servers, topic, 5)]
    assert stored == [0, 1, 2, 4, 5]


def test_an_unknown_topic_is_404_until_it_is_made(proxy, state):
    assert error(proxy.post("no-such-topic", {"value": 1})) == (404, 40401)
    topic = new_topic(state)
    assert proxy.post(topic, {"value": 1}).status_code == 200


@pytest.mark.parametrize(
    ("body", "expected"),
    [
        pytest.param(b"", (400, 400), id="nothing"),
        pytest.param(b'{"records":[{"value":1}', (400, 400), id="cut off"),
        pytest.param(b'{"records":[{"value":1}]} x', (400, 400), id="more behind"),
        pytest.param(b'{"records":[{"value":1,}]}', (400, 400), id="comma too many"),
        pytest.param(b'{"records":[{"value":NaN}]}', (400, 400), id="NaN"),
        pytest.param(b'{"records":[{"value":"\xff"}]}', (400, 400), id="not UTF-8"),
        pytest.param(b'{"records":[{"value":"a\nb"}]}', (400, 400), id="raw newline in a string"),
        pytest.param(b'{"records":[{"value":' + b"[" * 100_000, (400, 400), id="too deep"),
        pytest.param(b"[]", (422, 422), id="no object"),
        pytest.param(b"{}", (422, 422), id="no records"),
        pytest.param(b'{"records":[]}', (422, 422), id="empty records"),
        pytest.param(b'{"records":{"value":1}}', (422, 422), id="records no array"),
        pytest.param(b'{"records":[1]}', (422, 422), id="record no object"),
        pytest.param(b'{"records":[{"data":1}]}', (422, 422), id="unknown field"),
        pytest.param(b'{"records":[{"value":1,"partition":-1}]}', (422, 422), id="negative partition"),
        pytest.param(b'{"records":[{"value":1,"partition":true}]}', (422, 422), id="partition no number"),
    ],
)
def test_a_request_that_is_wrong_is_refused_whole(body, expected):
    with pytest.raises(ApiError) as refused:
        parse_records(body, embedded_json)
    assert (refused.value.status, refused.value.code) == expected


def test_refusals_have_confluents_shape(proxy, state):
    topic = new_topic(state)
    answer = proxy.send(topic, b"{}")
    assert answer.json() == {"error_code": 422, "message": "records may not be empty"}
    assert answer.headers["Content-Type"].split(";")[0] == V2
    assert error(proxy.send(topic, b'{"records":[{"value":1}]}', "application/json")) == (415, 415)
    assert error(proxy.send(topic, b" " * (65 * 2**20))) == (413, 413)
    assert error(requests.get(f"{proxy.url}/nothing", timeout=5)) == (404, 404)
    assert error(requests.post(f"{proxy.url}/consumers/group", json={}, timeout=5)) == (404, 404)


def test_other_origins_may_read_every_answer_if_the_properties_say_so(proxy, home, bootstrap_servers):
    origin = {"Origin": "https://example.org"}
    open_proxy = Proxy(home, bootstrap_servers, "access.control.allow.origin=*")
    try:
        answers = [
            requests.get(f"{open_proxy.url}/topics", headers=origin),
            requests.post(
                f"{open_proxy.url}/topics/none", headers=origin | {"Content-Type": JSON}, data=b'{"records":[]}'
            ),
            requests.get(f"{open_proxy.url}/nowhere", headers=origin),
        ]
        unasked = requests.get(f"{open_proxy.url}/topics")
    finally:
        open_proxy.stop()

    assert [a.headers.get("Access-Control-Allow-Origin") for a in answers] == [origin["Origin"]] * 3
    assert "Access-Control-Allow-Origin" not in unasked.headers
    assert "Access-Control-Allow-Origin" not in requests.get(f"{proxy.url}/topics", headers=origin).headers


def test_topics_are_listed_and_described(proxy, state):
    topic = new_topic(state, partitions=2)
    listed = requests.get(f"{proxy.url}/topics", timeout=10).json()
    assert topic in listed
    assert not [name for name in listed if name.startswith("__")]
    described = requests.get(f"{proxy.url}/topics/{topic}", timeout=10).json()
    assert described["name"] == topic
    assert described["configs"]["cleanup.policy"] == "delete"
    replica = {"broker": 1, "leader": True, "in_sync": True}
    assert described["partitions"] == [{"partition": n, "leader": 1, "replicas": [replica]} for n in range(2)]
    assert error(requests.get(f"{proxy.url}/topics/no-such-topic", timeout=10)) == (404, 40401)


def test_a_broker_that_hangs_makes_retriable_errors_of_each_record(home, state, supervisor, bootstrap_servers):
    proxy = Proxy(home, bootstrap_servers, "producer.delivery.timeout.ms=2000", "producer.request.timeout.ms=1000")
    topic = new_topic(state)
    assert proxy.post(topic, {"value": 1}).status_code == 200
    broker = supervisor.process("kafka").pid
    os.kill(broker, signal.SIGSTOP)
    try:
        answer = proxy.post(topic, {"value": 2}, {"value": 3})
    finally:
        os.kill(broker, signal.SIGCONT)
    assert answer.status_code == 200
    assert [o["error_code"] for o in answer.json()["offsets"]] == [50003, 50003]
    wait_until(
        lambda: proxy.post(topic, {"value": 4}).json()["offsets"][0]["error_code"] is None, "it goes on", SECONDS
    )
    assert proxy.stop() == 0


def test_sigterm_ends_it_and_no_accepted_record_is_lost(home, state, bootstrap_servers):
    proxy = Proxy(home, bootstrap_servers)
    topic = new_topic(state)
    assert proxy.post(topic, *({"value": n} for n in range(1000))).status_code == 200
    assert proxy.stop() == 0
    assert [json.loads(m.value()) for m in read(bootstrap_servers, topic, 1000)] == list(range(1000))
    with pytest.raises(requests.ConnectionError):
        requests.get(f"{proxy.url}/topics", timeout=5)


def test_properties_are_read_as_java_reads_them():
    text = "# a comment\n! another\n\na = 1 # no comment\nb:2\nc 3\n d\\ e=\\u00e9\\t\\\n   more\nempty=\nlast=x=y"
    assert parse(text) == {"a": "1 # no comment", "b": "2", "c": "3", "d e": "é\tmore", "empty": "", "last": "x=y"}


def test_properties_reach_the_kafka_clients_they_are_for(tmp_path):
    file = tmp_path / "kafka-rest.properties"
    file.write_text(
        "bootstrap.servers=a:1\nlisteners=http://10.0.0.1:8083\nclient.security.protocol=PLAINTEXT\n"
        "producer.max.request.size=5\nconsumer.fetch.min.bytes=7\n"
    )
    configuration = Configuration.read(file)
    assert (configuration.host, configuration.port) == ("10.0.0.1", 8083)
    assert configuration.producer["message.max.bytes"] == "5"
    assert configuration.producer["acks"] == "all"
    assert "fetch.min.bytes" not in configuration.producer
    assert configuration.admin == {"bootstrap.servers": "a:1", "security.protocol": "PLAINTEXT"}


@pytest.mark.parametrize(
    ("lines", "expected"),
    [
        ("listeners=http://127.0.0.1:8082", "bootstrap.servers is not set"),
        ("bootstrap.servers=a:1\nlisteners=https://127.0.0.1:8082", "listeners=https://127.0.0.1:8082"),
        ("bootstrap.servers=a:1\nlisteners=http://127.0.0.1:x", "expected http://HOST:PORT"),
        ("bootstrap.servers=a:1\nclient.sasl.jaas.config=x required;", "client.sasl.jaas.config is set"),
    ],
)
def test_properties_that_cannot_work_are_named(tmp_path, lines, expected):
    file = tmp_path / "kafka-rest.properties"
    file.write_text(lines)
    with pytest.raises(PropertiesError, match=expected):
        Configuration.read(file)

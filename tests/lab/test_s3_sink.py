"""The S3 sink in a real Connect worker: what objects hold, and that nothing is lost whatever is killed or refused."""

from __future__ import annotations

import json
import re
import socket
import threading
import uuid
import zipfile
from base64 import b64decode
from collections import Counter
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest
import requests
from confluent_kafka import OFFSET_BEGINNING, Consumer, ConsumerGroupTopicPartitions, TopicPartition
from confluent_kafka.admin import AdminClient

from include.bucket_layout import SinkObject
from include.landing.objects import ListedObject, scan, split_lines
from lab.state import State
from lab.supervision import Supervisor
from tests.json_texts import REFUSED
from tests.lab.kafka_parts import (
    SECONDS,
    Connect,
    create_topic,
    kill,
    new_bucket,
    new_topic,
    numbered,
    objects,
    produce,
    s3,
    supervised,
)
from tests.lab.lab_parts import wait_until

ROOT = Path(__file__).parents[2]


@pytest.fixture(scope="module")
def state(tmp_path_factory) -> State:
    state = State.open(root=tmp_path_factory.mktemp("state"))
    with zipfile.ZipFile(state.install / "mirror" / "pinterest-s3-sink-1.0.zip") as archive:
        archive.extractall(state.path("connect", "plugins", "sink"))
    return state


@pytest.fixture(scope="module")
def supervisor(state) -> Iterator[Supervisor]:
    with supervised(state, "kafka", "aws", "connect") as supervisor:
        yield supervisor


@pytest.fixture(scope="module")
def connect(state, supervisor) -> Connect:
    return Connect(state)


@pytest.fixture
def bucket(state, supervisor) -> str:
    return new_bucket(state)


@pytest.fixture
def sink(state, connect, bucket):
    """Starts a connector with the properties that every test needs, and those it gives; deletes it at the end."""
    names = []

    def start(topic: str, **given: str) -> str:
        names.append(f"sink-{uuid.uuid4().hex}")
        configuration = {
            "connector.class": "pinterest.lab.S3SinkConnector",
            "tasks.max": "1",
            "topics": topic,
            "s3.bucket.name": bucket,
            "s3.region": "us-east-1",
            "store.url": f"http://127.0.0.1:{state.port('aws')}",
            "flush.size": "10",
            "consumer.override.auto.offset.reset": "earliest",
            "transforms": "position",
            "transforms.position.type": "org.apache.kafka.connect.transforms.InsertField$Value",
            "transforms.position.offset.field": "_offset",
        }
        connect.put(names[-1], configuration | {name.replace("__", "."): value for name, value in given.items()})
        return names[-1]

    yield start
    for name in names:
        connect.delete(name)


@pytest.fixture
def flaky_s3(state, supervisor) -> Iterator[FlakyS3]:
    with FlakyS3(state.port("aws")) as server:
        yield server


class FlakyS3:
    """Passes calls on to S3. PUTs of objects whose number is in ``failing`` get a 503, before or after their effect."""

    def __init__(self, s3_port: int, port: int = 0) -> None:
        self.upstream = f"http://127.0.0.1:{s3_port}"
        self.failing: dict[int, str] = {}
        self.puts: list[str] = []
        self.answered: list[str] = []
        outer = self

        class Handler(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def do_PUT(self) -> None:
                body = self.rfile.read(int(self.headers["Content-Length"]))
                outer.puts.append(self.path)
                failure = outer.failing.get(len(outer.puts))
                if failure != "before":
                    answer = outer.forward(self, body)
                if failure:
                    self.answer(503, {}, b"<Error><Code>ServiceUnavailable</Code><Message>later</Message></Error>")
                else:
                    outer.answered.append(self.path)
                    self.answer(answer.status_code, answer.headers, answer.content)

            def do_HEAD(self) -> None:
                answer = outer.forward(self, None)
                self.answer(answer.status_code, answer.headers, b"")

            def answer(self, status, headers, body) -> None:
                self.send_response(status)
                for name in ("ETag", "Content-Type"):
                    if name in headers:
                        self.send_header(name, headers[name])
                self.send_header("Content-Length", str(len(body)))
                self.end_headers()
                self.wfile.write(body)

            def log_message(self, *_) -> None:
                pass

        self.server = ThreadingHTTPServer(("127.0.0.1", port), Handler)
        self.url = f"http://127.0.0.1:{self.server.server_port}"

    def forward(self, request: BaseHTTPRequestHandler, body: bytes | None) -> requests.Response:
        kept = {name: value for name, value in request.headers.items() if name.lower() not in ("host", "connection")}
        return requests.request(request.command, f"{self.upstream}{request.path}", data=body, headers=kept, timeout=30)

    def __enter__(self) -> FlakyS3:
        threading.Thread(target=self.server.serve_forever, daemon=True).start()
        return self

    def __exit__(self, *_) -> None:
        self.server.shutdown()
        self.server.server_close()


def key(topic: str, first: int, partition: int = 0) -> str:
    return f"topics/{topic}/partition={partition}/{topic}+{partition}+{first:010d}.json"


def offsets(found: dict[str, list[dict]]) -> list[int]:
    return [line["_offset"] for lines in found.values() for line in lines]


def await_offsets(state: State, bucket: str, count: int) -> dict[str, list[dict]]:
    found: dict[str, list[dict]] = {}

    def complete() -> bool:
        found.clear()
        found.update(objects(state, bucket))
        return set(offsets(found)) >= set(range(count))

    wait_until(complete, f"offsets 0 to {count} in the bucket", SECONDS)
    return found


def assert_whole(topic: str, found: dict[str, list[dict]], count: int) -> None:
    """No gap, no loss; inside an object every record once, in order, from the offset in its name on."""
    assert set(offsets(found)) == set(range(count))
    for name, lines in found.items():
        first = lines[0]["_offset"]
        assert name == key(topic, first)
        assert [line["_offset"] for line in lines] == list(range(first, first + len(lines)))
        assert all(line["n"] == line["_offset"] for line in lines)


def test_an_object_holds_flush_size_records_under_the_name_of_its_first_offset(state, sink, bucket):
    topic = new_topic(state, partitions=2)
    sink(topic)
    produce(state, topic, numbered(0, 25))
    produce(state, topic, numbered(0, 10), partition=1)
    wait_until(lambda: len(objects(state, bucket)) == 3, "three full objects")
    found = objects(state, bucket)
    assert {name: len(lines) for name, lines in found.items()} == {
        key(topic, 0): 10,
        key(topic, 10): 10,
        key(topic, 0, partition=1): 10,
    }
    assert [line["n"] for line in found[key(topic, 10)]] == list(range(10, 20))


def test_text_arrives_as_it_was_sent(state, sink, bucket):
    topic = new_topic(state)
    row = {"title": "Farmhouse\nDining 😀 Room\u00a0…", "quote": '"', "n": 1.5, "big": 2**53 + 1, "nothing": None}
    sink(topic, flush__size="1", transforms="")
    produce(state, topic, [json.dumps(row, ensure_ascii=False).encode()])
    wait_until(lambda: objects(state, bucket), "an object")
    assert objects(state, bucket) == {key(topic, 0): [row]}


def test_an_open_object_is_written_when_it_is_old_enough_without_any_new_record(state, sink, bucket):
    topic = new_topic(state)
    sink(topic, flush__size="1000", rotate__schedule__interval__ms="500", timezone="UTC")
    produce(state, topic, numbered(0, 3))
    found = await_offsets(state, bucket, 3)
    assert list(found) == [key(topic, 0)]


def test_an_open_object_is_not_written_without_an_interval(state, sink, bucket):
    topic, other = new_topic(state), new_topic(state)
    sink(f"{topic},{other}", flush__size="3")
    produce(state, topic, numbered(0, 2))
    produce(state, other, numbered(0, 3))
    wait_until(lambda: objects(state, bucket), "the full object")
    assert list(objects(state, bucket)) == [key(other, 0)]


def test_an_object_ends_at_the_part_size(state, sink, bucket):
    topic = new_topic(state)
    sink(topic, flush__size="1000", s3__part__size="2500", transforms="")
    produce(state, topic, [json.dumps({"text": "x" * 1000}).encode()] * 6)
    wait_until(lambda: len(objects(state, bucket)) == 2, "two objects")
    assert {name: len(lines) for name, lines in objects(state, bucket).items()} == {key(topic, 0): 3, key(topic, 3): 3}


def test_poison_goes_to_the_dead_letters_and_the_names_skip_it(state, sink, bucket, connect):
    topic, dead = new_topic(state), new_topic(state)
    name = sink(
        topic,
        flush__size="2",
        errors__tolerance="all",
        errors__deadletterqueue__topic__name=dead,
        errors__deadletterqueue__topic__replication__factor="1",
    )
    good = numbered(0, 1)[0]
    produce(state, topic, [b"not json", good, b"[1,2]", good, b'"text"', good, good])
    wait_until(lambda: len(objects(state, bucket)) == 2, "two objects")
    found = objects(state, bucket)
    assert {key: [line["_offset"] for line in lines] for key, lines in found.items()} == {
        key(topic, 1): [1, 3],
        key(topic, 5): [5, 6],
    }
    assert connect.states(name) == ["RUNNING", "RUNNING"]


def template(name: str) -> str:
    return (ROOT / "include" / "templates" / name).read_text()


def pipelines_properties(beginning: str) -> dict[str, str]:
    """Those of the pipeline's connector that begin so and need no setting."""
    found = re.findall(rf"^((?:{beginning})[^=]*)=([^{{\n]+)$", template("s3_sink/s3-sink.properties"), re.MULTILINE)
    return dict(found)


def test_whatever_a_record_is_its_line_holds_its_bytes(state, sink, bucket, connect):
    """With the pipeline's own properties, which take the place of an earlier version's while the connector runs."""
    topic = new_topic(state)
    earlier = {f"transforms.position.{field}.field": f"_{field}" for field in ("topic", "partition", "timestamp")}
    name = sink(topic, flush__size="1", **earlier)
    produce(state, topic, [b'{"_value":"eA==","index":18446744073709554479}'])
    wait_until(lambda: objects(state, bucket), "the earlier version's object", SECONDS)
    texts = [text for text, _ in REFUSED.values()] + [b"x" * 1_048_400]

    kept = {name: value for name, value in connect.configuration(name).items() if not name.startswith("transforms")}
    connect.put(name, kept | {"flush.size": str(len(texts))} | pipelines_properties(r"value\.converter|transforms"))
    produce(state, topic, texts)

    wait_until(lambda: len(objects(state, bucket)) == 2, "an object of every text", SECONDS)
    [first], lines = objects(state, bucket).values()
    assert (first["index"], first["_value"], first["_offset"]) == (2863, "eA==", 0), "what JsonConverter makes of it"
    assert [list(line) for line in lines] == [["_value", "_topic", "_partition", "_offset", "_timestamp"]] * len(texts)
    assert [line["_offset"] for line in lines] == list(range(1, 1 + len(texts)))
    assert [line["_value"] if line["_value"] is None else b64decode(line["_value"]) for line in lines] == texts
    content = s3(state).get_object(Bucket=bucket, Key=key(topic, 1))["Body"].read()
    assert content.splitlines()[0].startswith(b'{"_value":null,"_topic":"')
    assert content.splitlines()[5].startswith(b'{"_value":"bm90IGpzb24=","_topic":"')
    scanned = scan(ListedObject(key(topic, 1), "", len(content)), SinkObject(topic, 0, 1), split_lines([content]))
    assert (scanned.ranges, scanned.faults) == (((1, 1 + len(texts)),), ())


def test_poison_as_large_as_a_topic_takes_becomes_a_dead_letter_whole(state, sink, bucket):
    """A dead letter is larger than its record: headers say what was wrong, with a stack trace."""
    topic, dead = new_topic(state), f"dead-{uuid.uuid4().hex}"
    [largest] = re.findall(r"LARGEST_DEAD_LETTER.* else (\d+) ", (ROOT / "dags/pinterest_stages/topics.py").read_text())
    create_topic(state, dead, config={"max.message.bytes": largest})
    sink(
        topic,
        errors__deadletterqueue__topic__name=dead,
        errors__deadletterqueue__topic__replication__factor="1",
        **pipelines_properties("errors|producer"),
    )
    poison = b"x" * 1_048_400

    produce(state, topic, [poison, numbered(0, 1)[0]])

    consumer = Consumer({"bootstrap.servers": f"127.0.0.1:{state.port('kafka')}", "group.id": "unused"})
    consumer.assign([TopicPartition(dead, 0, OFFSET_BEGINNING)])
    letter = consumer.poll(SECONDS)
    consumer.close()
    assert letter is not None
    assert letter.value() == poison
    assert dict(letter.headers())["__connect.errors.offset"] == b"0"


def committed(state: State, connector: str, topic: str, partition: int = 0) -> int:
    admin = AdminClient({"bootstrap.servers": f"127.0.0.1:{state.port('kafka')}"})
    asked = ConsumerGroupTopicPartitions(f"connect-{connector}", [TopicPartition(topic, partition)])
    [found] = admin.list_consumer_group_offsets([asked]).values()
    return found.result().topic_partitions[0].offset


def test_only_what_is_in_the_bucket_is_committed(state, sink, bucket):
    topic = new_topic(state)
    name = sink(topic)
    produce(state, topic, numbered(0, 15))
    wait_until(lambda: committed(state, name, topic) == 10, "the full object committed, the open one not", SECONDS)
    assert set(offsets(objects(state, bucket))) == set(range(10))


def test_poison_behind_the_last_object_is_committed_too(state, sink, bucket):
    topic, dead = new_topic(state), new_topic(state)
    name = sink(
        topic,
        errors__tolerance="all",
        errors__deadletterqueue__topic__name=dead,
        errors__deadletterqueue__topic__replication__factor="1",
    )
    produce(state, topic, [*numbered(0, 10), b"not json"])
    wait_until(lambda: committed(state, name, topic) == 11, "the poison is not read again", SECONDS)


@pytest.mark.parametrize("effect", ["before", "after"])
def test_a_failed_write_is_repeated_without_repeating_records(state, sink, bucket, flaky_s3, effect):
    """503 for longer than the SDK's own retries last, so that Connect hands over the batch again.

    It holds the records of two partitions: when a write of one fails, the other's object is half full.
    """
    topic = new_topic(state, partitions=2)
    for partition in range(2):
        produce(state, topic, numbered(0, 95), partition)
    flaky_s3.failing = dict.fromkeys(range(3, 13), effect)
    name = sink(topic, store__url=flaky_s3.url, rotate__schedule__interval__ms="3000", timezone="UTC")
    wait_until(lambda: committed(state, name, topic, 0) == committed(state, name, topic, 1) == 95, "all is in", SECONDS)
    found = objects(state, bucket)
    assert {name: [line["n"] for line in lines] for name, lines in found.items()} == {
        key(topic, first, partition): list(range(first, min(first + 10, 95)))
        for partition in range(2)
        for first in range(0, 95, 10)
    }
    assert len(flaky_s3.puts) > len(flaky_s3.answered) + 9
    assert Counter(flaky_s3.answered).most_common(1)[0][1] == 1


def test_s3_is_away_for_a_while_when_the_task_starts(state, sink, bucket, connect):
    with socket.socket() as reserved:
        reserved.bind(("127.0.0.1", 0))
        port = reserved.getsockname()[1]
        topic = new_topic(state)
        name = sink(topic, store__url=f"http://127.0.0.1:{port}")
        produce(state, topic, numbered(0, 10))
        connect.await_running(name)
    with FlakyS3(state.port("aws"), port):
        assert_whole(topic, await_offsets(state, bucket, 10), 10)


@pytest.mark.parametrize(
    ("given", "expected"),
    [
        pytest.param({"s3__bucket__name": "no-such-bucket"}, "no-such-bucket cannot be used", id="no bucket"),
        pytest.param({"transforms": "", "value": None}, "offset 0 has no value", id="null value"),
    ],
)
def test_what_cannot_be_helped_fails_the_task_and_says_why(state, sink, connect, given, expected):
    topic = new_topic(state)
    value = given.pop("value", b"{}")
    name = sink(topic, **given)
    produce(state, topic, [value])
    wait_until(lambda: "FAILED" in connect.states(name), "a failed task", SECONDS)
    assert expected in connect.trace(name)


def test_a_null_value_may_be_ignored(state, sink, bucket):
    topic = new_topic(state)
    name = sink(topic, flush__size="1", transforms="", behavior__on__null__values="ignore")
    produce(state, topic, [None, b'{"n": 1}', None])
    wait_until(lambda: committed(state, name, topic) == 3, "everything committed", SECONDS)
    assert objects(state, bucket) == {key(topic, 1): [{"n": 1}]}


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("flush.size", "0"),
        ("format.class", "io.confluent.connect.s3.format.avro.AvroFormat"),
        ("s3.compression.type", "gzip"),
        ("timezone", ""),
    ],
)
def test_a_choice_that_the_sink_does_not_have_is_refused(connect, name, value):
    configuration = {
        "connector.class": "pinterest.lab.S3SinkConnector",
        "name": "refused",
        "topics": "any",
        "s3.bucket.name": "any",
        "flush.size": "1",
        "rotate.schedule.interval.ms": "1000",
        "timezone": "UTC",
        "some.property.of.confluents": "is ignored",
    }
    url = f"{connect.url}/connector-plugins/S3SinkConnector/config/validate"
    assert requests.put(url, json=configuration, timeout=30).json()["error_count"] == 0
    answer = requests.put(url, json=configuration | {name: value}, timeout=30).json()
    assert [entry["value"]["name"] for entry in answer["configs"] if entry["value"]["errors"]] == [name]


def test_nothing_is_lost_when_the_worker_is_killed_in_mid_flight(state, sink, bucket, supervisor, flaky_s3):
    """Killed while it reads, writes and commits, more than once. Objects may be written again, under the same names."""
    count = 2000
    topic = new_topic(state)
    sink(topic, flush__size="50", rotate__schedule__interval__ms="1000", timezone="UTC", store__url=flaky_s3.url)
    for number in range(2):
        produce(state, topic, numbered(number * count // 2, count // 2))
        seen = len(flaky_s3.puts)
        wait_until(lambda seen=seen: len(flaky_s3.puts) > seen + 3, "objects are being written", SECONDS)
        kill(supervisor, "connect")
    assert_whole(topic, await_offsets(state, bucket, count), count)


def test_nothing_is_lost_when_the_broker_or_s3_is_killed(state, sink, bucket, supervisor):
    topic = new_topic(state)
    sink(topic, flush__size="50")
    produce(state, topic, numbered(0, 500))
    kill(supervisor, "aws")
    kill(supervisor, "kafka")
    produce(state, topic, numbered(500, 500))
    assert_whole(topic, await_offsets(state, bucket, 1000), 1000)

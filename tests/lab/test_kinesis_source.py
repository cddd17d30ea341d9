"""The lab's ``kinesis`` source on the emulated Kinesis: what it reads, and that nothing is lost or read twice."""

from __future__ import annotations

import json
import time
import uuid

import pytest

from lab.spark_worker.kinesis_shards import ShardReader, connect, shards_of
from tests.lab.lab_parts import client, wait_until


@pytest.fixture(scope="module")
def kinesis(aws):
    return client(aws, "kinesis")


@pytest.fixture
def stream(kinesis):
    name = f"source-{uuid.uuid4().hex[:8]}"
    kinesis.create_stream(StreamName=name, ShardCount=1)
    kinesis.get_waiter("stream_exists").wait(StreamName=name, WaiterConfig={"Delay": 1})
    yield name
    kinesis.delete_stream(StreamName=name)


@pytest.fixture
def reader(aws, stream, monkeypatch):
    monkeypatch.setenv("AWS_ENDPOINT_URL_KINESIS", f"http://127.0.0.1:{aws.port('aws')}")
    connect.cache_clear()
    source = connect("us-east-1", "anything", "anything")
    return ShardReader(source, stream, shards_of(source, stream)[0])


def put(kinesis, stream, count, first=0):
    """The sequence numbers, in the order of the records."""
    numbers = []
    for start in range(first, first + count, 500):
        records = [
            {"Data": json.dumps({"n": n}).encode(), "PartitionKey": str(n)}
            for n in range(start, min(start + 500, first + count))
        ]
        answer = kinesis.put_records(StreamName=stream, Records=records)
        numbers += [record["SequenceNumber"] for record in answer["Records"]]
    return numbers


def read(reader, after, last):
    """What is read, and what is told to be lost."""
    lost = []
    pages = reader.between(after, last, lost.append)
    return [json.loads(record["Data"])["n"] for page in pages for record in page], lost


def test_a_shard_without_records_has_no_newest(reader):
    assert reader.newest(None) is None


@pytest.mark.parametrize("count", [1, 99, 100, 101, 2345])
def test_the_newest_record_is_found_wherever_the_reader_stands(kinesis, stream, reader, count):
    numbers = put(kinesis, stream, count)

    assert [reader.newest(known) for known in (None, numbers[0], numbers[-1])] == [numbers[-1]] * 3


def test_the_newest_record_is_found_behind_a_pause(kinesis, stream, reader):
    put(kinesis, stream, 500)
    pause_ends = time.monotonic() + 1.2
    wait_until(lambda: time.monotonic() > pause_ends, "the clock goes on")
    numbers = put(kinesis, stream, 700)

    assert reader.newest(None) == numbers[-1]


def test_records_between_two_positions_are_read_once(kinesis, stream, reader):
    numbers = put(kinesis, stream, 1200)

    assert read(reader, None, numbers[899]) == ([*range(900)], [])
    assert read(reader, numbers[899], numbers[-1]) == ([*range(900, 1200)], [])


def test_an_expired_position_is_told_and_the_oldest_record_comes_next(kinesis, stream, reader):
    numbers = put(kinesis, stream, 3)
    expired = str(int(numbers[0]) - 1)

    found, lost = read(reader, expired, numbers[-1])

    assert found == [0, 1, 2]
    assert len(lost) == 1
    assert expired in lost[0]


def test_records_that_expired_before_the_batch_was_read_are_told(kinesis, stream, reader):
    numbers = put(kinesis, stream, 3)
    never_there = str(int(numbers[-1]) + 1)

    found, lost = read(reader, numbers[0], never_there)

    assert found == [1, 2]
    assert never_there in lost[0]
    assert numbers[-1] in lost[0]

"""What the lab does about Kinesis: acknowledged records stay, are read by number, and shards are resharded."""

from __future__ import annotations

import json
import os
import time
import uuid
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
import requests
from botocore.exceptions import ClientError

from lab.aws.kinesis.journal import Journal
from lab.aws.kinesis.sequence import Sequence
from lab.state import State
from tests.lab.kinesis_api import read_shard, read_stream
from tests.lab.lab_parts import client, running, start_aws, wait_until

SHARD = "shardId-000000000000"
HALF = str(2**127)


@pytest.fixture
def apart(tmp_path) -> State:
    return State.open(root=tmp_path / "state")


@pytest.fixture
def kinesis(aws) -> Any:
    return client(aws, "kinesis")


@pytest.fixture
def stream(kinesis) -> str:
    return new_stream(kinesis)


def new_stream(kinesis: Any, shards: int = 1) -> str:
    name = f"s-{uuid.uuid4().hex[:8]}"
    kinesis.create_stream(StreamName=name, ShardCount=shards)
    return name


def put(kinesis: Any, stream: str, *numbers: int, size: int = 0) -> list[dict[str, Any]]:
    records = [{"Data": b"%d" % n + b"x" * size, "PartitionKey": str(n)} for n in numbers]
    answer = kinesis.put_records(StreamName=stream, Records=records)
    assert answer["FailedRecordCount"] == 0
    return answer["Records"]


def data(records: Iterator[dict[str, Any]] | list[dict[str, Any]]) -> list[int]:
    return [int(record["Data"]) for record in records]


def error_of(call: Any, **arguments: Any) -> str:
    with pytest.raises(ClientError) as refused:
        call(**arguments)
    return refused.value.response["Error"]["Code"]


def expire(state: State, **what: Any) -> requests.Response:
    return requests.post(f"http://127.0.0.1:{state.port('aws')}/_lab/kinesis/expire", json=what)


# --- records and iterators -------------------------------------------------------------------------------------------


def test_a_record_comes_back_as_it_was_put(kinesis, stream):
    before = datetime.now(UTC) - timedelta(milliseconds=1)
    put_at = kinesis.put_record(StreamName=stream, Data=b"\x00\xff{", PartitionKey="é")
    [record] = read_stream(kinesis, stream)

    assert (record["Data"], record["PartitionKey"]) == (b"\x00\xff{", "é")
    assert record["SequenceNumber"] == put_at["SequenceNumber"]
    assert len(put_at["SequenceNumber"]) == 56
    assert put_at["ShardId"] == SHARD
    assert before - timedelta(seconds=1) < record["ApproximateArrivalTimestamp"] < datetime.now(UTC)


def test_a_sequence_number_of_a_stream_that_was_made_again_is_refused(kinesis, stream):
    [old] = put(kinesis, stream, 1)
    kinesis.delete_stream(StreamName=stream)
    wait_until(lambda: stream not in kinesis.list_streams()["StreamNames"], "the stream is gone")
    kinesis.create_stream(StreamName=stream, ShardCount=1)
    [new] = put(kinesis, stream, 2)
    place = {"StreamName": stream, "ShardId": SHARD, "ShardIteratorType": "AFTER_SEQUENCE_NUMBER"}

    refused = error_of(kinesis.get_shard_iterator, **place, StartingSequenceNumber=old["SequenceNumber"])

    assert refused == "InvalidArgumentException"
    assert kinesis.get_shard_iterator(**place, StartingSequenceNumber=new["SequenceNumber"])["ShardIterator"]


@pytest.mark.parametrize(
    ("start", "expected"),
    [
        ({"ShardIteratorType": "TRIM_HORIZON"}, [0, 1, 2, 3, 4]),
        ({"ShardIteratorType": "AT_SEQUENCE_NUMBER", "StartingSequenceNumber": 2}, [2, 3, 4]),
        ({"ShardIteratorType": "AFTER_SEQUENCE_NUMBER", "StartingSequenceNumber": 2}, [3, 4]),
        ({"ShardIteratorType": "AFTER_SEQUENCE_NUMBER", "StartingSequenceNumber": 4}, []),
        ({"ShardIteratorType": "AT_TIMESTAMP", "Timestamp": datetime(2020, 1, 1, tzinfo=UTC)}, [0, 1, 2, 3, 4]),
        ({"ShardIteratorType": "AT_TIMESTAMP", "Timestamp": datetime(2100, 1, 1, tzinfo=UTC)}, []),
        ({"ShardIteratorType": "LATEST"}, []),
    ],
    ids=lambda value: value.get("ShardIteratorType") if isinstance(value, dict) else str(len(value)),
)
def test_where_an_iterator_begins(kinesis, stream, start, expected):
    numbers = [record["SequenceNumber"] for record in put(kinesis, stream, *range(5))]
    if "StartingSequenceNumber" in start:
        start = {**start, "StartingSequenceNumber": numbers[start["StartingSequenceNumber"]]}

    assert data(read_shard(kinesis, stream, SHARD, **start)) == expected


def test_a_timestamp_finds_the_records_that_came_since(kinesis, stream):
    put(kinesis, stream, 0)
    since = int(time.time()) + 1  # boto3 sends whole seconds
    wait_until(lambda: time.time() > since, "the next second has begun")
    put(kinesis, stream, 1)

    assert data(read_shard(kinesis, stream, SHARD, ShardIteratorType="AT_TIMESTAMP", Timestamp=since)) == [1]


def test_the_latest_iterator_sees_what_comes_after_it(kinesis, stream):
    put(kinesis, stream, 0)
    start = {"StreamName": stream, "ShardId": SHARD, "ShardIteratorType": "LATEST"}
    iterator = kinesis.get_shard_iterator(**start)["ShardIterator"]
    put(kinesis, stream, 1)

    assert data(kinesis.get_records(ShardIterator=iterator)["Records"]) == [1]


def test_pages_follow_each_other_and_say_how_far_behind_they_are(kinesis, stream):
    put(kinesis, stream, *range(10))
    start = {"StreamName": stream, "ShardId": SHARD, "ShardIteratorType": "TRIM_HORIZON"}
    first = kinesis.get_records(ShardIterator=kinesis.get_shard_iterator(**start)["ShardIterator"], Limit=4)
    second = kinesis.get_records(ShardIterator=first["NextShardIterator"])

    assert (data(first["Records"]), data(second["Records"])) == ([0, 1, 2, 3], [4, 5, 6, 7, 8, 9])
    assert first["MillisBehindLatest"] > 0
    assert second["MillisBehindLatest"] == 0


def test_a_page_is_ten_megabytes_at_most(kinesis, stream):
    for _ in range(3):
        kinesis.put_records(
            StreamName=stream, Records=[{"Data": b"x" * 900_000, "PartitionKey": "1"} for _ in range(5)]
        )
    start = {"StreamName": stream, "ShardId": SHARD, "ShardIteratorType": "TRIM_HORIZON"}
    page = kinesis.get_records(ShardIterator=kinesis.get_shard_iterator(**start)["ShardIterator"])

    assert len(page["Records"]) == 11
    assert len(read_stream(kinesis, stream)) == 15


def test_an_iterator_skips_nothing_when_older_records_expire(aws, kinesis, stream):
    put(kinesis, stream, *range(10))
    start = {"StreamName": stream, "ShardId": SHARD, "ShardIteratorType": "TRIM_HORIZON"}
    first = kinesis.get_records(ShardIterator=kinesis.get_shard_iterator(**start)["ShardIterator"], Limit=5)
    assert expire(aws, stream=stream, records=5).json() == {"expired": {SHARD: 5}}

    assert data(kinesis.get_records(ShardIterator=first["NextShardIterator"])["Records"]) == [5, 6, 7, 8, 9]
    assert data(read_stream(kinesis, stream)) == [5, 6, 7, 8, 9]


@pytest.mark.parametrize("what", [{"stream": "none", "records": 1}, {"records": 1}, {"stream": "s"}, []])
def test_what_cannot_expire_is_a_400(aws, what):
    answer = requests.post(f"http://127.0.0.1:{aws.port('aws')}/_lab/kinesis/expire", json=what)

    assert answer.status_code == 400


@pytest.mark.parametrize(
    ("records", "code"),
    [
        pytest.param([{"Data": b"x", "PartitionKey": "1"}] * 501, "ValidationException", id="501 records"),
        pytest.param([{"Data": b"x" * 2**20, "PartitionKey": "1"}], "ValidationException", id="more than 1 MiB"),
        pytest.param([{"Data": b"x" * 900_000, "PartitionKey": "1"}] * 6, "InvalidArgumentException", id="over 5 MiB"),
    ],
)
def test_a_request_that_is_too_large_is_refused_as_a_whole(kinesis, stream, records, code):
    assert error_of(kinesis.put_records, StreamName=stream, Records=records) == code
    assert read_stream(kinesis, stream) == []


def test_what_is_not_there_is_said(kinesis, stream):
    assert error_of(kinesis.put_record, StreamName="none", Data=b"", PartitionKey="1") == "ResourceNotFoundException"
    start = {"StreamName": stream, "ShardId": "shardId-000000000009", "ShardIteratorType": "LATEST"}
    assert error_of(kinesis.get_shard_iterator, **start) == "ResourceNotFoundException"
    assert error_of(kinesis.get_records, ShardIterator="x") == "InvalidArgumentException"


def test_records_go_to_shards_by_the_hash_of_their_key(kinesis):
    stream = new_stream(kinesis, shards=2)
    low = kinesis.put_record(StreamName=stream, Data=b"1", PartitionKey="a", ExplicitHashKey=str(2**127 - 1))
    high = kinesis.put_record(StreamName=stream, Data=b"2", PartitionKey="a", ExplicitHashKey=HALF)
    by_hash = kinesis.put_record(StreamName=stream, Data=b"3", PartitionKey="a")  # MD5 of "a" is 0cc1…

    assert [r["ShardId"] for r in (low, high, by_hash)] == [SHARD, "shardId-000000000001", SHARD]


# --- streams and shards ----------------------------------------------------------------------------------------------


def test_an_on_demand_stream_has_four_shards_and_its_tags(kinesis):
    name = f"s-{uuid.uuid4().hex[:8]}"
    kinesis.create_stream(StreamName=name, StreamModeDetails={"StreamMode": "ON_DEMAND"}, Tags={"a": "b"})
    summary = kinesis.describe_stream_summary(StreamName=name)["StreamDescriptionSummary"]

    assert (summary["StreamModeDetails"]["StreamMode"], summary["OpenShardCount"]) == ("ON_DEMAND", 4)
    assert kinesis.list_tags_for_stream(StreamName=name)["Tags"] == [{"Key": "a", "Value": "b"}]


def test_the_mode_can_be_changed(kinesis, stream):
    arn = kinesis.describe_stream_summary(StreamName=stream)["StreamDescriptionSummary"]["StreamARN"]
    kinesis.update_stream_mode(StreamARN=arn, StreamModeDetails={"StreamMode": "ON_DEMAND"})
    summary = kinesis.describe_stream_summary(StreamName=stream)["StreamDescriptionSummary"]

    assert summary["StreamModeDetails"]["StreamMode"] == "ON_DEMAND"


def test_a_split_closes_the_parent_and_loses_nothing(kinesis, stream):
    put(kinesis, stream, 1, 2)
    kinesis.split_shard(StreamName=stream, ShardToSplit=SHARD, NewStartingHashKey=HALF)
    after = put(kinesis, stream, *range(3, 40))
    shards = {shard["ShardId"]: shard for shard in kinesis.list_shards(StreamName=stream)["Shards"]}
    parent, *children = shards.values()
    start = {"StreamName": stream, "ShardId": SHARD, "ShardIteratorType": "TRIM_HORIZON"}
    end = kinesis.get_records(ShardIterator=kinesis.get_shard_iterator(**start)["ShardIterator"])

    assert "EndingSequenceNumber" in parent["SequenceNumberRange"]
    assert [child["ParentShardId"] for child in children] == [SHARD, SHARD]
    assert {record["ShardId"] for record in after} == {child["ShardId"] for child in children}
    assert data(end["Records"]) == [1, 2]
    assert "NextShardIterator" not in end
    assert [child["ShardId"] for child in end["ChildShards"]] == [child["ShardId"] for child in children]
    assert sorted(data(read_stream(kinesis, stream))) == list(range(1, 40))
    summary = kinesis.describe_stream_summary(StreamName=stream)["StreamDescriptionSummary"]
    assert summary["OpenShardCount"] == 2


def test_a_merge_closes_both_parents_and_loses_nothing(kinesis):
    stream = new_stream(kinesis, shards=2)
    put(kinesis, stream, *range(20))
    other = "shardId-000000000001"
    kinesis.merge_shards(StreamName=stream, ShardToMerge=SHARD, AdjacentShardToMerge=other)
    [after] = put(kinesis, stream, 20)
    *parents, child = kinesis.list_shards(StreamName=stream)["Shards"]

    assert (child["ParentShardId"], child["AdjacentParentShardId"]) == (SHARD, other)
    assert child["HashKeyRange"] == {"StartingHashKey": "0", "EndingHashKey": str(2**128 - 1)}
    assert all("EndingSequenceNumber" in parent["SequenceNumberRange"] for parent in parents)
    assert after["ShardId"] == child["ShardId"]
    assert sorted(data(read_stream(kinesis, stream))) == list(range(21))


def test_what_cannot_be_resharded_stays_as_it_is(kinesis):
    stream = new_stream(kinesis, shards=3)
    first, second, third = (f"shardId-{n:012d}" for n in range(3))
    split, merge = kinesis.split_shard, kinesis.merge_shards

    def merged(one: str, adjacent: str) -> str:
        return error_of(merge, StreamName=stream, ShardToMerge=one, AdjacentShardToMerge=adjacent)

    assert merged(first, third) == "InvalidArgumentException"
    assert merged(first, "shardId-000000000009") == "ResourceNotFoundException"
    outside = {"StreamName": stream, "ShardToSplit": first, "NewStartingHashKey": HALF}
    assert error_of(split, **outside) == "InvalidArgumentException"
    merge(StreamName=stream, ShardToMerge=first, AdjacentShardToMerge=second)
    assert merged(first, second) == "InvalidArgumentException"
    assert len(kinesis.list_shards(StreamName=stream)["Shards"]) == 4


@pytest.mark.parametrize(("before", "wanted"), [(1, 2), (2, 3), (3, 2), (4, 2), (3, 5), (5, 3)])
def test_scaling_makes_equal_shards_and_loses_nothing(kinesis, before, wanted):
    stream = new_stream(kinesis, shards=before)
    put(kinesis, stream, *range(50))
    kinesis.update_shard_count(StreamName=stream, TargetShardCount=wanted, ScalingType="UNIFORM_SCALING")
    put(kinesis, stream, *range(50, 100))
    shards = kinesis.list_shards(StreamName=stream)["Shards"]
    opened = [s["HashKeyRange"] for s in shards if "EndingSequenceNumber" not in s["SequenceNumberRange"]]
    starts = sorted(int(one["StartingHashKey"]) for one in opened)

    assert starts == [2**128 * n // wanted for n in range(wanted)]
    assert sorted(int(one["EndingHashKey"]) + 1 for one in opened) == [*starts[1:], 2**128]
    assert sorted(data(read_stream(kinesis, stream))) == list(range(100))


def test_shards_are_at_most_doubled(kinesis, stream):
    arguments = {"StreamName": stream, "TargetShardCount": 3, "ScalingType": "UNIFORM_SCALING"}

    assert error_of(kinesis.update_shard_count, **arguments) == "LimitExceededException"


# --- what a kill leaves ----------------------------------------------------------------------------------------------


def test_a_kill_loses_nothing_that_was_acknowledged(apart):
    part = start_aws(apart)
    kinesis = client(apart, "kinesis")
    kinesis.create_stream(StreamName="kept", ShardCount=1)
    put(kinesis, "kept", *range(10))
    kinesis.split_shard(StreamName="kept", ShardToSplit=SHARD, NewStartingHashKey=HALF)
    kinesis.increase_stream_retention_period(StreamName="kept", RetentionPeriodHours=48)
    put(kinesis, "kept", *range(10, 20))
    expire(apart, stream="kept", records=3, shard=SHARD)
    [last] = put(kinesis, "kept", 20)
    iterator = kinesis.get_shard_iterator(StreamName="kept", ShardId=SHARD, ShardIteratorType="TRIM_HORIZON")
    before = read_stream(kinesis, "kept")
    part.kill()
    with running(start_aws(apart)):
        kinesis = client(apart, "kinesis")
        assert read_stream(kinesis, "kept") == before
        assert sorted(data(before)) == list(range(3, 21))
        summary = kinesis.describe_stream_summary(StreamName="kept")["StreamDescriptionSummary"]
        assert (summary["OpenShardCount"], summary["RetentionPeriodHours"]) == (2, 48)
        assert data(kinesis.get_records(ShardIterator=iterator["ShardIterator"])["Records"]) == list(range(3, 10))
        [new] = put(kinesis, "kept", 21)
        assert int(new["SequenceNumber"]) > int(last["SequenceNumber"])


def test_a_deleted_stream_takes_its_records_along(apart):
    part = start_aws(apart)
    kinesis = client(apart, "kinesis")
    kinesis.create_stream(StreamName="again", ShardCount=1)
    put(kinesis, "again", 1)
    kinesis.delete_stream(StreamName="again")
    kinesis.create_stream(StreamName="again", ShardCount=1)
    put(kinesis, "again", 2)
    part.kill()
    with running(start_aws(apart)):
        assert data(read_stream(client(apart, "kinesis"), "again")) == [2]


# --- the parts -------------------------------------------------------------------------------------------------------


def test_numbers_grow_when_the_clock_goes_back(monkeypatch):
    sequence = Sequence()
    monkeypatch.setattr(time, "time", lambda: 2_000.0)
    before = sequence.next()
    monkeypatch.setattr(time, "time", lambda: 1_000.0)
    later = sequence.next()
    after_a_restart = Sequence()
    after_a_restart.go_on_after(later)

    assert before < later < after_a_restart.next()


def test_a_line_that_was_cut_short_is_no_record(tmp_path):
    journal = Journal(tmp_path)
    journal.append("arn:1", "put", {"shard": [["1", "key", "data"]]}, kept_seconds=60)
    [segment] = tmp_path.rglob("*.jsonl")
    with segment.open("ab") as file:
        file.write(b'["put",{"shard":[["2","ke')
    again = Journal(tmp_path)
    again.append("arn:1", "put", {"shard": [["3", "key", "data"]]}, kept_seconds=60)

    assert [by_shard["shard"][0][0] for _, by_shard in again.read("arn:1")] == ["1", "3"]


def test_segments_that_expired_are_deleted(tmp_path):
    journal = Journal(tmp_path, segment_size=1)
    for number in range(3):
        journal.append("arn:1", "put", {"shard": number}, kept_seconds=60)
    for segment in sorted(tmp_path.rglob("*.jsonl"))[:2]:
        os.utime(segment, (0, 0))
    journal.append("arn:1", "put", {"shard": 3}, kept_seconds=60)

    assert [by_shard["shard"] for _, by_shard in journal.read("arn:1")] == [2, 3]


def test_a_record_that_cannot_be_written_leaves_no_trace(tmp_path, monkeypatch):
    journal = Journal(tmp_path)
    journal.append("arn:1", "put", {"shard": 1}, kept_seconds=60)
    write = os.write
    writes = iter([lambda fd, data: write(fd, data[:5])])

    def full(descriptor: int, content: bytes) -> int:
        for once in writes:
            return once(descriptor, content)
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(os, "write", full)
    with pytest.raises(OSError, match="No space"):
        journal.append("arn:1", "put", {"shard": 2}, kept_seconds=60)
    monkeypatch.setattr(os, "write", write)
    journal.append("arn:1", "put", {"shard": 3}, kept_seconds=60)

    assert [by_shard["shard"] for _, by_shard in journal.read("arn:1")] == [1, 3]
    assert json.loads(next(tmp_path.rglob("*.jsonl")).read_text().splitlines()[1]) == ["put", {"shard": 3}]

"""The Kinesis calls that are answered here instead of in ministack."""

from __future__ import annotations

import base64
import copy
import json
import re
import time
from collections.abc import Callable, Iterator
from typing import Any

from lab.aws.kinesis import resharding
from lab.aws.kinesis.journal import Journal
from lab.aws.kinesis.records import (
    MOST_RECORDS_READ,
    Record,
    RefusedError,
    ShardIterator,
    constraint,
    number_of,
    page,
    start,
)
from lab.aws.kinesis.resharding import ReshardingError, Shard, Stream
from lab.aws.kinesis.sequence import Sequence, after
from lab.aws.kinesis.store import Store

type Request = dict[str, Any]
type Answer = tuple[int, dict[str, str], Any]

STREAM_NAME = re.compile(r"[a-zA-Z0-9_.-]{1,128}")
ON_DEMAND_SHARDS = 4
MOST_RECORDS = 500
WITHOUT_A_TRACE = ("Describe", "Get", "List", "PutRecord")


class Kinesis:
    """``service`` is ministack's module. ``save`` writes its state, without records, before a change is answered."""

    def __init__(self, service: Any, journal: Journal, save: Callable[[], None]) -> None:
        self.service = service
        self.save = save
        self.sequence = Sequence()
        self.store = Store(journal, self.sequence)
        self.original = {
            name: getattr(service, name)
            for name in ("handle_request", "load_persisted_state", "_create_stream", "_delete_stream", "_shard_out")
        }

    def install(self) -> None:
        """Replace ministack's functions; ministack looks each one up on every call."""
        self.service.handle_request = self.handle_request
        self.service.get_state = self.get_state
        self.service.load_persisted_state = self.load_persisted_state
        self.service._next_sequence_number = self.sequence.next
        self.service._expire_iterators = lambda: None
        self.service._expire_records = self.store.expire
        self.service._shard_out = self.describe_shard
        for name in (
            "create_stream",
            "delete_stream",
            "describe_stream_summary",
            "put_record",
            "put_records",
            "get_shard_iterator",
            "get_records",
            "split_shard",
            "merge_shards",
            "update_shard_count",
        ):
            setattr(self.service, f"_{name}", self.answering(getattr(self, name)))

    def answering(self, call: Callable[[Request], dict[str, Any] | Answer]) -> Callable[[Request], Answer]:
        def answer(request: Request) -> Answer:
            try:
                content = call(request)
            except RefusedError as error:
                return self.error(error.error_type, str(error), 400)
            except LookupError as error:
                return self.error("ResourceNotFoundException", str(error.args[0]), 400)
            except ReshardingError as error:
                return self.error("InvalidArgumentException", str(error), 400)
            except OSError as error:
                return self.error("InternalFailureException", f"not stored: {error}", 500)
            if isinstance(content, tuple):
                return content
            as_json: Answer = self.service.json_response(content)
            return as_json

        return answer

    def error(self, error_type: str, message: str, status: int) -> Answer:
        answer: Answer = self.service.error_response_json(error_type, message, status)
        return answer

    async def handle_request(
        self, method: str, path: str, headers: dict[str, str], body: bytes, query: dict[str, Any]
    ) -> Answer:
        operation = headers.get("x-amz-target", "").rpartition(".")[2]
        if operation == "UpdateStreamMode":
            answer: Answer = self.answering(self.update_stream_mode)(json.loads(body))
        else:
            answer = await self.original["handle_request"](method, path, headers, body, query)
        if not operation.startswith(WITHOUT_A_TRACE):
            self.save()
        return answer

    # --- state -------------------------------------------------------------------------------------------------------

    def get_state(self) -> dict[str, Any]:
        """What ministack stores, without the records."""
        streams = type(self.service._streams)()
        for key, stream in self.service._streams._data.items():
            shards = {shard_id: {**shard, "records": []} for shard_id, shard in stream["shards"].items()}
            streams._data[key] = {**stream, "shards": shards}
        return {
            "streams": streams,
            "consumers": copy.deepcopy(self.service._consumers),
            "resource_policies": copy.deepcopy(self.service._resource_policies),
        }

    def load_persisted_state(self, state: dict[str, Any]) -> None:
        self.original["load_persisted_state"](state)
        streams = list(self.service._streams._data.values())
        for stream in streams:
            self.store.load(stream)
        self.store.journal.keep_only([stream["StreamARN"] for stream in streams])

    def expire_now(self, stream_arn: str, records: int, shard_id: str | None = None) -> dict[str, int]:
        """Expire the oldest ``records`` of one shard, or of every shard, early. Returns how many expired, by shard."""
        _, _, _, region, account, resource = stream_arn.split(":", 5)
        stream = self.service._streams.get_scoped(account, region, resource.removeprefix("stream/"))
        if stream is None:
            raise LookupError(f"Stream {stream_arn} not found")
        return self.store.expire_now(stream, records, shard_id)

    # --- streams and shards ------------------------------------------------------------------------------------------

    def create_stream(self, request: Request) -> Answer:
        name = request.get("StreamName", "")
        if not STREAM_NAME.fullmatch(name):
            raise constraint("streamName", f"{name!r} does not match {STREAM_NAME.pattern}")
        if request.get("StreamModeDetails", {}).get("StreamMode") == "ON_DEMAND":
            request = {**request, "ShardCount": ON_DEMAND_SHARDS}
        answer: Answer = self.original["_create_stream"](request)
        if answer[0] == 200:
            stream = self.service._streams[name]
            stream["tags"] = dict(request.get("Tags", {}))
            self.store.journal.forget(stream["StreamARN"])
        return answer

    def delete_stream(self, request: Request) -> Answer:
        _, stream = self.service._resolve_stream(request)
        answer: Answer = self.original["_delete_stream"](request)
        if stream:
            self.store.journal.forget(stream["StreamARN"])
        return answer

    def describe_stream_summary(self, request: Request) -> dict[str, Any]:
        stream = self.stream(request)
        described = self.service._stream_desc(stream, [])
        del described["Shards"], described["HasMoreShards"]
        consumers = sum(c["StreamARN"] == stream["StreamARN"] for c in self.service._consumers.values())
        counts = {"OpenShardCount": len(resharding.open_shards(stream)), "ConsumerCount": consumers}
        return {"StreamDescriptionSummary": {**described, **counts}}

    def describe_shard(self, shard_id: str, shard: Shard) -> dict[str, Any]:
        described: dict[str, Any] = self.original["_shard_out"](shard_id, shard)
        if resharding.is_closed(shard):
            described["SequenceNumberRange"]["EndingSequenceNumber"] = shard["ending_sequence_number"]
        return described

    def update_stream_mode(self, request: Request) -> dict[str, Any]:
        self.stream(request)["StreamModeDetails"] = dict(request["StreamModeDetails"])
        return {}

    def split_shard(self, request: Request) -> dict[str, Any]:
        at = int(request["NewStartingHashKey"])
        resharding.split(self.stream(request), request["ShardToSplit"], at, self.sequence)
        return {}

    def merge_shards(self, request: Request) -> dict[str, Any]:
        pair = request["ShardToMerge"], request["AdjacentShardToMerge"]
        resharding.merge(self.stream(request), *pair, self.sequence)
        return {}

    def update_shard_count(self, request: Request) -> dict[str, Any]:
        stream, wanted = self.stream(request), int(request["TargetShardCount"])
        count = len(resharding.open_shards(stream))
        if not count / 2 <= wanted <= count * 2:
            raise RefusedError("LimitExceededException", f"{count} shards cannot become {wanted}: half to double")
        resharding.scale(stream, wanted, self.sequence)
        names = {"StreamName": stream["StreamName"], "StreamARN": stream["StreamARN"]}
        return {**names, "CurrentShardCount": count, "TargetShardCount": wanted}

    def stream(self, request: Request) -> Stream:
        name, found = self.service._resolve_stream(request)
        if found is None:
            raise LookupError(f"Stream {name} under account {self.service.get_account_id()} not found.")
        stream: Stream = found
        return stream

    # --- records -----------------------------------------------------------------------------------------------------

    def put_record(self, request: Request) -> dict[str, Any]:
        stream = self.stream(request)
        [placed] = self.accepted(stream, [request])
        return placed

    def put_records(self, request: Request) -> dict[str, Any]:
        stream = self.stream(request)
        entries = request.get("Records", [])
        if not 1 <= len(entries) <= MOST_RECORDS:
            raise constraint("records", f"Member must have length between 1 and {MOST_RECORDS}")
        return {"FailedRecordCount": 0, "Records": self.accepted(stream, entries), "EncryptionType": encryption(stream)}

    def accepted(self, stream: Stream, entries: list[dict[str, Any]]) -> list[dict[str, Any]]:
        shared = {"EncryptionType": encryption(stream)}
        placed = self.store.put(stream, entries)
        return [{"SequenceNumber": number_of(record), "ShardId": shard_id, **shared} for shard_id, record in placed]

    def get_shard_iterator(self, request: Request) -> dict[str, Any]:
        stream, shard_id = self.stream(request), request["ShardId"]
        self.store.expire(stream)
        at = start(self.shard(stream, shard_id), request, self.sequence)
        return {"ShardIterator": str(ShardIterator(stream["StreamARN"], shard_id, at, time.time()))}

    def get_records(self, request: Request) -> dict[str, Any]:
        iterator = ShardIterator.of(request.get("ShardIterator"))
        stream = self.stream({"StreamARN": iterator.stream_arn})
        self.store.expire(stream)
        shard = self.shard(stream, iterator.shard_id)
        records, waiting_since = page(shard, iterator.at, request.get("Limit", MOST_RECORDS_READ))
        behind = 0 if waiting_since is None else max(1, int((time.time() - waiting_since) * 1000))
        answer = {"Records": list(self.as_read(stream, records)), "MillisBehindLatest": behind}
        if resharding.is_closed(shard) and waiting_since is None:
            children = resharding.children(stream, iterator.shard_id).items()
            return {**answer, "ChildShards": [child(shard_id, shard) for shard_id, shard in children]}
        at = after(number_of(records[-1])) if records else iterator.at
        following = ShardIterator(iterator.stream_arn, iterator.shard_id, at, time.time())
        return {**answer, "NextShardIterator": str(following)}

    def shard(self, stream: Stream, shard_id: str) -> Shard:
        if shard_id not in stream["shards"]:
            raise LookupError(f"Shard {shard_id} in stream {stream['StreamName']} does not exist")
        shard: Shard = stream["shards"][shard_id]
        return shard

    def as_read(self, stream: Stream, records: list[Record]) -> Iterator[dict[str, Any]]:
        kind = encryption(stream)
        for record in records:
            yield {**record, "Data": base64.b64encode(record["Data"]).decode(), "EncryptionType": kind}


def encryption(stream: Stream) -> str:
    return str(stream.get("EncryptionType", "NONE"))


def child(shard_id: str, shard: Shard) -> dict[str, Any]:
    hash_keys = {"StartingHashKey": shard["starting_hash_key"], "EndingHashKey": shard["ending_hash_key"]}
    return {"ShardId": shard_id, "ParentShards": resharding.parents(shard), "HashKeyRange": hash_keys}

"""The REST API with Kinesis behind it, in this process: two shards a stream, sequence numbers as real ones."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import dataclass
from http.server import BaseHTTPRequestHandler
from typing import Any

from tests.local.fake_rest_api import FakeRestApi, Fault, Request

SHARDS = 2
FIRST_NUMBER = 49_600_000_000_000_000_000_000_000_000_000_000_000_000_000_000_000_000_000

THROTTLED = "ProvisionedThroughputExceededException"


@dataclass
class Put:
    partition_key: str
    data: Any
    shard_id: str
    sequence_number: int


def kinesis_error(name: str, message: str = "said by Kinesis", status: int = 400) -> Fault:
    return Fault(status=status, body=json.dumps({"__type": name, "message": message}).encode())


class FakeStreamApi(FakeRestApi):
    """``put_error`` may fail single records: inside a 200 of PutRecords, with a 400 of PutRecord."""

    def __init__(self) -> None:
        self.entities: dict[str, list[Put]] = {}
        self.put_error: Callable[[Request, dict[str, Any]], tuple[str, str] | None] = lambda request, record: None
        super().__init__()

    def keys(self, entity: str) -> list[int]:
        return [int(put.partition_key) for put in self.entities.get(entity, [])]

    def put(self, request: Request) -> list[dict[str, Any]]:
        answers: list[dict[str, Any]] = []
        with self._lock:
            puts = self.entities.setdefault(request.path.split("/")[-2], [])
            for record in request.records:
                error = self.put_error(request, record)
                if error is not None:
                    answers.append({"ErrorCode": error[0], "ErrorMessage": error[1]})
                    continue
                shard = int(record["partition-key"]) % SHARDS
                put = Put(
                    record["partition-key"], record["data"], f"shardId-{shard:012d}", FIRST_NUMBER + 7 * len(puts)
                )
                puts.append(put)
                answers.append({"SequenceNumber": str(put.sequence_number), "ShardId": put.shard_id})
        return answers

    def _handler(api) -> type[BaseHTTPRequestHandler]:
        posting = super()._handler()

        class Handler(posting):  # type: ignore[valid-type, misc]
            def do_PUT(self) -> None:
                body = self.rfile.read(int(self.headers["Content-Length"]))
                document = json.loads(body)
                one = "records" not in document
                records = (
                    [{"data": document["Data"], "partition-key": document["PartitionKey"]}]
                    if one
                    else document["records"]
                )
                request = Request(self.path, dict(self.headers), records, len(body), self.client_address)
                fault = api.next_fault(request)
                api.before(request)
                answers = api.put(request) if fault is None or fault.kept else []
                if fault is not None:
                    self.fail(fault)
                elif not one:
                    failed = sum("ErrorCode" in answer for answer in answers)
                    self.answer(200, json.dumps({"FailedRecordCount": failed, "Records": answers}).encode())
                elif "ErrorCode" in answers[0]:
                    error = {"__type": answers[0]["ErrorCode"], "message": answers[0]["ErrorMessage"]}
                    self.answer(400, json.dumps(error).encode())
                else:
                    self.answer(200, json.dumps(answers[0]).encode())

            def fail(self, fault: Fault) -> None:
                if fault.hang:
                    api.released.wait(30)
                    self.close_connection = True
                elif fault.reset:
                    self.connection.close()
                    self.close_connection = True
                else:
                    self.answer(fault.status or 200, fault.body, fault.headers)

        return Handler

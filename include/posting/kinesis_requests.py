"""Requests that put rows into a Kinesis data stream through the REST API: what fits into one, what answers say."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from typing import Any, Literal

from include.posting.sender import SourceRow

Mode = Literal["record", "records"]

MOST_RECORDS = 500
MOST_BYTES = 5 * 1024 * 1024
LARGEST_RECORD = 1024 * 1024
FRAME_BYTES = 40

RETRIED_ERRORS = frozenset(
    {
        "InternalFailure",
        "InternalFailureException",
        "InternalServerError",
        "KMSThrottlingException",
        "LimitExceededException",
        "ProvisionedThroughputExceededException",
        "RequestLimitExceeded",
        "ResourceInUseException",
        "ServiceUnavailable",
        "ThrottlingException",
    }
)
SPLIT_ERRORS = frozenset({"InvalidArgumentException", "SerializationException", "ValidationException"})
ADVICE = {
    "ResourceNotFoundException": "The data stream does not exist: run the stage data_streams again.",
    "AccessDeniedException": "The API's role may not write to this data stream: run the stage rest_api again.",
    "KMSAccessDeniedException": "The API's role may not use the data stream's key: see the setting kinesis.kms_key.",
    "KMSDisabledException": "The data stream's key is disabled: enable it, or change the setting kinesis.kms_key.",
    "KMSInvalidStateException": "The data stream's key cannot be used: see the setting kinesis.kms_key.",
    "KMSNotFoundException": "The data stream's key does not exist: see the setting kinesis.kms_key.",
}

type Answer = Mapping[str, Any]


def path_of(data_stream: str, mode: Mode) -> str:
    return f"/streams/{data_stream}/{mode}"


def body_of(rows: Sequence[SourceRow], mode: Mode) -> bytes:
    """The partition key is the post's ``ind``, so all records of a key are in one shard, in order."""
    if mode == "record":
        (row,) = rows
        return b'{"Data":%b,"PartitionKey":"%d"}' % (row.value, row.ind)
    records = b",".join(b'{"data":%b,"partition-key":"%d"}' % (row.value, row.ind) for row in rows)
    return b'{"records":[%b]}' % records


def requests_of(rows: Sequence[SourceRow], mode: Mode) -> Iterator[Sequence[SourceRow]]:
    """The rows in order, as many per request as Kinesis accepts."""
    most = 1 if mode == "record" else MOST_RECORDS
    first, size = 0, 0
    for number, row in enumerate(rows):
        added = len(row.value) + FRAME_BYTES
        if number > first and (number - first == most or size + added > MOST_BYTES):
            yield rows[first:number]
            first, size = number, 0
        size += added
    if rows:
        yield rows[first:]


def is_too_large(row: SourceRow) -> bool:
    """Whether the row exceeds Kinesis' limit even in the form that arrives there, JSON without escapes or blanks."""
    if len(row.value) + len(str(row.ind)) <= LARGEST_RECORD:
        return False
    data = json.dumps(json.loads(row.value), ensure_ascii=False, separators=(",", ":")).encode(errors="surrogatepass")
    return len(data) + len(str(row.ind)) > LARGEST_RECORD


def answers_of(content: bytes, mode: Mode) -> list[Answer] | None:
    """One answer per record of a request that Kinesis accepted; None if the content is not such an answer."""
    try:
        document = json.loads(content)
        answers = [document] if mode == "record" else document["Records"]
    except (ValueError, KeyError, TypeError):
        return None
    return answers if isinstance(answers, list) and all(isinstance(answer, dict) for answer in answers) else None


def error_of(content: bytes) -> str:
    """The name of Kinesis' error; empty if the error is the API's own."""
    try:
        document = json.loads(content)
    except ValueError:
        return ""
    return str(document.get("__type") or "").rpartition("#")[2] if isinstance(document, dict) else ""

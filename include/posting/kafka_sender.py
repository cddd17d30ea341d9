"""Sends records to one topic through the REST API, many per request, and reads each record's own answer."""

from __future__ import annotations

import json
import re
import threading
from collections.abc import Sequence
from typing import Any

from include.posting.connection import ApiAnswer
from include.posting.progress import Settled
from include.posting.sender import ADVICE, ApiSender, Failure, RetryPolicy, SourceRow
from include.settings import Entity

CONTENT_TYPE = "application/vnd.kafka.json.v2+json"

RETRIED_RECORD_CODES = frozenset({50001, 50002, 50003})
KAFKA_ERROR = 50002
NO_TOPIC = re.compile(r"unknown topic|does not host this topic|not present in metadata", re.IGNORECASE)
TOO_LARGE = re.compile(r"too large|larger than", re.IGNORECASE)  # librdkafka's wording, and the Java client's


class KafkaSender(ApiSender):
    """Posts to one topic.

    Records that Kafka calls too large are sent again in halves: Kafka may mean the proxy's whole batch, not one record.

    :param invoke_url: address of the deployed API's stage
    """

    method = "POST"
    look_at = "the REST proxy's log"

    def __init__(
        self,
        entity: Entity,
        *,
        invoke_url: str,
        topic: str,
        api_key: str,
        policy: RetryPolicy,
        stop: threading.Event,
    ) -> None:
        super().__init__(
            entity,
            url=f"{invoke_url.rstrip('/')}/topics/{topic}",
            headers={"Content-Type": CONTENT_TYPE, "Accept": "application/vnd.kafka.v2+json", "x-api-key": api_key},
            policy=policy,
            stop=stop,
        )

    def _body(self, rows: Sequence[SourceRow]) -> bytes:
        return b'{"records":[%b]}' % b",".join([b'{"key":%d,"value":%b}' % (row.ind, row.value) for row in rows])

    def _read(self, rows: Sequence[SourceRow], answer: ApiAnswer, settled: Settled) -> Failure | None:
        offsets = _offsets(answer)
        if offsets is None or len(offsets) != len(rows):
            return Failure(f"expected one answer for each of {len(rows)} records: {answer.said}")
        failure = None
        too_large: list[SourceRow] = []
        said = ""
        for row, told in zip(rows, offsets, strict=True):
            code, partition, offset = told.get("error_code"), told.get("partition"), told.get("offset")
            if code is None and partition is not None and offset is not None:
                settled.acknowledged[row.draw] = (partition, offset)
                continue
            error = str(told.get("error"))
            if code == KAFKA_ERROR and TOO_LARGE.search(error):
                too_large.append(row)
                said = error
            elif code is None or code in RETRIED_RECORD_CODES:
                advice = ADVICE[404] if NO_TOPIC.search(error) else ""
                failure = Failure(f"200, but record ind={row.ind}: {code} {error}", advice=advice)
            else:
                self._refuse(row, str(code), error, settled)
        if too_large:
            self._narrow_down(too_large, among=len(rows), code=str(KAFKA_ERROR), message=said, settled=settled)
        return failure


def _offsets(answer: ApiAnswer) -> list[dict[str, Any]] | None:
    try:
        offsets = json.loads(answer.content)["offsets"]
    except (ValueError, KeyError, TypeError):
        return None
    return offsets if isinstance(offsets, list) and all(isinstance(told, dict) for told in offsets) else None

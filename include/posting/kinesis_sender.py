"""Sends records to one Kinesis data stream through the REST API, one or many per request; reads each one's answer."""

from __future__ import annotations

import threading
from collections.abc import Sequence

from include.positions.kinesis import ShardPosition
from include.posting.connection import ApiAnswer
from include.posting.kinesis_requests import (
    ADVICE,
    LARGEST_RECORD,
    RETRIED_ERRORS,
    SPLIT_ERRORS,
    Mode,
    answers_of,
    body_of,
    error_of,
    is_too_large,
    path_of,
    requests_of,
)
from include.posting.progress import Settled
from include.posting.sender import RETRIED_STATUSES, SPLIT_STATUSES, ApiSender, Failure, RetryPolicy, SourceRow
from include.settings import Entity

RECORD_TOO_LARGE = "record_too_large"


class KinesisSender(ApiSender):
    """Puts records into one data stream. If Kinesis accepts only part of a request, only the rest is sent again.

    :param invoke_url: address of the deployed API's stage
    :param mode: ``record`` puts each record by itself, as the seeds do; ``records`` puts up to 500 and 5 MiB together
    """

    method = "PUT"
    look_at = "the API's execution log"

    def __init__(
        self,
        entity: Entity,
        *,
        invoke_url: str,
        data_stream: str,
        api_key: str,
        mode: Mode,
        policy: RetryPolicy,
        stop: threading.Event,
    ) -> None:
        super().__init__(
            entity,
            url=f"{invoke_url.rstrip('/')}{path_of(data_stream, mode)}",
            headers={"Content-Type": "application/json", "Accept": "application/json", "x-api-key": api_key},
            policy=policy,
            stop=stop,
        )
        self._mode: Mode = mode

    def send(self, rows: Sequence[SourceRow], settled: Settled) -> None:
        fitting = []
        for row in rows:
            if is_too_large(row):
                message = f"{len(row.value)} bytes, but Kinesis takes at most {LARGEST_RECORD}"
                self._refuse(row, RECORD_TOO_LARGE, message, settled)
            else:
                fitting.append(row)
        for request in requests_of(fitting, self._mode):
            super().send(request, settled)

    def _body(self, rows: Sequence[SourceRow]) -> bytes:
        return body_of(rows, self._mode)

    def _read(self, rows: Sequence[SourceRow], answer: ApiAnswer, settled: Settled) -> Failure | None:
        answers = answers_of(answer.content, self._mode)
        if answers is None or len(answers) != len(rows):
            return Failure(f"expected one answer for each of {len(rows)} records: {answer.said}")
        failure = None
        for row, told in zip(rows, answers, strict=True):
            shard_id, number, code = (told.get(name) for name in ("ShardId", "SequenceNumber", "ErrorCode"))
            if code is None and shard_id and str(number).isdecimal():
                settled.acknowledged[row.draw] = ShardPosition(str(shard_id), int(str(number)))
            elif code is None or code in RETRIED_ERRORS:
                failure = Failure(f"200, but record ind={row.ind}: {code} {told.get('ErrorMessage')}")
            else:
                self._refuse(row, str(code), str(told.get("ErrorMessage")), settled)
        return failure

    def _is_retried(self, answer: ApiAnswer) -> bool:
        return answer.status in RETRIED_STATUSES or error_of(answer.content) in RETRIED_ERRORS

    def _is_split(self, answer: ApiAnswer) -> bool:
        name = error_of(answer.content)
        return answer.status in SPLIT_STATUSES and (not name or name in SPLIT_ERRORS)

    def _reason(self, answer: ApiAnswer) -> tuple[str, str]:
        return error_of(answer.content) or str(answer.status), answer.text

    def _advice(self, answer: ApiAnswer) -> str:
        return ADVICE.get(error_of(answer.content)) or super()._advice(answer)

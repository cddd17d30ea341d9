"""Records to one Kinesis stream through the REST API: one or many a request, every record's own answer read."""

from __future__ import annotations

import json
import threading
from collections.abc import Sequence
from typing import NamedTuple

from include.kinesis_positions import ShardPosition
from include.posting_connection import ApiAddressError, ApiAnswer, ApiConnection, NoAnswerError
from include.posting_progress import RefusedRow, Settled
from include.posting_requests import (
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
from include.record_sender import ADVICE as API_ADVICE
from include.record_sender import (
    REFUSED_IN_A_ROW,
    RERUN,
    RETRIED_STATUSES,
    SPLIT_STATUSES,
    PostingError,
    PostingStoppedError,
    RetryPolicy,
    SourceRow,
)
from include.settings import Stream

RECORD_TOO_LARGE = "record_too_large"


class _Failure(NamedTuple):
    """An answer, or none, that another try may better."""

    reason: str
    asked_wait: float = 0.0


class KinesisSender:
    """Sends to one stream over one kept-alive connection, one request at a time.

    :param invoke_url: address of the deployed API's stage
    :param mode: ``record`` puts every record by itself, as the seeds do; ``records`` up to 500 and 5 MiB together
    :param stop: set it to end waits and to send no more requests
    """

    def __init__(
        self,
        stream: Stream,
        *,
        invoke_url: str,
        stream_name: str,
        api_key: str,
        mode: Mode,
        policy: RetryPolicy,
        stop: threading.Event,
    ) -> None:
        self.stream = stream
        self._mode: Mode = mode
        self._url = f"{invoke_url.rstrip('/')}{path_of(stream_name, mode)}"
        self._policy = policy
        self._stop = stop
        self._connection = ApiConnection(
            self._url,
            headers={"Content-Type": "application/json", "Accept": "application/json", "x-api-key": api_key},
            connect_timeout=policy.connect_timeout,
            read_timeout=policy.read_timeout,
        )

    def close(self) -> None:
        self._connection.close()

    def send(self, rows: Sequence[SourceRow], settled: Settled) -> None:
        """Put the rows and note in ``settled`` what became of each, as soon as it is known.

        Raises PostingError, or PostingStoppedError, and leaves the rows it could not settle out of ``settled``. Of a
        request that Kinesis took in part, only the records that it did not take are sent again. A request that is
        refused as a whole for what is in it is halved until the record is found.
        """
        fitting = []
        for row in rows:
            if is_too_large(row):
                message = f"{len(row.value)} bytes, and Kinesis takes {LARGEST_RECORD}"
                self._refuse(row, RECORD_TOO_LARGE, message, settled)
            else:
                fitting.append(row)
        for request in requests_of(fitting, self._mode):
            self._send(request, settled)

    def _send(self, rows: Sequence[SourceRow], settled: Settled) -> None:
        failures = 0
        while rows:
            if self._stop.is_set():
                raise PostingStoppedError
            answer = self._put(rows)
            if isinstance(answer, ApiAnswer) and answer.status in SPLIT_STATUSES:
                self._narrow_down(rows, answer, settled)
                return
            failure = answer if isinstance(answer, _Failure) else self._read(rows, answer, settled)
            if failure is None:
                return
            remaining = [row for row in rows if row.draw not in settled]
            failures = 1 if len(remaining) < len(rows) else failures + 1
            if failures >= self._policy.tries:
                raise PostingError(
                    f"PUT {self._url}: {len(remaining)} records not posted after {failures} tries, the last time: "
                    f"{failure.reason}. {RERUN}"
                )
            rows = remaining
            self._stop.wait(self._policy.wait(failures, asked=failure.asked_wait))

    def _put(self, rows: Sequence[SourceRow]) -> ApiAnswer | _Failure:
        """The answer if it settles anything, else the reason to try again."""
        try:
            answer = self._connection.send("PUT", body_of(rows, self._mode))
        except NoAnswerError as error:
            return _Failure(str(error))
        except ApiAddressError as error:
            raise PostingError(f"PUT {self._url}: {error}. Look at the address.") from error
        if answer.status == 200:
            return answer
        name = error_of(answer.content)
        if answer.status in RETRIED_STATUSES or name in RETRIED_ERRORS:
            return _Failure(answer.said, answer.retry_after)
        if answer.status in SPLIT_STATUSES and (not name or name in SPLIT_ERRORS):
            return answer
        advice = ADVICE.get(name) or API_ADVICE.get(answer.status, "Look at the API.")
        raise PostingError(f"PUT {self._url}: {answer.said}. {advice} {RERUN}")

    def _read(self, rows: Sequence[SourceRow], response: ApiAnswer, settled: Settled) -> _Failure | None:
        """Settle every record by its own answer; returns a reason to try again what is left, or None."""
        answers = answers_of(response.content, self._mode)
        if answers is None or len(answers) != len(rows):
            return _Failure(f"not one answer for each of {len(rows)} records: {response.said}")
        failure = None
        for row, answer in zip(rows, answers, strict=True):
            shard_id, number, code = (answer.get(name) for name in ("ShardId", "SequenceNumber", "ErrorCode"))
            if code is None and shard_id and str(number).isdecimal():
                settled.acknowledged[row.draw] = ShardPosition(str(shard_id), int(str(number)))
            elif code is None or code in RETRIED_ERRORS:
                failure = _Failure(f"200, but record ind={row.ind}: {code} {answer.get('ErrorMessage')}")
            else:
                self._refuse(row, str(code), str(answer.get("ErrorMessage")), settled)
        return failure

    def _narrow_down(self, rows: Sequence[SourceRow], answer: ApiAnswer, settled: Settled) -> None:
        """Send the rows again in two requests, or refuse the one that was alone."""
        if len(rows) == 1:
            self._refuse(rows[0], error_of(answer.content) or str(answer.status), answer.text, settled)
            return
        middle = len(rows) // 2
        self._send(rows[:middle], settled)
        self._send(rows[middle:], settled)

    def _refuse(self, row: SourceRow, code: str, message: str, settled: Settled) -> None:
        settled.refused[row.draw] = RefusedRow(self.stream, row.draw, row.ind, code, message, json.loads(row.value))
        if len(settled.refused) >= REFUSED_IN_A_ROW and not settled.acknowledged:
            raise PostingError(
                f"PUT {self._url}: the first {len(settled.refused)} records were refused one by one, the last time: "
                f"{code} {message!r}. Look at the API's execution log. {RERUN}"
            )

"""Records to one topic through the REST API: many a request, every record's own answer read."""

from __future__ import annotations

import json
import random
import re
import threading
from collections.abc import Sequence
from dataclasses import dataclass
from http import HTTPStatus
from typing import Any, NamedTuple

from include.posting_connection import ApiAddressError, ApiAnswer, ApiConnection, NoAnswerError
from include.posting_progress import RefusedRow, Settled
from include.settings import Stream

CONTENT_TYPE = "application/vnd.kafka.json.v2+json"

RETRIED_STATUSES = frozenset({429, 500, 502, 503, 504})
SPLIT_STATUSES = frozenset({400, 413, 422})
RETRIED_RECORD_CODES = frozenset({50001, 50002, 50003})
KAFKA_ERROR = 50002
TOO_LARGE = re.compile(r"too large|larger than", re.IGNORECASE)  # librdkafka's words, and the Java client's
REFUSED_IN_A_ROW = 20

ADVICE = {
    401: "The API asks for other credentials: run the stage rest_api again.",
    403: "The API key is not valid for this stage of the API, or the address is wrong: run the stage rest_api again.",
    404: "The API or the topic does not exist: run the stages topics and rest_api again.",
}
RERUN = "What is acknowledged is recorded: once the cause is gone, run the task again, it goes on where it stopped."


class PostingError(RuntimeError):
    """Records cannot be posted. The message names the address, the answer and what to do."""


class PostingStoppedError(RuntimeError):
    """Somebody asked to stop; nothing is wrong with the records."""


class SourceRow(NamedTuple):
    """A row to post: the number of its draw in the run, its post's key, its columns as a JSON object."""

    draw: int
    ind: int
    value: bytes


@dataclass(frozen=True)
class RetryPolicy:
    """When to try again, in seconds. ``tries`` without a single record acknowledged end the run.

    The wait doubles from ``first_wait`` to ``longest_wait``, less a random part of up to half. API Gateway gives up on
    its backend after 29 s, so a ``read_timeout`` above that sees the gateway's own answer.
    """

    tries: int = 8
    first_wait: float = 0.5
    longest_wait: float = 20.0
    connect_timeout: float = 5.0
    read_timeout: float = 35.0

    def wait(self, failures: int, *, asked: float = 0.0) -> float:
        """Seconds before the next try after so many failures; ``asked`` is the server's wish, granted within limits."""
        longest = min(self.longest_wait, self.first_wait * 2.0 ** (failures - 1))
        return max(longest * random.SystemRandom().uniform(0.5, 1.0), min(asked, self.longest_wait))


class _Failure(NamedTuple):
    """An answer, or none, that another try may better."""

    reason: str
    asked_wait: float = 0.0


class RecordSender:
    """Sends to one topic over one kept-alive connection: one request at a time, so records keep their order.

    :param invoke_url: address of the deployed API's stage
    :param stop: set it to end waits and to send no more requests
    """

    def __init__(
        self,
        stream: Stream,
        *,
        invoke_url: str,
        topic: str,
        api_key: str,
        policy: RetryPolicy,
        stop: threading.Event,
    ) -> None:
        self.stream = stream
        self._url = f"{invoke_url.rstrip('/')}/topics/{topic}"
        self._policy = policy
        self._stop = stop
        self._connection = ApiConnection(
            self._url,
            headers={"Content-Type": CONTENT_TYPE, "Accept": "application/vnd.kafka.v2+json", "x-api-key": api_key},
            connect_timeout=policy.connect_timeout,
            read_timeout=policy.read_timeout,
        )

    def close(self) -> None:
        self._connection.close()

    def send(self, rows: Sequence[SourceRow], settled: Settled) -> None:
        """Post the rows and note in ``settled`` what became of each, as soon as it is known.

        Raises PostingError, or PostingStoppedError, and leaves the rows it could not settle out of ``settled``.
        A request that is refused as a whole for what is in it (400, 413, 422) is halved until the record is found; so
        are records that Kafka calls too large, which may be said of all that the proxy put into one batch.
        """
        failures = 0
        while rows:
            if self._stop.is_set():
                raise PostingStoppedError
            answer = self._post(rows)
            if isinstance(answer, ApiAnswer) and answer.status in SPLIT_STATUSES:
                self._narrow_down(rows, among=len(rows), code=answer.status, message=answer.text, settled=settled)
                return
            failure = answer if isinstance(answer, _Failure) else self._read(rows, answer, settled)
            if failure is None:
                return
            remaining = [row for row in rows if row.draw not in settled]
            failures = 1 if len(remaining) < len(rows) else failures + 1
            if failures >= self._policy.tries:
                raise PostingError(
                    f"POST {self._url}: {len(remaining)} records not posted after {failures} tries, the last time: "
                    f"{failure.reason}. {RERUN}"
                )
            rows = remaining
            self._stop.wait(self._policy.wait(failures, asked=failure.asked_wait))

    def _post(self, rows: Sequence[SourceRow]) -> ApiAnswer | _Failure:
        """The answer of the API if it settles anything, else the reason to try again."""
        body = b'{"records":[%b]}' % b",".join([b'{"key":%d,"value":%b}' % (row.ind, row.value) for row in rows])
        try:
            answer = self._connection.send("POST", body)
        except NoAnswerError as error:
            return _Failure(str(error))
        except ApiAddressError as error:
            raise PostingError(f"POST {self._url}: {error}. Look at the address.") from error
        if answer.status in RETRIED_STATUSES:
            return _Failure(answer.said, answer.retry_after)
        if answer.status == HTTPStatus.OK or answer.status in SPLIT_STATUSES:
            return answer
        raise PostingError(f"POST {self._url}: {answer.said}. {ADVICE.get(answer.status, 'Look at the API.')} {RERUN}")

    def _read(self, rows: Sequence[SourceRow], answer: ApiAnswer, settled: Settled) -> _Failure | None:
        """Settle every record by its own answer; returns a reason to try again what is left, or None."""
        offsets = _offsets(answer)
        if offsets is None or len(offsets) != len(rows):
            return _Failure(f"not one answer for each of {len(rows)} records: {answer.said}")
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
                failure = _Failure(f"200, but record ind={row.ind}: {code} {error}")
            else:
                settled.refused[row.draw] = self._refusal(row, str(code), error)
        if too_large:
            self._narrow_down(too_large, among=len(rows), code=KAFKA_ERROR, message=said, settled=settled)
        return failure

    def _narrow_down(self, rows: Sequence[SourceRow], *, among: int, code: int, message: str, settled: Settled) -> None:
        """Send the rows again in two requests, or refuse the one that was alone: ``among`` is what its request held."""
        if among > 1:
            middle = len(rows) // 2
            for half in filter(None, (rows[:middle], rows[middle:])):
                self.send(half, settled)
            return
        row = rows[0]
        settled.refused[row.draw] = self._refusal(row, str(code), message)
        if len(settled.refused) >= REFUSED_IN_A_ROW and not settled.acknowledged:
            raise PostingError(
                f"POST {self._url}: the first {len(settled.refused)} records were refused one by one, the last time: "
                f"{code} {message!r}. Look at the REST proxy's log. {RERUN}"
            )

    def _refusal(self, row: SourceRow, code: str, message: str) -> RefusedRow:
        return RefusedRow(self.stream, row.draw, row.ind, code, message, json.loads(row.value))


def _offsets(answer: ApiAnswer) -> list[dict[str, Any]] | None:
    try:
        offsets = json.loads(answer.content)["offsets"]
    except (ValueError, KeyError, TypeError):
        return None
    return offsets if isinstance(offsets, list) and all(isinstance(told, dict) for told in offsets) else None

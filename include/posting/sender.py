"""What all senders share: they send rows to one address of the REST API and retry until each has an outcome."""

from __future__ import annotations

import json
import random
import threading
from abc import ABC, abstractmethod
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import ClassVar, NamedTuple

from include.faults import LastingError
from include.posting.connection import ApiAddressError, ApiAnswer, ApiConnection, NoAnswerError
from include.posting.progress import RefusedRow, Settled
from include.settings import Entity

RETRIED_STATUSES = frozenset({429, 500, 502, 503, 504})
SPLIT_STATUSES = frozenset({400, 413, 422})
REFUSED_IN_A_ROW = 20
FEW_TRIES = 3

ADVICE = {
    401: "The API requires other credentials: run the stage rest_api again.",
    403: "The API key is not valid for this stage of the API, or the address is wrong: run the stage rest_api again.",
    404: "The API or the topic does not exist: run the stages topics and rest_api again.",
}
RERUN = "What is acknowledged is recorded: fix the cause and run the task again; it continues where it stopped."


class PostingError(RuntimeError):
    """Records cannot be posted. The message names the address, the answer and what to do."""


class PostingRefusedError(LastingError, PostingError):
    """Records cannot be posted, and no further try gets another answer."""


class PostingStoppedError(RuntimeError):
    """Posting was asked to stop; nothing is wrong with the records."""


class SourceRow(NamedTuple):
    """A row to post: its draw's number in the run, its post's key, and its columns as a JSON object."""

    draw: int
    ind: int
    value: bytes


@dataclass(frozen=True)
class RetryPolicy:
    """When to retry; times are in seconds. After ``tries`` attempts in a row that settle no record, the run ends: after
    ``FEW_TRIES`` if the answer hardly changes.

    The wait doubles from ``first_wait`` to ``longest_wait``, minus a random part of up to half. API Gateway gives up on
    its backend after 29 s, so a longer ``read_timeout`` receives the gateway's own answer.
    """

    tries: int = 8
    first_wait: float = 0.5
    longest_wait: float = 20.0
    connect_timeout: float = 5.0
    read_timeout: float = 35.0

    def wait(self, failures: int, *, asked: float = 0.0) -> float:
        """Seconds to wait after so many failures. ``asked``, the server's wish, is honored up to ``longest_wait``."""
        longest = min(self.longest_wait, self.first_wait * 2.0 ** (failures - 1))
        return max(longest * random.SystemRandom().uniform(0.5, 1.0), min(asked, self.longest_wait))


class Failure(NamedTuple):
    """A failed attempt that is worth retrying, or hardly: then it has ``advice``."""

    reason: str
    asked_wait: float = 0.0
    advice: str = ""


class ApiSender(ABC):
    """Sends over one kept-alive connection, one request at a time, so records keep their order.

    Subclasses define how rows are encoded and what an answer says about each row.

    :param stop: set it to end waits and send no more requests
    """

    method: ClassVar[str]
    look_at: ClassVar[str]  # where to find the reason for a refusal

    def __init__(
        self,
        entity: Entity,
        *,
        url: str,
        headers: Mapping[str, str],
        policy: RetryPolicy,
        stop: threading.Event,
    ) -> None:
        self.entity = entity
        self._url = url
        self._policy = policy
        self._stop = stop
        self._connection = ApiConnection(
            url, headers=headers, connect_timeout=policy.connect_timeout, read_timeout=policy.read_timeout
        )

    def close(self) -> None:
        self._connection.close()

    def send(self, rows: Sequence[SourceRow], settled: Settled) -> None:
        """Send the rows and add the outcome of each to ``settled`` as soon as it is known.

        Raises PostingError or PostingStoppedError; rows without an outcome are then not in ``settled``. A request that
        is refused as a whole for its content is halved until the bad record is found.
        """
        failures = 0
        while rows:
            if self._stop.is_set():
                raise PostingStoppedError
            answer = self._request(rows)
            if isinstance(answer, ApiAnswer) and answer.status in SPLIT_STATUSES:
                code, message = self._reason(answer)
                self._narrow_down(rows, among=len(rows), code=code, message=message, settled=settled)
                return
            failure = answer if isinstance(answer, Failure) else self._read(rows, answer, settled)
            if failure is None:
                return
            remaining = [row for row in rows if row.draw not in settled]
            failures = 1 if len(remaining) < len(rows) else failures + 1
            if failure.advice and failures >= min(FEW_TRIES, self._policy.tries):
                raise PostingRefusedError(
                    f"{self.method} {self._url}: {failure.reason}, {failures} times. {failure.advice} {RERUN}"
                )
            if failures >= self._policy.tries:
                raise PostingError(
                    f"{self.method} {self._url}: {len(remaining)} records not posted after {failures} tries, last "
                    f"error: {failure.reason}. {RERUN}"
                )
            rows = remaining
            self._stop.wait(self._policy.wait(failures, asked=failure.asked_wait))

    @abstractmethod
    def _body(self, rows: Sequence[SourceRow]) -> bytes: ...

    @abstractmethod
    def _read(self, rows: Sequence[SourceRow], answer: ApiAnswer, settled: Settled) -> Failure | None:
        """Settle each record by its own answer. Returns a reason to retry the rest, or None."""

    def _is_retried(self, answer: ApiAnswer) -> bool:
        return answer.status in RETRIED_STATUSES

    def _is_split(self, answer: ApiAnswer) -> bool:
        return answer.status in SPLIT_STATUSES

    def _reason(self, answer: ApiAnswer) -> tuple[str, str]:
        """Code and message for a request that was refused as a whole."""
        return str(answer.status), answer.text

    def _advice(self, answer: ApiAnswer) -> str:
        return ADVICE.get(answer.status, "Check the API.")

    def _request(self, rows: Sequence[SourceRow]) -> ApiAnswer | Failure:
        """The API's answer if it settles anything, otherwise the reason to retry."""
        try:
            answer = self._connection.send(self.method, self._body(rows))
        except NoAnswerError as error:
            return Failure(str(error))
        except ApiAddressError as error:
            raise PostingRefusedError(f"{self.method} {self._url}: {error}. Check the address.") from error
        if answer.status == 200:
            return answer
        if self._is_retried(answer):
            return Failure(answer.said, answer.retry_after)
        if self._is_split(answer):
            return answer
        raise PostingRefusedError(f"{self.method} {self._url}: {answer.said}. {self._advice(answer)} {RERUN}")

    def _narrow_down(self, rows: Sequence[SourceRow], *, among: int, code: str, message: str, settled: Settled) -> None:
        """Send the rows again in two requests, or refuse a row that was sent alone. ``among`` is the request's size."""
        if among > 1:
            middle = len(rows) // 2
            for half in filter(None, (rows[:middle], rows[middle:])):
                ApiSender.send(self, half, settled)
            return
        self._refuse(rows[0], code, message, settled)
        if len(settled.refused) >= REFUSED_IN_A_ROW and not settled.acknowledged:
            raise PostingRefusedError(
                f"{self.method} {self._url}: the first {len(settled.refused)} records were refused one by one, "
                f"last error: {code} {message!r}. Look at {self.look_at}. {RERUN}"
            )

    def _refuse(self, row: SourceRow, code: str, message: str, settled: Settled) -> None:
        settled.refused[row.draw] = RefusedRow(self.entity, row.draw, row.ind, code, message, json.loads(row.value))

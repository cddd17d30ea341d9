"""What every sender has in common: rows to one address of the REST API, tried again until each has an outcome."""

from __future__ import annotations

import json
import random
import threading
from abc import ABC, abstractmethod
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import ClassVar, NamedTuple

from include.posting.connection import ApiAddressError, ApiAnswer, ApiConnection, NoAnswerError
from include.posting.progress import RefusedRow, Settled
from include.settings import Entity

RETRIED_STATUSES = frozenset({429, 500, 502, 503, 504})
SPLIT_STATUSES = frozenset({400, 413, 422})
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


class Failure(NamedTuple):
    """An answer, or none, that another try may better."""

    reason: str
    asked_wait: float = 0.0


class ApiSender(ABC):
    """Sends over one kept-alive connection: one request at a time, so records keep their order.

    A sink says how rows are written down, and what an answer says of each.

    :param stop: set it to end waits and to send no more requests
    """

    method: ClassVar[str]
    look_at: ClassVar[str]  # where the reason of a refusal is told

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
        """Send the rows and note in ``settled`` what became of each, as soon as it is known.

        Raises PostingError, or PostingStoppedError, and leaves the rows it could not settle out of ``settled``.
        A request that is refused as a whole for what is in it is halved until the record is found.
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
            if failures >= self._policy.tries:
                raise PostingError(
                    f"{self.method} {self._url}: {len(remaining)} records not posted after {failures} tries, the last "
                    f"time: {failure.reason}. {RERUN}"
                )
            rows = remaining
            self._stop.wait(self._policy.wait(failures, asked=failure.asked_wait))

    @abstractmethod
    def _body(self, rows: Sequence[SourceRow]) -> bytes: ...

    @abstractmethod
    def _read(self, rows: Sequence[SourceRow], answer: ApiAnswer, settled: Settled) -> Failure | None:
        """Settle every record by its own answer; returns a reason to try again what is left, or None."""

    def _is_retried(self, answer: ApiAnswer) -> bool:
        return answer.status in RETRIED_STATUSES

    def _is_split(self, answer: ApiAnswer) -> bool:
        return answer.status in SPLIT_STATUSES

    def _reason(self, answer: ApiAnswer) -> tuple[str, str]:
        """Code and message of a request that is refused as a whole."""
        return str(answer.status), answer.text

    def _advice(self, answer: ApiAnswer) -> str:
        return ADVICE.get(answer.status, "Look at the API.")

    def _request(self, rows: Sequence[SourceRow]) -> ApiAnswer | Failure:
        """The answer of the API if it settles anything, else the reason to try again."""
        try:
            answer = self._connection.send(self.method, self._body(rows))
        except NoAnswerError as error:
            return Failure(str(error))
        except ApiAddressError as error:
            raise PostingError(f"{self.method} {self._url}: {error}. Look at the address.") from error
        if answer.status == 200:
            return answer
        if self._is_retried(answer):
            return Failure(answer.said, answer.retry_after)
        if self._is_split(answer):
            return answer
        raise PostingError(f"{self.method} {self._url}: {answer.said}. {self._advice(answer)} {RERUN}")

    def _narrow_down(self, rows: Sequence[SourceRow], *, among: int, code: str, message: str, settled: Settled) -> None:
        """Send the rows again in two requests, or refuse the one that was alone: ``among`` is what its request held."""
        if among > 1:
            middle = len(rows) // 2
            for half in filter(None, (rows[:middle], rows[middle:])):
                ApiSender.send(self, half, settled)
            return
        self._refuse(rows[0], code, message, settled)
        if len(settled.refused) >= REFUSED_IN_A_ROW and not settled.acknowledged:
            raise PostingError(
                f"{self.method} {self._url}: the first {len(settled.refused)} records were refused one by one, the "
                f"last time: {code} {message!r}. Look at {self.look_at}. {RERUN}"
            )

    def _refuse(self, row: SourceRow, code: str, message: str, settled: Settled) -> None:
        settled.refused[row.draw] = RefusedRow(self.entity, row.draw, row.ind, code, message, json.loads(row.value))

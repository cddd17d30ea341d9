"""One kept-alive connection to the REST API. It never retries: only the sender knows what may be sent again."""

from __future__ import annotations

import os
from collections.abc import Mapping
from dataclasses import dataclass
from http.client import responses

import urllib3
from certifi import where
from requests.utils import get_environ_proxies, select_proxy
from urllib3.exceptions import HTTPError, LocationValueError, SSLError
from urllib3.util import Timeout, parse_url

SAID_CHARACTERS = 300
WRONG_SERVER = ("CERTIFICATE_VERIFY_FAILED", "WRONG_VERSION_NUMBER")
"""A certificate that is not trusted or is another host's, and a port that does not speak TLS."""


class NoAnswerError(RuntimeError):
    """No complete answer arrived: refused, reset or timed out. The request may or may not have taken effect."""


class ApiAddressError(RuntimeError):
    """The URL is not a valid HTTP address, or what answers there is not the server it names."""


@dataclass(frozen=True)
class ApiAnswer:
    status: int
    content: bytes
    retry_after: float

    @property
    def text(self) -> str:
        return self.content.decode(errors="replace")[:SAID_CHARACTERS]

    @property
    def said(self) -> str:
        """The answer for a message: status, reason and the beginning of the content."""
        return f"{self.status} {responses.get(self.status, '')} {self.text!r}"


class ApiConnection:
    """Sends request bodies to one address, one at a time. Reads proxies and certificates from the environment once.

    :param headers: sent with every request
    """

    def __init__(self, url: str, *, headers: Mapping[str, str], connect_timeout: float, read_timeout: float) -> None:
        self._url = url
        self._headers = dict(headers)
        self._timeout = Timeout(connect=connect_timeout, read=read_timeout)
        certificates = os.environ.get("REQUESTS_CA_BUNDLE") or os.environ.get("CURL_CA_BUNDLE") or where()
        proxy = select_proxy(url, get_environ_proxies(url))
        self._pool = (
            urllib3.ProxyManager(proxy, maxsize=1, ca_certs=certificates)
            if proxy
            else urllib3.PoolManager(maxsize=1, ca_certs=certificates)
        )

    def close(self) -> None:
        self._pool.clear()

    def send(self, method: str, body: bytes) -> ApiAnswer:
        """Return the answer, whatever its status; follow no redirect. Raises NoAnswerError or ApiAddressError."""
        try:
            if parse_url(self._url).scheme not in ("http", "https"):
                raise ApiAddressError(f"{self._url!r} is not an HTTP address")
            response = self._pool.urlopen(
                method,
                self._url,
                body=body,
                headers=self._headers,
                timeout=self._timeout,
                retries=False,
                redirect=False,
            )
        except LocationValueError as error:
            raise ApiAddressError(f"{type(error).__name__}: {error}") from error
        except SSLError as error:
            if any(fault in str(error) for fault in WRONG_SERVER):
                raise ApiAddressError(f"{type(error).__name__}: {error}") from error
            raise NoAnswerError(f"{type(error).__name__}: {error}") from error
        except (HTTPError, OSError) as error:
            raise NoAnswerError(f"{type(error).__name__}: {error}") from error
        asked = response.headers.get("Retry-After", "")
        return ApiAnswer(response.status, response.data, float(asked) if asked.isdigit() else 0.0)

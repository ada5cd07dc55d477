"""Transport: one request and its answer, tried again as long as that is safe and can help.

Lives here: connections, retries, how a refusal becomes an error. Does not: which requests there are (client.py).
"""

from __future__ import annotations

import random
import time
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from typing import Any
from urllib.parse import urlsplit

import httpx

from aila_pipeline.errors import ApiRefused, ApiUnavailable

RETRIED = frozenset({429, 502, 503, 504})
"""Statuses that pass. So does 409 while the first request of an Idempotency-Key is still being worked on."""
_IN_FLIGHT = "IDEMPOTENCY_KEY_IN_USE"
_FIRST_PAUSE_SECONDS, _LONGEST_PAUSE_SECONDS = 0.25, 8.0
_NO_PROXY: Mapping[str, None] = {f"all://{host}": None for host in ("localhost", "127.0.0.1", "[::1]")}
"""A proxy of the environment has no way to this machine itself."""

Body = Callable[[], bytes | Iterable[bytes]]
"""Makes the body anew for each try: a stream can be read only once."""


@dataclass(frozen=True)
class Patience:
    """How long to wait for a connection and each part of an answer, and how long the pauses of one request may take.

    `on_retry` is told why a request is sent once more, and after how many seconds.
    """

    timeout_seconds: float
    retry_seconds: float
    on_retry: Callable[[str, float], None] | None = None


class Transport:
    """HTTP for one host, or for the signed URLs that it hands out. Safe to share between threads.

    Args:
        headers: sent with each request.
        patience: how long to wait, and to try again.
    """

    def __init__(self, url: str = "", *, headers: Mapping[str, str], patience: Patience) -> None:
        self._patience = patience
        self._http = httpx.Client(
            base_url=url,
            headers={"User-Agent": "aila-pipeline-client", **headers},
            timeout=patience.timeout_seconds,
            mounts=_NO_PROXY,
        )

    def close(self) -> None:
        """Close all connections."""
        self._http.close()

    def send(
        self,
        method: str,
        url: str,
        *,
        body: Body | None = None,
        headers: Mapping[str, str] | None = None,
        params: Mapping[str, str | int] | None = None,
    ) -> httpx.Response:
        """The answer to the request, a 2xx. It has to be one that may be carried out more than once.

        Raises:
            ApiRefused: any other answer; also when a limit is reached for longer than `retry_seconds`.
            ApiUnavailable: no connection, or 502, 503 and 504 again and again.
        """
        deadline = time.monotonic() + self._patience.retry_seconds
        pauses = _pauses()
        while True:
            wait = next(pauses)
            try:
                content = body() if body is not None else None
                answer = self._http.request(method, url, content=content, headers=headers, params=params)
            except httpx.TransportError as error:
                failure: ApiRefused | ApiUnavailable = ApiUnavailable(
                    f"{_place(self._http, url)}, {type(error).__name__}"
                )
            except httpx.InvalidURL:
                raise ApiRefused("this is no URL of an API") from None
            else:
                if answer.is_success:
                    return answer
                failure = refusal(answer)
                if not _passes(answer, failure):
                    raise failure
                asked = retry_after(answer.headers.get("Retry-After"))
                wait = wait if asked is None else asked
            if time.monotonic() + wait > deadline:
                raise failure
            if self._patience.on_retry is not None:
                self._patience.on_retry(failure.message, wait)
            time.sleep(wait)

    def data(self, method: str, url: str, **request: Any) -> Any:
        """The `data` of contract A's envelope; raises what `send` raises."""
        answer = self.send(method, url, **request)
        try:
            return answer.json()["data"]
        except (ValueError, KeyError, TypeError):
            raise ApiUnavailable(f"{_place(self._http, url)} answers, but is not this API") from None


def refusal(answer: httpx.Response) -> ApiRefused | ApiUnavailable:
    """The error that an answer tells of, in the API's own words where it has any."""
    try:
        told = answer.json()["error"]
        code, message = str(told["code"]), str(told["message"])
        problems = tuple(_problems(told.get("details") or {}))
    except (ValueError, KeyError, TypeError, AttributeError):
        # A proxy's page, or S3's XML: of no use to a person, and it may quote the request.
        code, message, problems = f"HTTP_{answer.status_code}", answer.reason_phrase or "no reason is given", ()
    if answer.status_code in {502, 503, 504}:
        return ApiUnavailable(f"{code}, {message}")
    return ApiRefused(message, status=answer.status_code, api_code=code, problems=problems)


def retry_after(header: str | None, now: datetime | None = None) -> float | None:
    """Seconds that a `Retry-After` asks to wait, given as seconds or as a date; None if it is neither."""
    if header is None:
        return None
    if header.strip().isdecimal():
        return float(header)
    try:
        at = parsedate_to_datetime(header)
    except ValueError:
        return None
    at = at if at.tzinfo else at.replace(tzinfo=UTC)
    return max(0.0, (at - (now or datetime.now(UTC))).total_seconds())


def _passes(answer: httpx.Response, failure: ApiRefused | ApiUnavailable) -> bool:
    if answer.status_code in RETRIED:
        return True
    return isinstance(failure, ApiRefused) and failure.api_code == _IN_FLIGHT


def _pauses() -> Iterator[float]:
    """Growing, and never the same for two clients."""
    pause = _FIRST_PAUSE_SECONDS
    while True:
        yield pause * random.uniform(0.5, 1.0)  # noqa: S311 - no secret
        pause = min(2 * pause, _LONGEST_PAUSE_SECONDS)


def _place(http: httpx.Client, url: str) -> str:
    """Scheme, host and port: a signed URL's path and query are nobody's business."""
    found = urlsplit(url if "://" in url else str(http.base_url))
    return f"{found.scheme}://{found.hostname}" + (f":{found.port}" if found.port else "")


def _problems(details: Mapping[str, Any]) -> Iterator[str]:
    """One line for each row, call or field that is wrong; `calls` have a list of errors, `rows` a message."""
    for name, found in details.items():
        if isinstance(found, Mapping):
            yield from (f"{field}: {told}" for field, told in found.items())
        elif isinstance(found, list):
            yield from (_item(name, item) for item in found)
        else:
            yield f"{name}: {found}"


def _item(name: str, item: Any) -> str:
    if not isinstance(item, Mapping):
        return str(item)
    errors = item.get("errors", item.get("message"))
    known = {key: value for key, value in item.items() if key not in {"errors", "message"} and value is not None}
    where = ", ".join(f"{key} {value}" for key, value in known.items()) or name
    told = "; ".join(map(str, errors)) if isinstance(errors, list) else errors
    return f"{where}: {told}" if told else where
